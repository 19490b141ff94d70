"""The rows of results: every score of one clip, by method, mask, and what was scored."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from .curves import curves
from .dataset import ClipDataset
from .errors import ArgumentError, choose
from .explain import ON, additivity_gap, explain, explainer_batch, outcomes, surrogate_fit
from .files import encodable
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
"""The columns that hold scores; NaN where undefined."""
BATCHES = ("batch", "explainer_batch")
NUMBERS = frozenset((*VALUES, *BATCHES))
COLUMNS = (
    "method", "clip", "target", "predicted", "explained", "correct", "protocol", "on", "mask", *VALUES, *BATCHES,
    "status", "stage", "error_type", "error",
)  # fmt: skip
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


@dataclass(frozen=True, eq=False)
class Heard:
    """A clip as it was heard once: what its rows are made of.

    Attributes:
        name: in results.
        wav: ``(1, L)``; None if it cannot be read.
        label: the true one; "" if the clip cannot be read.
        sha256: of name, label and samples; of the error where there are none.
        error: why it cannot be read.
    """

    name: str
    wav: Tensor | None
    label: str
    sha256: str
    error: Exception | None = None


def hear(dataset: ClipDataset, index: int) -> Heard:
    """A clip of a data set; what it raises is kept, since the run goes on."""
    name = encodable(dataset.clip_id(index))
    try:
        wav, target = dataset[index]
        label = dataset.labels[target]
        content = wav.contiguous().numpy().tobytes()
    except Exception as error:  # whatever a data set of one's own raises
        return Heard(name, None, "", _sha256(f"{name}\n{error}"), error)
    return Heard(name, wav, label, _sha256(f"{name}\n{label}\n", content))


def _sha256(text: str, content: bytes = b"") -> str:
    return hashlib.sha256(encodable(text).encode() + content).hexdigest()


@dataclass(frozen=True, eq=False)
class MethodRows:
    """What came of one clip and one method.

    Attributes:
        method: its name.
        rows: one per mask and ``on``; or a single one that tells the error.
        attribution: None if there was an error.
    """

    method: str
    rows: list[dict[str, Any]]
    attribution: Attribution | None = None


def clip_rows(
    classifier: Classifier, heard: Heard, explainers: Sequence[Explainer], plan: Plan
) -> Iterator[MethodRows]:
    """The rows of one clip, method by method as they are made; the columns are :data:`COLUMNS`.

    - method, clip; target: the true label; predicted, explained: labels; correct; protocol, on, mask;
    - the scores of ``METRICS``; p, p_in, p_out and the same as log_odds; the areas under deletion and insertion;
      additivity_gap (SHAP's, the largest over the windows), surrogate_r2 (LIME's, the smallest); the scores of the
      baselines (``FF_pixelwise`` …);
    - batch, explainer_batch: how much went through the network at once, less than planned only where memory was short;
    - status, ``ok`` or ``error``; the stage of the error (``read``, ``explain`` or ``score``), its type and its message.
    """
    head = {"clip": heard.name, "target": heard.label, "protocol": plan.protocol}
    spectrogram, fields, unread = None, [], heard.error
    if heard.wav is not None:
        try:
            spectrogram = classifier.transform(heard.wav[None].to(classifier.device))
            fields = [random_field(spectrogram.db, kind) for kind in BASELINES] if plan.baselines else []
        except Exception as error:  # a sound of a data set of one's own that no transform takes
            unread = error
    for explainer in explainers:
        if spectrogram is None:
            yield _failed(explainer, head, "read", unread)
            continue
        stage = "explain"
        try:
            attribution = explain(classifier, spectrogram, explainer)
            stage = "score"
            scored = _scored(classifier, spectrogram, attribution, fields, plan)
        except (
            Exception
        ) as error:  # whatever a network or a method of one's own raises: it is a row, and the run goes on
            yield _failed(explainer, head, stage, error)
            continue
        predicted = classifier.labels[int(attribution.target)]  # which is what is explained
        verdict = {"predicted": predicted, "explained": predicted, "correct": predicted == heard.label}
        common = {"method": explainer.name, **head, **verdict, "status": "ok"}
        yield MethodRows(explainer.name, [_row(common | names | values) for names, values in scored], attribution)


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    """All columns in their order; numbers that are not given are NaN, words empty."""
    return {name: values.get(name, float("nan") if name in NUMBERS else "") for name in COLUMNS}


def _failed(explainer: Explainer, head: Mapping[str, Any], stage: str, error: Exception | None) -> MethodRows:
    reason = encodable(" ".join(str(error).split()))[:LONGEST_REASON]
    told = {"status": "error", "stage": stage, "error_type": type(error).__name__, "error": reason}
    return MethodRows(explainer.name, [_row({"method": explainer.name, **head, **told})])


def read_rows(source: Path | io.StringIO) -> pd.DataFrame:
    """Rows from the CSV that they were written to, every number as it was.

    Raises:
        ValueError: it is no such table.
    """
    frame = pd.read_csv(source, keep_default_na=False, na_values={name: [""] for name in NUMBERS})
    if "correct" in frame:
        frame["correct"] = frame["correct"].map({True: True, False: False, "True": True, "False": False})
    return frame


def _scored(
    classifier: Classifier, spectrogram: Spectrogram, attribution: Attribution, fields: Sequence[Tensor], plan: Plan
) -> list[tuple[dict[str, str], dict[str, float]]]:
    """The names and the values of each row of one attribution."""
    protocol = protocol_of(plan.protocol)
    masks = torch.cat([protocol.masks[name](attribution.values) for name in plan.masks])
    arranged = torch.cat([masks, rearranged(masks, fields)])
    found = {
        "additivity_gap": additivity_gap(attribution),
        "surrogate_r2": surrogate_fit(attribution),
        "explainer_batch": explainer_batch(attribution),
    }
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
            values = areas | found | {"batch": heard.batch}
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
