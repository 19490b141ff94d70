"""Localisation: does a map lie where the explained source is? Rows of scores against the truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..dataset import ClipDataset, check_parts, load_clip
from ..errors import ArgumentError, choose
from ..interpretation import Explainer, Level, LevelAboveMedian, Random, is_constant
from ..model import Classifier
from ..util import Progress, is_number, one_line, show_progress
from .data import check_fits
from .explain import Method, build_explainers, check_classifier
from .imported import explain_named_clip
from .localisation_scores import LOCALISATION_SCORES, localisation_scores, undefined_reason
from .localisation_truth import AXES, WEIGHTS, Truth, compared, truth_of, weighted
from .localised_clip import MixedClip, mixed_clip

if TYPE_CHECKING:
    import pandas as pd

BASELINES = (Level, LevelAboveMedian, Random)
"""The methods that are in every table: they do not look at what the network does."""
LEAST_P = 0.3
"""A class is explained where the network gives it at least this p."""
LOCALISATION_COLUMNS = (
    *("method", "weight", "axis", "clip", "recording", "source_recording", "target"),
    *("predicted", "explained", "p", "ratio_db", "truth_share", "audible_share"),
    *LOCALISATION_SCORES,
    *("undefined", "status", "stage", "error_type", "error"),
)
LONGEST_REASON = 500


@dataclass(frozen=True)
class LocalisationPlan:
    """What is compared for each clip.

    Attributes:
        weights: names in :data:`WEIGHTS`.
        axis: a name in :data:`AXES`.
        min_p: classes with a smaller p are not explained.

    Raises:
        ArgumentError: a name is unknown, or ``min_p`` is not in [0, 1].

    >>> LocalisationPlan(axis="time").weights
    ('none', 'level')
    """

    weights: Sequence[str] = WEIGHTS
    axis: str = "bins"
    min_p: float = LEAST_P

    def __post_init__(self) -> None:
        if isinstance(self.weights, str) or not isinstance(self.weights, Sequence):
            raise ArgumentError(f"weights={self.weights!r}: a list, e.g. ['none', 'level']")
        if not self.weights:
            raise ArgumentError("weights: an empty list; give at least one, e.g. ['none']")
        for name in self.weights:
            choose("weight", name, WEIGHTS)
        choose("axis", self.axis, AXES)
        if not is_number(self.min_p) or not 0 <= self.min_p <= 1:
            raise ArgumentError(f"min_p={self.min_p!r}: a probability lies in [0, 1]")


def localise(
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[Method] | Mapping[str, Method],
    *,
    weights: Sequence[str] = WEIGHTS,
    axis: str = "bins",
    min_p: float = LEAST_P,
    background: Tensor | None = None,
    device: str | torch.device | None = None,
    progress: Progress = True,
) -> "pd.DataFrame":
    """Compare maps with where the explained source lies: one row per class, method and weight.

    The sources of each clip are known (:class:`~audiointerp.dataset.Mixtures`, ``Synthetic``). A
    bin is the explained source's where it is louder than the rest of the clip, and within 40 dB of
    its own largest level. The scores are those of
    :mod:`~audiointerp.scoring.localisation_scores`; ``contrast`` counts only bins where a source is
    audible, so that level alone does not help.

    ``level``, ``level_above_median`` and ``random`` are always among the methods: one that does not
    beat the level has explained nothing.

    Args:
        classifier: the classifier.
        dataset: clips with known sources.
        methods: as for :func:`~audiointerp.predict.score`; also
            :class:`~audiointerp.interpretation.MapsFolder`, the maps of others.
        weights: ``"none"``, the map as it is, and ``"level"``, its ranks weighted by the level
            of the clip, see :func:`~audiointerp.scoring.localisation_truth.weighted`.
        axis: ``"bins"``; ``"time"`` compares frames: maps are averaged over the bands.
        min_p: each class of a clip is explained where the network gives it at least this p.
        background: for methods that need one, features ``(B, 1, F, T)`` of training clips.
        device: where to compute; the classifier is moved there.
        progress: whether to show a progress bar; or a function of (clips done, total).

    Returns:
        Rows with :data:`LOCALISATION_COLUMNS`: recording: clips with the same one are not
        independent; source_recording: that of the explained source; ratio_db: its energy over that
        of the rest; undefined: why scores are NaN; status: ``ok``, ``error`` (with stage and
        reason), or ``skipped``, one row for a class with a p below ``min_p``.

    Raises:
        ArgumentError: a name is unknown, or the data set does not fit or does not know its sources.

    >>> from audiointerp import Cnn6, EvenSubset, LogMel, Synthetic
    >>> clips = EvenSubset(Synthetic((5,), sample_rate=32000, duration=3.0), 1)
    >>> network = Cnn6(10, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), clips.labels, duration=3.0)
    >>> rows = localise(classifier, clips, ["saliency"], min_p=0.0, progress=False)
    >>> rows["method"].unique().tolist()
    ['saliency', 'level', 'level_above_median', 'random']
    """
    import pandas as pd

    check_classifier(classifier)
    plan = LocalisationPlan(weights, axis, min_p)
    classifier.to(device)
    check_fits(classifier, dataset)
    check_parts(dataset)
    explainers = localised_methods(methods, classifier, background)
    rows: list[dict[str, Any]] = []
    with show_progress("localising", len(dataset), "clip", progress) as advance:
        for index in range(len(dataset)):
            rows += list(localised_rows(classifier, dataset, index, explainers, plan))
            advance(1)
    return pd.DataFrame(rows, columns=LOCALISATION_COLUMNS)


def localised_methods(
    methods: Sequence[Method] | Mapping[str, Method],
    classifier: Classifier,
    background: Tensor | None = None,
) -> list[Explainer]:
    """Build the methods, and the baselines that are not among them.

    Example: see :func:`localise`.
    """
    explainers = build_explainers(methods, classifier, background)
    names = {explainer.name for explainer in explainers}
    baselines = [kind(classifier.network) for kind in BASELINES if kind.name not in names]
    return [*explainers, *baselines]


def localised_rows(
    classifier: Classifier,
    dataset: ClipDataset,
    index: int,
    explainers: Sequence[Explainer],
    plan: LocalisationPlan,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one clip; an exception becomes a row with its message.

    Example: see :func:`localise`.
    """
    loaded = load_clip(dataset, index)
    cells = {
        "axis": plan.axis,
        "clip": loaded.name,
        "recording": loaded.recording,
        "target": loaded.label,
    }
    # A user's data set may raise anything, and give audio that no transform takes.
    try:
        mixed = mixed_clip(classifier, dataset, index, loaded)
    except Exception as error:
        for explainer in explainers:
            yield _row(cells, method=explainer.name, **_failure("read", error))
        return
    for source in mixed.sources:
        p = float(mixed.probs[source.target])
        of_source = {
            **cells,
            "source_recording": source.recording,
            "predicted": classifier.labels[int(mixed.probs.argmax())],
            "explained": classifier.labels[source.target],
            "p": p,
            "ratio_db": source.ratio_db,
        }
        if p < plan.min_p:
            reason = f"p {p:.3f} is below min_p {plan.min_p:g}"
            yield _row(of_source, status="skipped", stage="explain", error=reason)
            continue
        truth = truth_of(source.db, source.rest_db, plan.axis)
        for explainer in explainers:
            yield from _method_rows(
                classifier, mixed, explainer, source.target, truth, plan, of_source
            )


