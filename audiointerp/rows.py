"""The rows of results: every score of one clip, by method, mask, and what was scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .curves import curves
from .dataset import ClipDataset
from .errors import ArgumentError, choose
from .explain import ON, additivity_gap, explain, outcomes, surrogate_fit
from .interpretation import MASKS, Attribution, Explainer
from .interpretation.baselines import BASELINES, random_field, rearranged
from .metrics import METRICS, RELATIVE
from .model import Classifier
from .processing import Spectrogram
from .protocols import protocol_of

AREAS = ("deletion", "insertion")
PROBABILITIES = ("p", "p_in", "p_out", "log_odds", "log_odds_in", "log_odds_out")
BASELINE_VALUES = tuple(f"{name}_{kind}" for kind in BASELINES for name in (*RELATIVE, *AREAS))
VALUES = (*METRICS, *PROBABILITIES, *AREAS, "additivity_gap", "surrogate_r2", *BASELINE_VALUES)
"""The columns that hold numbers; NaN where undefined."""


LONGEST_REASON = 500
"""Characters of an error that a row keeps."""


@dataclass(frozen=True)
class Plan:
    """What is scored of each clip and method.

    Attributes:
        masks: names in ``MASKS``.
        protocol: a name in ``PROTOCOLS``.
        on: names in ``ON``.
        baselines: whether to score random masks of the same values too, pixelwise and smooth.
        curves: whether to compute the areas under deletion and insertion.
    """

    masks: Sequence[str] = tuple(MASKS)
    protocol: str = "sound"
    on: Sequence[str] = ("features",)
    baselines: bool = True
    curves: bool = False

    def __post_init__(self) -> None:
        for name, given, known in (("mask", self.masks, MASKS), ("on", self.on, ON)):
            if isinstance(given, str) or not given or len(set(given)) < len(given):
                raise ArgumentError(f"{name}: a list of different names, at least one, not {given!r}")
            for one in given:
                choose(name, one, known)
        protocol_of(self.protocol)


def clip_rows(
    classifier: Classifier,
    dataset: ClipDataset,
    index: int,
    explainers: Sequence[Explainer],
    plan: Plan,
    keep: dict[str, Attribution] | None = None,
) -> list[dict[str, Any]]:
    """The rows of one clip: one per method, mask and ``on``; one per method that failed.

    Columns: method, clip, target (the true label), predicted, explained, correct, protocol, on, mask; the scores of
    ``METRICS``; p, p_in, p_out and the same as log_odds; the areas under deletion and insertion; additivity_gap (SHAP's, the
    largest over the windows), surrogate_r2 (LIME's, the smallest); the scores of the baselines (``FF_pixelwise`` …);
    status, error.

    Args:
        keep: where given, receives the attributions by method.
    """
    head: dict[str, Any] = {
        "clip": dataset.clip_id(index),
        "target": "",
        "predicted": "",
        "explained": "",
        "correct": None,
        "protocol": plan.protocol,
    }
    try:
        wav, true = dataset[index]
        head["target"] = dataset.labels[true]
        spectrogram = classifier.transform(wav[None].to(classifier.device))
    except Exception as error:  # whatever a clip or a data set of one's own raises: it is a row, and the run goes on
        return [_failed(explainer, head, error) for explainer in explainers]
    fields = [random_field(spectrogram.db, kind) for kind in BASELINES] if plan.baselines else []
    rows: list[dict[str, Any]] = []
    for explainer in explainers:
        try:
            attribution = explain(classifier, spectrogram, explainer)
            scored = _scored(classifier, spectrogram, attribution, fields, plan)
        except Exception as error:
            rows.append(_failed(explainer, head, error))
            continue
        if keep is not None:
            keep[explainer.name] = attribution
        predicted = classifier.labels[int(attribution.target)]  # which is what is explained
        verdict = {"predicted": predicted, "explained": predicted, "correct": predicted == head["target"]}
        rows += [
            {"method": explainer.name, **head, **verdict, **names, **values, "status": "ok", "error": ""}
            for names, values in scored
        ]
    return rows


def _failed(explainer: Explainer, head: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    empty = dict.fromkeys(VALUES, float("nan"))
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
    return {"method": explainer.name, **head, "on": "", "mask": "", **empty, "status": "error", "error": reason}


def _scored(
    classifier: Classifier, spectrogram: Spectrogram, attribution: Attribution, fields: Sequence[Tensor], plan: Plan
) -> list[tuple[dict[str, str], dict[str, float]]]:
    """The names and the values of each row of one attribution."""
    protocol = protocol_of(plan.protocol)
    masks = torch.cat([protocol.masks[name](attribution.values) for name in plan.masks])
    arranged = torch.cat([masks, rearranged(masks, fields)])
    found = {"additivity_gap": additivity_gap(attribution), "surrogate_r2": surrogate_fit(attribution)}
    rows = []
    for on in plan.on:
        heard = outcomes(classifier, spectrogram, attribution.target, arranged, on=on)
        scores = heard.scores(masks, protocol.metrics)
        asking = {name: protocol.metrics[name] for name in RELATIVE}  # the others are the mask's own
        beside = {
            kind: heard.scores(arranged[start : start + len(masks)], asking, start)
            for kind, start in zip(BASELINES, range(len(masks), len(arranged), len(masks)), strict=False)
        }
        areas = _areas(classifier, spectrogram, attribution, fields, on) if plan.curves else {}
        for number, mask in enumerate(plan.masks):
            values = dict.fromkeys(VALUES, float("nan")) | areas | found
            values |= {name: float(scores[name][number]) for name in (*METRICS, *PROBABILITIES)}
            for kind, others in beside.items():
                values |= {f"{name}_{kind}": float(others[name][number]) for name in RELATIVE}
            rows.append(({"on": on, "mask": mask}, values))
    return rows


def _areas(
    classifier: Classifier, spectrogram: Spectrogram, attribution: Attribution, fields: Sequence[Tensor], on: str
) -> dict[str, float]:
    """The areas under the curves of an attribution, and of the fields by their names."""
    result: dict[str, float] = {}
    for suffix, values in zip(("", *(f"_{kind}" for kind in BASELINES)), (attribution.values, *fields), strict=False):
        made = curves(classifier, spectrogram, attribution.target, values, on=on)
        result |= {f"deletion{suffix}": made.deletion_area, f"insertion{suffix}": made.insertion_area}
    return result
