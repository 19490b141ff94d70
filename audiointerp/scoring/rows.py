"""The rows of results: every score of one clip, by method, mask and ``on``."""

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ..dataset import LoadedClip, has_label
from ..errors import ModelError
from ..interpretation import (
    BASELINES,
    Attribution,
    Explainer,
    additivity_gap,
    explainer_batch,
    random_field,
    rearranged,
    surrogate_fit,
)
from ..metrics import METRICS, RELATIVE
from ..model import Classifier
from ..processing import Spectrogram
from ..util import one_line
from .curves import curves
from .explain import explain_clip
from .outcomes import Outcomes, classify_each_part
from .plan import Plan
from .protocols import RENAMED, ScoringProtocol

AREAS = ("deletion", "insertion")
PROBABILITIES = ("p", "p_in", "p_out", "log_odds", "log_odds_in", "log_odds_out")
BASELINE_VALUES = tuple(f"{name}_{kind}" for kind in BASELINES for name in (*RELATIVE, *AREAS))
VALUES = (*METRICS, *PROBABILITIES, *AREAS, "additivity_gap", "surrogate_r2", *BASELINE_VALUES)
"""The columns of scores; NaN where undefined."""
BATCHES = ("batch", "explainer_batch")
NUMBERS = frozenset((*VALUES, *BATCHES))
"""The columns of numbers; the others hold words, ``correct`` True, False or None."""
COLUMNS = (
    *("method", "clip", "recording", "target", "predicted", "explained", "correct"),
    *("protocol", "on", "mask"),
    *VALUES,
    *BATCHES,
    *("status", "stage", "error_type", "error"),
)
CORRECT = {"True": True, "False": False}
LONGEST_REASON = 500
"""The most characters of an error message in a row."""
PANDAS_VERSION = tuple(int(number) for number in pd.__version__.split(".")[:2])
EXACT_NUMBERS: dict[str, Any] = (
    {} if PANDAS_VERSION >= (3, 1) else {"float_precision": "round_trip"}
)
"""The option of ``read_csv`` that reads floats to the last bit; pandas 3.1 always does."""


@dataclass(frozen=True, eq=False)
class MethodRows:
    """The rows of one clip and one method.

    Attributes:
        method: the name of the method.
        rows: one per mask and ``on``, or a single one that describes the error.
        attribution: the attribution; None if there was an error.
        seconds: wall time; work shared by all methods of a clip counts for the first one.

    >>> result = MethodRows("gradcam", [{"method": "gradcam", "mask": "bin", "FF": 0.5}])
    >>> result.rows[0]["FF"], result.attribution
    (0.5, None)
    """

    method: str
    rows: list[dict[str, Any]]
    attribution: Attribution | None = None
    seconds: float = 0.0


def clip_rows(
    classifier: Classifier, loaded: LoadedClip, explainers: Sequence[Explainer], plan: Plan
) -> Iterator[MethodRows]:
    """Explain and score one clip, and yield each method's rows when they are ready.

    The spectrogram and the random masks' fields are computed once, before the first method. An
    exception raised for a clip or a method becomes a row with its message. The columns are
    :data:`COLUMNS`:

    - method, clip; recording: what the clip was cut from; target: the true label, or all of them,
      joined by "; "; predicted, explained: labels; correct: whether the prediction is one of the
      true labels; protocol, on, mask;
    - the scores in ``METRICS``; p, p_in, p_out and their log_odds; deletion, insertion: areas under
      the curves; additivity_gap: that of SHAP, the largest over the windows; surrogate_r2: that of
      LIME, the smallest over the windows; the scores of the baselines (``FF_pixelwise`` …);
    - batch, explainer_batch: versions of the clip per forward, fewer than planned only after
      out-of-memory;
    - status, ``ok`` or ``error`` (of the method, or of one mask whose parts give NaN); the stage of
      the error (``read``, ``explain`` or ``score``), its type and its message.

    Args:
        classifier: the classifier.
        loaded: the clip.
        explainers: the methods, built on the classifier's network.
        plan: what to score.

    >>> from audiointerp import Cnn6, LogMel, Saliency, Synthetic
    >>> from audiointerp.dataset import load_clip
    >>> clips = Synthetic((5,), sample_rate=32000, duration=3.0)
    >>> network = Cnn6(10, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), clips.labels, duration=3.0)
    >>> plan = Plan(["bin", "minmax"], baselines=False)
    >>> (result,) = clip_rows(classifier, load_clip(clips, 0), [Saliency(network)], plan)
    >>> [(row["mask"], row["status"]) for row in result.rows]
    [('bin', 'ok'), ('minmax', 'ok')]
    """
    start = time.perf_counter()
    clip_cells = {
        "clip": loaded.name,
        "recording": loaded.recording,
        "target": loaded.label,
        "protocol": plan.protocol,
    }
    spectrogram, fields, read_error = _analyse(classifier, loaded, plan)
    for explainer in explainers:
        cells = {"method": explainer.name, **clip_cells}
        if spectrogram is None:
            rows, attribution = [_row({**cells, **_failure("read", read_error)})], None
        else:
            rows, attribution = _method_rows(
                classifier, spectrogram, explainer, fields, plan, cells
            )
        yield MethodRows(explainer.name, rows, attribution, time.perf_counter() - start)
        # The time that the caller spends between two methods is not counted.
        start = time.perf_counter()