def _method_rows(
    classifier: Classifier,
    mixed: MixedClip,
    explainer: Explainer,
    target: int,
    truth: Truth,
    plan: LocalisationPlan,
    cells: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Explain one class by one method, and yield a row for each weight."""
    spectrogram = mixed.spectrogram
    named = {
        **cells,
        "method": explainer.name,
        "truth_share": float(truth.source.double().mean()),
        "audible_share": float(truth.audible.double().mean()),
    }
    # Whatever a user's network or method raises becomes a row, and the run continues.
    try:
        attribution = explain_named_clip(
            classifier, mixed.loaded.name, spectrogram, explainer, target
        )
    except Exception as error:
        yield _row(named, **_failure("explain", error))
        return
    for weight in plan.weights:
        # The ranks of the level, weighted by the level, have the order of the level.
        if weight == "level" and explainer.name == Level.name:
            continue
        values = compared(weighted(attribution.values, spectrogram.db, weight), plan.axis)
        if is_constant(attribution.values):
            # Weighted, it would get the scores of the level.
            values = torch.zeros_like(values)
        scores = localisation_scores(values, truth.source, truth.audible)
        reason = undefined_reason(values, truth.source, truth.audible)
        yield _row(named, weight=weight, **scores, undefined=reason, status="ok")


def _row(cells: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """Return a row with all columns in order; missing numbers are NaN, missing words empty."""
    known = {**cells, **others}
    numbers = ("p", "ratio_db", "truth_share", "audible_share", *LOCALISATION_SCORES)
    empty = {
        name: float("nan") if name in numbers else ""
        for name in LOCALISATION_COLUMNS
        if name not in known
    }
    return {name: {**empty, **known}[name] for name in LOCALISATION_COLUMNS}


def _failure(stage: str, error: Exception | None) -> dict[str, str]:
    message = one_line(error, LONGEST_REASON)
    return {
        "status": "error",
        "stage": stage,
        "error_type": type(error).__name__,
        "error": message,
    }
