"""The sanity checks by name, with the figures that pass, and the rows of a data set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..dataset import ClipDataset, LoadedClip, load_clip
from ..errors import ArgumentError, AudioInterpError
from ..interpretation import Explainer
from ..model import Classifier
from ..util import Progress, one_line, show_progress
from .data import check_fits
from .explain import Method, build_explainer, check_classifier, explain_clip
from .randomisation import STAGES, Stage, cascade
from .sanity_checks import (
    batch_difference,
    class_correlation,
    network_agreement,
    rank_correlation,
    repeat_difference,
    shift_correlation,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SanityCheck:
    """A check: what its figure must be.

    Attributes:
        title: the heading of its column.
        least, most: the figures that pass.
        is_difference: the figure is the largest difference over the clips, not a mean correlation.

    >>> CHECKS["shift"].verdict(0.95, 0.99), CHECKS["shift"].verdict(0.85, 0.99)
    ('passes', 'unclear')
    """

    title: str
    least: float = -np.inf
    most: float = np.inf
    is_difference: bool = False

    def verdict(self, low: float, high: float) -> str:
        """Return what follows from the ends of the figure's interval, equal if it has none.

        ``"passes"`` if the whole interval passes, ``"fails"`` if no figure of it does.
        """
        if self.least <= low and high <= self.most:
            return "passes"
        return "fails" if low > self.most or high < self.least else "unclear"


CHECKS: dict[str, SanityCheck] = {
    "randomisation": SanityCheck("random weights, ρ", least=-0.1, most=0.1),
    "randomisation_magnitudes": SanityCheck("random weights, ρ of |values|", least=-0.1, most=0.1),
    "determinism": SanityCheck("two calls", most=1e-6, is_difference=True),
    "batch": SanityCheck("alone or in a batch", most=1e-3, is_difference=True),
    "shift": SanityCheck("clip shifted, ρ", least=0.9),
    "class": SanityCheck("second class, ρ", most=0.5),
    "networks": SanityCheck("other networks, ρ", least=0.5),
}
"""The checks by name.