def _analyse(
    classifier: Classifier, loaded: LoadedClip, plan: Plan
) -> tuple[Spectrogram | None, list[Tensor], Exception | None]:
    """Return a clip's spectrogram and the fields of its random masks, or the error."""
    if loaded.wav is None:
        return None, [], loaded.error
    # A user's data set can give audio that no transform takes.
    try:
        spectrogram = classifier.transform(loaded.wav[None].to(classifier.device))
        kinds = BASELINES if plan.baselines else ()
        return spectrogram, [random_field(spectrogram.db, kind) for kind in kinds], None
    except Exception as error:
        return None, [], error


def _method_rows(
    classifier: Classifier,
    spectrogram: Spectrogram,
    explainer: Explainer,
    fields: Sequence[Tensor],
    plan: Plan,
    cells: Mapping[str, str],
) -> tuple[list[dict[str, Any]], Attribution | None]:
    """Explain and score a clip by one method; return its rows and its attribution."""
    stage = "explain"
    # Whatever a user's network, method or mask raises becomes a row, and the run continues.
    try:
        attribution = explain_clip(classifier, spectrogram, explainer)
        stage = "score"
        scored = _score(classifier, spectrogram, attribution, fields, plan)
    except Exception as error:
        return [_row({**cells, **_failure(stage, error)})], None
    # Here the explained class is the predicted one, since no target was given.
    predicted = classifier.labels[int(attribution.target)]
    outcome = {
        "predicted": predicted,
        "explained": predicted,
        "correct": has_label(cells["target"], predicted),
        "status": "ok",
    }
    return [_row({**cells, **outcome, **values}) for values in scored], attribution


