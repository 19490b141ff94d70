"""The demo: train a small network, explain its test clips, write tables, pictures and sounds."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import typer
from joblib import cpu_count
from torch import Tensor

from ..dataset import EvenSubset, InMemory, load_clip
from ..display import write_card, write_interpretation, write_report
from ..experiments import (
    EXPERIMENTS,
    TEST_FOLDS,
    TRAIN_FOLDS,
    TRANSFORMS,
    VALID_FOLDS,
    background_of,
    open_data,
    run,
)
from ..fit import FitSettings, Trained, train_classifier
from ..interpretation import MASKS
from ..predict import Interpretation, interpret
from ..tables import lead_text, page_scores, summarise
from ..util import atomic_write, make_folder
from .report_page import scores_of

DEMO_METHODS = ("saliency", "gradcam", "shap")
SHOWN_MASK = "topK_30"
"""The mask of the page; the printed table is of all 0/1 masks, and all are in the file."""
DEMO_NULLS = ("pixelwise", "other")
"""Two of the nulls, since all of them would take half as much time again."""
TRANSFORM = TRANSFORMS["mel"]
TRAINING = FitSettings(epochs=18, learning_rate=3e-3, mixup=0.0, frequency_mask=4, time_mask=20)
"""So few epochs need little augmentation."""
SCORED_CLIPS = 40
"""How many test clips are explained and scored, evenly spaced; all of them are classified."""
MOST_WORKERS = 4
"""Processes that score, on a machine with as many cores."""


def run_demo(
    data: str | os.PathLike[str] | None,
    subset: str | None,
    out: str | os.PathLike[str],
    seed: int,
    command: str,
) -> None:
    """Train a small mel classifier, explain clips of its test fold by three methods and all masks.

    Args:
        data: a folder in the layout of ESC-50; synthetic clips if None.
        subset: ``"esc10"`` for the ten classes of ESC-10.
        out: the folder to write: ``weights/``, ``results/``, ``examples/`` (one clip per method),
            ``table.csv`` and ``index.html``.
        seed: of the network's initial weights.
        command: the command line, for the card of the network.

    Example (in a shell):

      audiointerp demo
    """
    folds = (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    train, valid, test = (open_data(data, fold, subset) for fold in folds)
    # Its clips are classified, then scored.
    test = InMemory(test)
    out = make_folder(out)

    typer.echo(f"1. train a small network on {len(train)} clips, {len(train.labels)} classes")
    (trained,) = train_classifier(
        (train, valid, test),
        TRANSFORM,
        "Cnn10",
        base_channels=8,
        dropout=0.0,
        head_dropout=0.1,
        settings=TRAINING,
        seeds=(seed,),
    )
    write_card([trained], out / "weights", "demo_mel", command)
    typer.echo(f"   test accuracy {trained.test_accuracy:.3f} after {trained.seconds:.0f} s")

    methods = ", ".join(DEMO_METHODS)
    scored = EvenSubset(test, SCORED_CLIPS)
    typer.echo(
        f"2. explain and score {len(scored)} of {len(test)} test clips: {methods}; "
        f"{len(MASKS)} masks each"
    )
    background = background_of(train, TRANSFORM, per_class=1)
    rows = run(
        EXPERIMENTS["mel_clean"],
        trained.classifier,
        scored,
        DEMO_METHODS,
        out / "results",
        on="features",
        fill="silence",
        nulls=DEMO_NULLS,
        background=background,
        attributions=False,
        resume=False,
        workers=min(cpu_count(), MOST_WORKERS),
    )
    table = summarise(rows)
    typer.echo(lead_text(rows))
    with atomic_write(out / "table.csv") as partial:
        table.to_csv(partial)

    index = _surest_clip(rows)
    typer.echo(f"3. write sounds and pictures of the clip {scored.clip_id(index)}")
    label = load_clip(scored, index).label
    results = _write_examples(
        trained, scored[index][0][None], scored.clip_id(index), background, out
    )
    title = f"Why {results[0].predicted}? {scored.clip_id(index)}"
    scores = scores_of(page_scores(rows, SHOWN_MASK))
    write_report([(results, label)], 1, out, title, lambda: [scores])
    typer.echo(
        f"wrote {out}/: open {out / 'index.html'} in a browser to look and listen; "
        "all scores are in table.csv"
    )


def _write_examples(
    trained: Trained, wav: Tensor, clip: str, background: Tensor, out: Path
) -> list[Interpretation]:
    """Write the sounds and pictures of one clip, by each method; return what was explained."""
    results = []
    for method in DEMO_METHODS:
        result = interpret(trained.classifier, wav, method, SHOWN_MASK, background=background)
        result = replace(result, clip=clip)
        write_interpretation(result, out / "examples" / method, title=f"{clip}, {method}")
        results.append(result)
    return results


def _surest_clip(rows: pd.DataFrame) -> int:
    """Return the index of the correct clip with the highest probability; 0 if none is correct."""
    clips = rows.groupby("clip", sort=False).first()
    # `correct` is None for a failed clip.
    probability_if_correct = clips["p"] * clips["correct"].eq(True)
    return int(probability_if_correct.fillna(0).to_numpy().argmax())
