"""The rows of results: every score of one clip, by method, mask and ``on``."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..dataset import LoadedClip, has_label
from ..errors import ArgumentError, ModelError
from ..interpretation import (
    Attribution,
    Explainer,
    explainer_batch,
)
from ..metrics import METRICS
from ..model import Classifier
from ..processing import Spectrogram
from ..util import one_line
from .columns import PROBABILITIES, attribution_cells, row_of
from .curves import curves
from .mask_scores import null_scores, own_scores, ties_of
from .nulls import null_maps, null_masks
from .outcomes import Outcomes, classify_each_part
from .plan import Plan
from .recent import AnalysedClip, RecentAttributions

LONGEST_REASON = 500
"""The most characters of an error message in a row."""


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
    classifier: Classifier,
    loaded: LoadedClip,
    explainers: Sequence[Explainer],
    plan: Plan,
    other: LoadedClip | None = None,
    attributions: RecentAttributions | None = None,
) -> Iterator[MethodRows]:
    """Explain and score one clip, and yield each method's rows when they are ready.

    An exception raised for a clip or a method becomes a row with its message. The columns are
    :data:`COLUMNS`, and those of ``plan.metrics``:

    - method, clip; recording: what the clip was cut from; target: the true label, or all of them,
      joined by "; "; predicted, explained: labels; correct: whether the prediction is one of the
      true labels; protocol, on, mask;
    - layer: that of a class activation map; cell_hz, cell_s: the mean size of its cells; constant:
      whether the attribution is constant up to rounding, so that its masks mean nothing; tie_share:
      the share of a top-k mask that only the order of equal entries decides;
    - the scores in ``METRICS``; p, p_in, p_out and their log_odds; deletion, insertion: areas under
      the curves; additivity_gap: of SHAP, the largest over the windows; surrogate_r2: of LIME, the
      smallest; the scores of the nulls (``FF_pixelwise`` …);
    - batch, explainer_batch: versions of the clip per forward, fewer than planned only after
      out-of-memory;
    - status, ``ok`` or ``error`` (of the method, or of one mask whose parts give NaN); the error's
      stage (``read``, ``explain`` or ``score``), its type and its message.

    Args:
        classifier: the classifier.
        loaded: the clip.
        explainers: the methods, built on the classifier's network.
        plan: what to score.
        other: the clip of the null ``"other"``. Its columns are NaN without such a clip, and where
            it cannot be explained.
        attributions: those of recent clips by this classifier and these explainers, to which the
            clip's and the other clip's are added.

    >>> from audiointerp import Cnn6, LogMel, Saliency, Synthetic
    >>> from audiointerp.dataset import load_clip
    >>> clips = Synthetic((5,), sample_rate=32000, duration=3.0)
    >>> network = Cnn6(10, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), clips.labels, duration=3.0)
    >>> plan = Plan(["bin", "minmax"], nulls=[])
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
    clip, read_error = _analyse(classifier, loaded)
    other_clip = _analyse(classifier, other)[0] if other and "other" in plan.nulls else None
    scorer = _Scorer(classifier, plan, other_clip, attributions or RecentAttributions())
    for explainer in explainers:
        cells = {"method": explainer.name, **clip_cells}
        if clip is None:
            rows, attribution = [row_of({**cells, **_failure("read", read_error)})], None
        else:
            rows, attribution = _method_rows(scorer, clip, explainer, cells)
        yield MethodRows(explainer.name, rows, attribution, time.perf_counter() - start)
        # The time that the caller spends between two methods is not counted.
        start = time.perf_counter()


def _analyse(
    classifier: Classifier, loaded: LoadedClip
) -> tuple[AnalysedClip | None, Exception | None]:
    """Return a clip with its spectrogram, or the error."""
    if loaded.wav is None:
        return None, loaded.error
    # A user's data set can give audio that no transform takes.
    try:
        spectrogram = classifier.transform(loaded.wav[None].to(classifier.device))
        return AnalysedClip(loaded, spectrogram), None
    except Exception as error:
        return None, error


@dataclass(frozen=True, eq=False)
class _Scorer:
    """What explains and scores the clip: the same for all methods."""

    classifier: Classifier
    plan: Plan
    other: AnalysedClip | None
    attributions: RecentAttributions

    def explain(
        self, clip: AnalysedClip, explainer: Explainer, target: int | None = None
    ) -> Attribution:
        return self.attributions.explain(self.classifier, clip, explainer, target)

    def targets(self, clip: AnalysedClip) -> list[int | None]:
        """Return the classes to explain; None for the predicted one."""
        if self.plan.target == "predicted":
            return [None]
        labels = clip.loaded.labels
        if not labels or (self.plan.target == "label" and len(labels) > 1):
            raise ArgumentError(
                f"target={self.plan.target!r}: the clip has {len(labels)} labels; give "
                f"target='present' to explain each one, or target='predicted'"
            )
        return [self.classifier.target(label) for label in labels]

    def other_values(self, explainer: Explainer) -> Tensor | None:
        """Return the other clip's attribution ``(1, 1, F, T)``; None if there is none."""
        if self.other is None:
            return None
        # Why it cannot be explained stands in that clip's own row.
        try:
            return self.explain(self.other, explainer, self.targets(self.other)[0]).values
        except Exception:
            return None


