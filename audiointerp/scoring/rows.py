"""The rows of results: every score of one clip, by method, ``fill``, ``on`` and mask."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..dataset import LoadedClip, has_label
from ..errors import ArgumentError
from ..interpretation import Attribution, Explainer
from ..model import Classifier
from .attribution_rows import attribution_rows, failure_cells
from .columns import row_of
from .part_outputs import ClipParts
from .plan import Plan
from .recent import AnalysedClip, RecentAttributions

AGREEMENT = 1e-5
"""The largest difference between a clean clip's probabilities by the network and by its copy."""


@dataclass(frozen=True, eq=False)
class MethodRows:
    """The rows of one clip and one method.

    Attributes:
        method: the name of the method.
        rows: one per ``fill``, ``on`` and mask, or a single one that describes the error.
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
      true labels; protocol, on, fill, mask;
    - layer: that of a class activation map; cell_hz, cell_s: the mean size of its cells; constant:
      whether the attribution is constant up to rounding, so that its masks mean nothing; tie_share:
      the share of a top-k mask that only the order of equal entries decides;
    - the scores in ``METRICS``; p, p_in, p_out and their log_odds; deletion, insertion: areas under
      the curves; additivity_gap: of SHAP, the largest over the windows; surrogate_r2: of LIME, the
      smallest; the scores of the nulls (``FF_pixelwise`` …);
    - optimize: how the network was made faster, a name in ``OPTIMIZATIONS``;
    - batch, explainer_batch: versions of the clip that are made at a time, fewer than planned only
      after out-of-memory;
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
    attributions = attributions or RecentAttributions()
    parts = None if clip is None else _parts_of(classifier, clip, attributions, plan)
    fast = classifier if parts is None else parts.classifier
    clip_cells["optimize"] = "none" if fast is classifier else plan.optimize
    scorer = _Scorer(classifier, fast, plan, other_clip, attributions)
    for explainer in explainers:
        cells = {"method": explainer.name, **clip_cells}
        if clip is None or parts is None:
            rows, attribution = [row_of({**cells, **failure_cells("read", read_error)})], None
        else:
            rows, attribution = _method_rows(scorer, clip, parts, explainer, cells)
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


def _parts_of(
    classifier: Classifier, clip: AnalysedClip, attributions: RecentAttributions, plan: Plan
) -> ClipParts:
    """Return what classifies the parts of a clip, for all methods.

    The fast copy of the network is used if both give the clip the same probabilities.
    """
    plain = ClipParts(classifier, clip.spectrogram, plan.reference)
    # Whatever a user's network raises here, it raises again in the row of a method.
    try:
        copy = attributions.fast(classifier, plan.optimize)
        if copy is classifier:
            return plain
        fast = ClipParts(copy, clip.spectrogram, plan.reference)
        probs, of_copy = (parts.clean("features").log_p.exp() for parts in (plain, fast))
        return fast if (probs - of_copy).abs().max() <= AGREEMENT else plain
    except Exception:
        return plain


@dataclass(frozen=True, eq=False)
class _Scorer:
    """What explains and scores the clip: the same for all methods.

    ``fast`` has a faster copy of the classifier's network, for what needs no layers.
    """

    classifier: Classifier
    fast: Classifier
    plan: Plan
    other: AnalysedClip | None
    attributions: RecentAttributions

    def explain(
        self, clip: AnalysedClip, explainer: Explainer, target: int | None = None
    ) -> Attribution:
        classifier = self.fast if explainer.takes_copies() else self.classifier
        return self.attributions.explain(classifier, clip, explainer, target)

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
    scorer: _Scorer,
    clip: AnalysedClip,
    parts: ClipParts,
    explainer: Explainer,
    cells: Mapping[str, str],
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
            scored = attribution_rows(parts, scorer.plan, attributions[-1], other_values)
            rows += [row_of({**outcome, **values}) for values in scored]
    except Exception as error:
        return [row_of({**cells, **failure_cells(stage, error)})], None
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