def _row(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return all columns in order; missing numbers are NaN, missing words empty."""
    empty = {name: float("nan") if name in NUMBERS else "" for name in COLUMNS} | {"correct": None}
    return {name: cells.get(name, empty[name]) for name in COLUMNS}


def _failure(stage: str, error: Exception | None) -> dict[str, str]:
    """Return the cells of a row that describe an error."""
    message, error_type = one_line(error, LONGEST_REASON), type(error).__name__
    return {"status": "error", "stage": stage, "error_type": error_type, "error": message}


def _score(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    fields: Sequence[Tensor],
    plan: Plan,
) -> list[dict[str, Any]]:
    """Score one attribution; return the cells of a row per ``on`` and mask."""
    protocol, masks_by_name = plan.definitions, plan.mask_functions
    masks = torch.cat([make_mask(attribution.values) for make_mask in masks_by_name.values()])
    all_masks = torch.cat([masks, rearranged(masks, fields)])
    method_values = {
        "additivity_gap": additivity_gap(attribution),
        "surrogate_r2": surrogate_fit(attribution),
        "explainer_batch": explainer_batch(attribution),
    }
    rows: list[dict[str, Any]] = []
    for on in plan.on:
        outcomes = classify_each_part(classifier, spectrogram, attribution.target, all_masks, on=on)
        scores = outcomes.scores(masks, protocol.metrics)
        columns = {name: scores[name] for name in (*METRICS, *PROBABILITIES)}
        columns |= _baseline_scores(outcomes, all_masks, len(masks), protocol)
        values = method_values | {"batch": outcomes.batch}
        if plan.curves:
            values |= _curve_areas(classifier, spectrogram, attribution, fields, on)
        for number, mask_name in enumerate(masks_by_name):
            mask_values = {name: float(column[number]) for name, column in columns.items()}
            cells = _fault(outcomes, number, len(masks)) or values | mask_values
            rows.append({"on": on, "mask": mask_name, **cells})
    return rows


def _fault(outcomes: Outcomes, number: int, count: int) -> dict[str, Any]:
    """Return an error's cells if a mask, or a random one (these follow by kind), has no outcome."""
    names = ("", *(f" of its {kind} random mask" for kind in BASELINES))
    for name, place in zip(names, range(number, outcomes.probs.shape[1], count), strict=False):
        if fault := outcomes.fault(place):
            return _failure("score", ModelError(fault + name))
    return {}


def _baseline_scores(
    outcomes: Outcomes, all_masks: Tensor, count: int, protocol: ScoringProtocol
) -> dict[str, Tensor]:
    """Score the random masks, which follow the ``count`` masks of the attribution, by column."""
    # The other scores depend on the mask's values only, which are the same.
    metrics = {name: protocol.metrics[name] for name in RELATIVE}
    columns: dict[str, Tensor] = {}
    for kind, start in zip(BASELINES, range(count, len(all_masks), count), strict=False):
        scores = outcomes.scores(all_masks[start : start + count], metrics, start)
        columns |= {f"{name}_{kind}": scores[name] for name in RELATIVE}
    return columns


def _curve_areas(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    fields: Sequence[Tensor],
    on: str,
) -> dict[str, float]:
    """Compute the areas under the curves of an attribution and of the random fields, by column."""
    suffixes = ("", *(f"_{kind}" for kind in BASELINES))
    areas: dict[str, float] = {}
    for suffix, values in zip(suffixes, (attribution.values, *fields), strict=False):
        result = curves(classifier, spectrogram, attribution.target, values, on=on)
        areas[f"deletion{suffix}"] = result.deletion_area
        areas[f"insertion{suffix}"] = result.insertion_area
    return areas


def read_rows(source: Path | io.StringIO) -> pd.DataFrame:
    r"""Read rows from the CSV they were written to.

    Words are read as they are (a clip ``1001`` stays a word), numbers as floats that equal those
    written to the last bit, NaN where the cell is empty; ``correct`` is True, False or None. A
    protocol's old name becomes today's.

    Args:
        source: a file, or its text.

    Raises:
        ValueError: it is not such a table.

    >>> rows = read_rows(io.StringIO("clip,correct,FF\n1001,True,0.1\n"))
    >>> rows["clip"].tolist(), rows["correct"].tolist(), rows["FF"].tolist()
    (['1001'], [True], [0.1])
    """
    header = pd.read_csv(source, nrows=0).columns
    if isinstance(source, io.StringIO):
        source.seek(0)
    numbers = [name for name in header if name in NUMBERS]
    frame: pd.DataFrame = pd.read_csv(
        source,
        dtype={name: "str" for name in header if name not in NUMBERS},
        keep_default_na=False,
        na_values={name: [""] for name in numbers},
        **EXACT_NUMBERS,
    )
    # A column with a word in it is left as it is, so that the caller can name it.
    integers = frame[numbers].select_dtypes("int").columns
    frame[integers] = frame[integers].astype(float)
    if "correct" in frame:
        frame["correct"] = [CORRECT.get(word) for word in frame["correct"]]
    if "protocol" in frame:
        frame["protocol"] = frame["protocol"].replace(RENAMED)
    return frame