def _method_rows(
    scorer: _Scorer, clip: AnalysedClip, explainer: Explainer, cells: Mapping[str, str]
) -> tuple[list[dict[str, Any]], Attribution | None]:
    """Explain and score a clip by one method; return its rows and its attribution."""
    rows: list[dict[str, Any]] = []
    attributions: list[Attribution] = []
    stage = "explain"
    # Whatever a user's network, method or mask raises becomes a row, and the run continues.
    try:
        for target in scorer.targets(clip):
            stage = "explain"
            attributions.append(scorer.explain(clip, explainer, target))
            stage = "score"
            outcome = {**cells, **_outcome(scorer.classifier, attributions[-1], cells["target"])}
            other_values = scorer.other_values(explainer)
            scored = _score(scorer, clip.spectrogram, attributions[-1], other_values)
            rows += [row_of({**outcome, **values}) for values in scored]
    except Exception as error:
        return [row_of({**cells, **_failure(stage, error)})], None
    return rows, attributions[0]


def _outcome(classifier: Classifier, attribution: Attribution, target: str) -> dict[str, Any]:
    """Return the cells of the decision."""
    predicted = classifier.labels[int(attribution.probs.argmax())]
    return {
        "predicted": predicted,
        "explained": classifier.labels[int(attribution.target)],
        "correct": has_label(target, predicted),
        "status": "ok",
    }


def _failure(stage: str, error: Exception | None) -> dict[str, str]:
    """Return the cells of a row that describe an error."""
    message, error_type = one_line(error, LONGEST_REASON), type(error).__name__
    return {"status": "error", "stage": stage, "error_type": error_type, "error": message}


def _score(
    scorer: _Scorer,
    spectrogram: Spectrogram,
    attribution: Attribution,
    other_values: Tensor | None,
) -> list[dict[str, Any]]:
    """Score one attribution; return the cells of a row per ``on`` and mask."""
    classifier, plan = scorer.classifier, scorer.plan
    db, values, method = spectrogram.db, attribution.values, attribution.method
    functions = plan.mask_functions
    masks_by_name = {name: make_mask(values) for name, make_mask in functions.items()}
    masks = torch.cat(list(masks_by_name.values()))
    nulls = null_masks(plan.nulls, db, method, masks_by_name, functions, other_values)
    all_masks = torch.cat([masks, *nulls.values()])
    method_cells = attribution_cells(attribution)
    method_cells["explainer_batch"] = explainer_batch(attribution)
    ties = {name: ties_of(make_mask, values) for name, make_mask in functions.items()}
    maps = null_maps(plan.nulls, db, method, values, other_values) if plan.curves else {}
    rows: list[dict[str, Any]] = []
    for on in plan.on:
        outcomes = classify_each_part(classifier, spectrogram, attribution.target, all_masks, on=on)
        scores = outcomes.scores(masks, plan.definitions.metrics)
        columns = {name: scores[name] for name in (*METRICS, *PROBABILITIES)}
        columns |= null_scores(outcomes, nulls, plan.definitions)
        columns |= own_scores(outcomes, masks, plan)
        on_cells: dict[str, Any] = {"batch": outcomes.batch}
        if plan.curves:
            on_cells |= _curve_areas(classifier, spectrogram, attribution, maps, on)
        for number, mask_name in enumerate(masks_by_name):
            mask_cells = {name: float(column[number]) for name, column in columns.items()}
            mask_cells["tie_share"] = ties[mask_name]
            cells = _fault(outcomes, number, list(nulls)) or method_cells | on_cells | mask_cells
            rows.append({"on": on, "mask": mask_name, **cells})
    return rows


def _curve_areas(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    maps: Mapping[str, Tensor],
    on: str,
) -> dict[str, float]:
    """Compute the areas under the curves of an attribution and of the nulls, by column."""
    areas: dict[str, float] = {}
    for null, values in {"": attribution.values, **maps}.items():
        suffix = null and f"_{null}"
        result = curves(classifier, spectrogram, attribution.target, values, on=on)
        areas[f"deletion{suffix}"] = result.deletion_area
        areas[f"insertion{suffix}"] = result.insertion_area
    return areas


def _fault(outcomes: Outcomes, number: int, nulls: Sequence[str]) -> dict[str, Any]:
    """Return an error's cells if a mask or one of its nulls, which follow, has no outcome."""
    names = ["", *(f" of its null {null}" for null in nulls)]
    count = outcomes.probs.shape[1] // len(names)
    for place, name in enumerate(names):
        if fault := outcomes.fault(place * count + number):
            return _failure("score", ModelError(fault + name))
    return {}
