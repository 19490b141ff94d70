"""The main job in small, from nothing to sounds, pictures and tables: what ``make demo`` runs."""

import os
from pathlib import Path

import pandas as pd
import typer

from .experiments import EXPERIMENTS, TEST_FOLDS, TRAIN_FOLDS, TRANSFORMS, VALID_FOLDS, background_of, open_data, run
from .files import make_folder, replacing, write_text
from .fit import FitSettings
from .predict import interpret
from .report import interpretation_html, page, write_interpretation
from .tables import as_text, summarise
from .training import train_classifier, write_card

METHODS = ("saliency", "gradcam", "shap")
EPOCHS = 18


def run_demo(
    data: str | os.PathLike[str] | None, subset: str | None, out: str | os.PathLike[str], seed: int, command: str
) -> None:
    """Train a small mel classifier, explain its test fold by every method and mask, write it all to ``out``.

    Args:
        data: a folder in the layout of ESC-50; the made set if None.
        subset: see :class:`~audiointerp.dataset.esc50.ESC50`.
        out: gets ``weights/``, ``results/``, ``examples/`` (one clip a method), ``table.csv`` and ``index.html``.
        seed: of the network.
        command: what was called, for the card.
    """
    transform = TRANSFORMS["mel"]
    train, valid, test = (open_data(data, folds, subset) for folds in (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS))
    out = make_folder(out)
    typer.echo(f"1. train a small network on {len(train)} clips, {len(train.labels)} classes")
    (trained,) = train_classifier(
        (train, valid, test), transform, "Cnn10", base_channels=8, dropout=0.0, head_dropout=0.1,
        settings=FitSettings(epochs=EPOCHS, learning_rate=5e-3), seeds=(seed,),
    )  # fmt: skip
    classifier = trained.classifier
    write_card([trained], out / "weights", "demo_mel", command)
    typer.echo(f"   test accuracy {trained.test_accuracy:.3f} after {trained.seconds:.0f} s")

    typer.echo(f"2. explain and score {len(test)} test clips: {', '.join(METHODS)}; 14 masks each")
    background = background_of(train, transform, per_class=1)
    rows = run(
        EXPERIMENTS["mel_clean"], classifier, test, METHODS, out / "results", on="features", background=background,
        attributions=False, resume=False,
    )  # fmt: skip
    table = summarise(rows)
    typer.echo(as_text(rows[rows["mask"].isin(["topK_5", "topK_30", "minmax_pos"])]))
    with replacing(out / "table.csv") as part:
        table.to_csv(part)

    typer.echo("3. make one clip's reasons audible")
    index = _surest_clip(rows)
    wav = test[index][0][None]
    fragments = []
    for method in METHODS:
        result = interpret(classifier, wav, method, "topK_30", background=background)
        write_interpretation(result, out / "examples" / method, title=f"{test.clip_id(index)}, {method}")
        fragments.append(interpretation_html(result))
    write_text(out / "index.html", page(f"Why {result.predicted}? {test.clip_id(index)}", fragments))
    typer.echo(f"wrote {out}/: open {Path(out) / 'index.html'} in a browser to look and listen; all scores: table.csv")


def _surest_clip(rows: pd.DataFrame) -> int:
    """The place of the clip that is classified correctly with the highest probability; the first if none is."""
    clips = rows.groupby("clip", sort=False).first()
    return int((clips["p"] * (clips["correct"] == True)).fillna(0).to_numpy().argmax())  # noqa: E712  # None is no bool
