"""The measurements of docs/fills.md: masks of known and of explained regions under each fill.

Mixtures of two real clips, whose sources are known, are explained as for docs/localisation.md. Each
map is compared with the truth, and its masks are scored under each fill, on features and on audio.
Beside the methods stand maps that know the answer, and maps that know nothing:

- ``truth``: the bins where the explained source is louder and audible, its loudest first;
- ``other sound``: the same of the other source: the wrong answer;
- ``truth, shifted``: the truth, half the clip later: its shape at the wrong place;
- ``random blobs`` and ``random bins``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from audiointerp import Classifier
from audiointerp.dataset import Mixtures, load_clip
from audiointerp.experiments import TRAIN_FOLDS, VALID_FOLDS, background_of, open_data
from audiointerp.interpretation import RISE, Explainer, null_seed, random_field, top
from audiointerp.metrics import METRICS
from audiointerp.model import optimized
from audiointerp.paper import localisation_methods
from audiointerp.scoring import (
    LEAST_P,
    ON,
    OutOfDistribution,
    Truth,
    explain_clip,
    localisation_scores,
    ood_reference,
    truth_of,
)
from audiointerp.scoring.localised_clip import MixedClip, Source, mixed_clip
from audiointerp.scoring.outcomes import classified
from audiointerp.scoring.part_outputs import ClipParts
from audiointerp.util import FILLS, make_folder, write_text

METHODS = (
    *("saliency", "gradcam", "layercam", "layercam@conv_block1", "integrated_gradients", "shap"),
    *("occlusion", "lime", "rise", "optimal"),
)
RISE_SAMPLES = 200
"""Forward passes of RISE for each class, since each map is scored under every fill."""
AREA = 0.2
"""The share of the bins that a mask keeps, beside as many as the truth has."""
SCORES = ("FidIn", "AD", "FF", "HEARD", "ood_in", "ood_out")
OUTSIDE = 1000.0
"""In dB: bins outside a region come after all of it."""


@dataclass(frozen=True)
class Bench:
    """What measures; ``fast`` is a copy of the classifier that is faster and has no layers."""

    classifier: Classifier
    fast: Classifier
    methods: Mapping[str, Explainer]
    reference: OutOfDistribution | None

    @staticmethod
    def of(classifier: Classifier, data: Path, methods: tuple[str, ...] = METHODS) -> "Bench":
        training, clean = (open_esc10(classifier, data, f) for f in (TRAIN_FOLDS, VALID_FOLDS))
        background = background_of(training, classifier.transform)
        explainers = localisation_methods(methods, classifier, background)
        if "rise" in explainers:
            explainers["rise"] = RISE(classifier.network, samples=RISE_SAMPLES)
        reference = ood_reference(classifier, training, clean)
        return Bench(classifier, optimized(classifier, "folded"), explainers, reference)


def open_esc10(classifier: Classifier, data: Path, folds: tuple[int, ...]):
    rate, duration = classifier.sample_rate, classifier.duration
    return open_data(data, folds, "esc10", sample_rate=rate, duration=duration)


def measure(bench: Bench, mixtures: Mixtures, path: Path) -> pd.DataFrame:
    """Return the rows of all mixtures; a file keeps those of finished ones."""
    make_folder(path.parent)
    for index in tqdm(range(len(mixtures)), unit="mixture", disable=None):
        rows = read_rows(path)
        if mixtures.clip_id(index) not in set(rows["clip"]):
            new_rows = pd.DataFrame(mixture_rows(bench, mixtures, index))
            joined = pd.concat([rows, new_rows], ignore_index=True) if len(rows) else new_rows
            # Six digits, so that the file is small; read again, a resumed run has the same rows.
            write_text(path, joined.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return read_rows(path)


def read_rows(path: Path) -> pd.DataFrame:
    """Read the rows of a file; none if it is not there."""
    if not path.is_file():
        return pd.DataFrame(columns=["clip"])
    return pd.read_csv(path, dtype={"recording": str})


def mixture_rows(bench: Bench, mixtures: Mixtures, index: int) -> Iterator[dict[str, Any]]:
    """Yield a row per explained class, map, area, ``on`` and fill of one mixture."""
    mixed = mixed_clip(bench.classifier, mixtures, index, load_clip(mixtures, index))
    parts = ClipParts(bench.fast, mixed.spectrogram, bench.reference)
    for source in mixed.sources:
        p = float(mixed.probs[source.target])
        if p < LEAST_P:
            continue
        of_source = {
            "clip": mixed.loaded.name,
            "recording": mixed.loaded.recording,
            "explained": bench.classifier.labels[source.target],
            "predicted": int(mixed.probs.argmax()) == source.target,
        }
        truth = truth_of(source.db, source.rest_db)
        maps = maps_of(bench, mixed, source)
        for row in source_rows(parts, source, truth, maps):
            yield {**of_source, **row}


def source_rows(
    parts: ClipParts, source: Source, truth: Truth, maps: Mapping[str, Tensor]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one explained class."""
    shares = {"fixed": AREA, "truth": float(truth.source.double().mean())}
    masks = torch.cat([top(values, share) for share in shares.values() for values in maps.values()])
    located = {
        name: localisation_scores(values, truth.source, truth.audible)
        for name, values in maps.items()
    }
    target = torch.tensor([source.target])
    for on in ON:
        clean = {"ood_clean": float(parts.clean(on).distances[0])}
        for fill in FILLS:
            outcomes = classified(parts, target, masks, on=on, fill=fill)
            scores = outcomes.scores(masks, METRICS)
            for number, (area, name) in enumerate((a, n) for a in shares for n in maps):
                setting = {"method": name, "area": area, "share": shares[area]}
                values = {
                    score: float(scores[score][number]) for score in SCORES if score in scores
                }
                yield {**setting, "on": on, "fill": fill, **values, **clean, **located[name]}


def maps_of(bench: Bench, mixed: MixedClip, source: Source) -> dict[str, Tensor]:
    """Return all maps of one explained class by name."""
    db = mixed.spectrogram.db
    maps = {
        name: explain_clip(bench.classifier, mixed.spectrogram, explainer, source.target).values
        for name, explainer in bench.methods.items()
    }
    truth = region(source.db, source.rest_db)
    seed = null_seed(mixed.loaded.name, str(source.target))
    return {
        **maps,
        "level": db,
        "random blobs": random_field(db, "smooth", seed),
        "random bins": random_field(db, "pixelwise", seed),
        "truth": truth,
        "truth, shifted": truth.roll(truth.shape[-1] // 2, -1),
        "other sound": region(source.rest_db, source.db),
    }


def region(source: Tensor, others: Tensor) -> Tensor:
    """Return a map that has the bins of a source first, in the order of its level."""
    return torch.where(truth_of(source, others).source, source, source - OUTSIDE)