The bounds are chosen: two calls and two batches may differ by rounding, ρ = 0.1 is a hundredth of
the variance of the ranks, 0.5 a quarter of it.
"""
SANITY_COLUMNS = ("method", "check", "clip", "recording", "layer", "share", "figure", "reason")


def sanity(
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[Method],
    *,
    others: Sequence[Classifier] = (),
    background: Tensor | None = None,
    stages: int = STAGES,
    seed: int = 0,
    progress: Progress = True,
) -> "pd.DataFrame":
    """Check methods on the clips of a data set; the predicted class of each is explained.

    Args:
        classifier: the classifier.
        dataset: the clips.
        methods: names in ``METHODS``, explainer classes, or explainers; their names must differ.
        others: classifiers of other seeds, for the agreement between networks.
        background: for methods that need one, features ``(B, 1, F, T)`` of training clips.
        stages: of the randomisation, see :func:`~audiointerp.scoring.cascade`.
        seed: of the random weights; each clip gets other weights.
        progress: whether to show a progress bar.

    Returns:
        A row per method, check and clip, of the randomisation also per stage; the columns are
        ``SANITY_COLUMNS``. ``share`` is the share of the layers that are re-initialised and
        ``layer`` the last one. A check that cannot be done has a NaN figure and a ``reason``; if
        that holds for all clips, one row without a clip.

    Raises:
        ArgumentError: there is no method or two have the same name, or the data set does not fit
            the classifier.

    >>> from audiointerp import Cnn6, EvenSubset, LogMel, Synthetic
    >>> clips = EvenSubset(Synthetic((5,), sample_rate=32000, duration=3.0), 1)
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), clips.labels, duration=3.0)
    >>> rows = sanity(classifier, clips, ["random"], progress=False)
    >>> float(rows.set_index("check").loc["class", "figure"])
    1.0
    """
    import pandas as pd

    check_classifier(classifier)
    check_fits(classifier, dataset)
    if isinstance(methods, str) or not methods:
        raise ArgumentError(f"methods: a list of at least one, e.g. ['gradcam'], not {methods!r}")
    names = [_name_of(method) for method in methods]
    if len(set(names)) < len(names):
        raise ArgumentError(f"two methods have the same name ({', '.join(names)}); rename one")
    rows: list[dict[str, Any]] = []
    explainers: list[Explainer] = []
    for method in methods:
        try:
            explainers.append(build_explainer(method, classifier, background))
        except AudioInterpError as error:
            rows += _not_done(_name_of(method), list(CHECKS), one_line(error))
    if not others:
        reason = "one network was given: give others of other seeds"
        for explainer in explainers:
            rows += _not_done(explainer.name, ["networks"], reason)
    with show_progress("checking", len(dataset), "clip", progress) as advance:
        for number in range(len(dataset)):
            loaded = load_clip(dataset, number)
            for explainer in explainers:
                rows += _clip_rows(classifier, others, loaded, explainer, stages, seed + number)
            advance(1)
    rows.sort(key=lambda row: names.index(row["method"]))
    frame = pd.DataFrame(rows, columns=list(SANITY_COLUMNS))
    texts = ["clip", "recording", "layer"]
    return frame.fillna(dict.fromkeys(texts, ""))


def _name_of(method: Method) -> str:
    return method if isinstance(method, str) else method.name


def _not_done(
    method: str, checks: Iterable[str], reason: str, place: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    cells = {"figure": np.nan, "reason": reason, **(place or {})}
    return [{"method": method, "check": check, **cells} for check in checks]


def _clip_rows(
    classifier: Classifier,
    others: Sequence[Classifier],
    loaded: LoadedClip,
    explainer: Explainer,
    stages: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Return the rows of one clip and one method."""
    checks = [name for name in CHECKS if others or name != "networks"]
    place = {"clip": loaded.name, "recording": loaded.recording}
    if loaded.wav is None:
        return _not_done(explainer.name, checks, one_line(loaded.error or "unreadable"), place)
    wav = loaded.wav[None]
    # Whatever a user's network or method raises is the reason in the table, and the rest is done.
    try:
        spectrogram = classifier.transform(wav.to(classifier.device))
        attribution = explain_clip(classifier, spectrogram, explainer)
    except Exception as error:
        return _not_done(explainer.name, checks, one_line(error), place)
    target, values = int(attribution.target), attribution.values
    second = int(attribution.probs[0].argsort(descending=True)[1])
    asked = (classifier, spectrogram, explainer, target)
    of_sound = (classifier, wav, explainer, target, values)
    calls: dict[str, Callable[[], float]] = {
        "determinism": partial(repeat_difference, *asked),
        "batch": partial(batch_difference, *asked),
        "shift": partial(shift_correlation, *of_sound),
        "class": partial(class_correlation, classifier, spectrogram, explainer, second, values),
        "networks": partial(network_agreement, [classifier, *others], *of_sound[1:]),
    }
    rows = _cascade_rows(
        partial(cascade, *asked, stages=stages, seed=seed), explainer, values, place
    )
    for name in checks:
        if name in calls:
            rows += _check_rows(name, calls[name], explainer, place)
    return rows


def _cascade_rows(
    compute: Callable[[], list[Stage]],
    explainer: Explainer,
    values: Tensor,
    place: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return two rows per stage: of the values as they are, and of their magnitudes."""
    names = ("randomisation", "randomisation_magnitudes")
    try:
        stages = compute()
    except Exception as error:
        return _not_done(explainer.name, names, one_line(error), place)
    rows = []
    for stage in stages:
        signed = rank_correlation(values, stage.values)
        magnitudes = rank_correlation(values.abs(), stage.values.abs())
        for name, figure in zip(names, (signed, magnitudes), strict=True):
            cells = {"layer": stage.layer, "share": stage.share, "figure": figure, "reason": ""}
            rows.append({"method": explainer.name, "check": name, **cells, **place})
    return rows


def _check_rows(
    name: str, compute: Callable[[], float], explainer: Explainer, place: Mapping[str, str]
) -> list[dict[str, Any]]:
    try:
        figure = compute()
    except Exception as error:
        return _not_done(explainer.name, [name], one_line(error), place)
    return [{"method": explainer.name, "check": name, "figure": figure, "reason": "", **place}]
