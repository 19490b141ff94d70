"""Explain, listen to and score a clip in one call; score a whole data set."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .errors import ArgumentError
from .interpretation import NULLS, AnyMask, Explainer
from .metrics import Metric, Scored
from .model import Classifier
from .scoring import (
    COMPARED,
    WINDOWS,
    ExplainedClip,
    Method,
    OutOfDistribution,
    Plan,
    RecentAttributions,
    RecentClips,
    build_explainers,
    check_classifier,
    clip_rows,
    dataset_of,
    explained_clip,
    fills_of,
    nulls_of,
    own_metrics,
    protocol_of,
    scored_on,
    warn_of_silent_clips,
)
from .util import Progress, show_progress

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .experiments import Engine


class Interpretation(ExplainedClip):
    """An explained clip; as the last value of a notebook cell it shows a picture with players.

    Its attributes are those of :class:`~audiointerp.scoring.explained.ExplainedClip`.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> result = interpret(classifier, torch.randn(1, 1, 32000), target="dog", against="cat")
    >>> result.question, result.mask_name
    ('dog rather than cat', 'topK_30')
    """

    def _repr_html_(self) -> str:
        from .display import interpretation_html

        return interpretation_html(self)

    def plot(self, figure: "Figure | None" = None) -> "Figure":
        """Draw the clip, its attribution, the kept and the removed part.

        >>> from audiointerp import Cnn6, LogMel
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> len(interpret(classifier, torch.randn(32000)).plot().axes) > 2
        True
        """
        from .display import interpretation

        return interpretation(self, figure)

    def save(self, folder: str | os.PathLike[str], title: str | None = None) -> None:
        """Write the three sounds, a picture, a page with players and the scores into a folder.

        Args:
            folder: is made if it is missing.
            title: of the page; by default the name of the clip's file.

        Raises:
            AudioInterpError: a file cannot be written.

        >>> import tempfile
        >>> from audiointerp import Cnn6, LogMel
        >>> network = Cnn6(2, base_channels=4)
        >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     interpret(classifier, torch.randn(32000)).save(folder)
        ...     "kept.wav" in os.listdir(folder)
        True
        """
        from .display import write_interpretation

        write_interpretation(self, folder, title or self.clip or "explanation")


def interpret(
    classifier: Classifier,
    audio: Any,
    method: Method = "gradcam",
    mask: AnyMask = "topK_30",
    *,
    target: str | int | None = None,
    against: str | int | None = None,
    background: Tensor | None = None,
    windows: str = WINDOWS[0],
    inversion: str = "gain",
    protocol: str = "corrected",
    on: str | None = None,
    fill: str = "silence",
    compared: int = COMPARED,
    device: str | torch.device | None = None,
) -> Interpretation:
    """Explain one clip and make the explanation audible.

    ``scores`` are those of what ``on`` says; ``heard`` has p of the sounds, whatever it says.

    Args:
        classifier: the classifier whose decision is explained.
        audio: one clip: the path of a sound file, a pair (samples, rate), or another recording that
            :func:`~audiointerp.dataset.as_clip` takes, normalised as the classifier's clips are; or
            a tensor or array ``(L,)``, ``(1, L)`` or ``(1, 1, L)`` at its rate, taken as it is.
        method: a name in ``METHODS``, an explainer class, or an explainer.
        mask: a name in ``MASKS``, also with another percentage, e.g. ``"topK_20"``; the share of
            the bins to keep, e.g. 0.2; a mask itself, a tensor ``(F, T)`` in [0, 1]; or a function
            from values ``(N, 1, F, T)`` to a mask of that shape in [0, 1].
        target: the label to explain, by name or number; the predicted one if None. In a name, case,
            spaces and underscores make no difference where one label alone fits.
        against: another label, to explain why it is the target rather than this one. p is then the
            probability of the target, given that it is one of the two.
        background: for SHAP, features ``(B, 1, F, T)`` of windows of the classifier's length.
        windows: what is explained of a clip more than a tenth longer than the classifier's windows:
            ``"strongest"``, the window with the largest p, as a clip of its own, normalised by
            itself (``limits`` says which it is); or ``"all"``, by the mean p of the windows.
        inversion: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.to_wav`.
        protocol: the definitions of the mask and the scores, a name in ``PROTOCOLS``, and how a
            soft mask is heard: a share of the level in dB, or of the power as published.
        on: what is scored, ``"features"`` or ``"audio"``; see
            :func:`~audiointerp.scoring.outcomes.classify_parts`. By default ``"features"``, and
            ``"audio"`` of a classifier that takes sounds.
        fill: what the bins become, in the scores and the sounds, that a part lacks: ``"silence"``,
            ``"background"`` or another name in :data:`~audiointerp.util.fills.FILLS`.
        compared: the number of random masks that the verdict compares with; 0 for none.
        device: where to compute; the classifier is moved there.

    Raises:
        ArgumentError: a name is unknown, or ``audio`` is not one finite mono clip.
        AudioError: the sound file cannot be read.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> result = interpret(classifier, torch.randn(1, 1, 32000), "saliency", "bin")
    >>> result.kept.shape, sorted(result.scores)[:4]
    (torch.Size([1, 1, 32000]), ['AD', 'AG', 'AI', 'AREA'])
    """
    return explained_clip(
        classifier,
        audio,
        method,
        mask,
        target=target,
        against=against,
        background=background,
        windows=windows,
        inversion=inversion,
        protocol=protocol,
        on=on,
        fill=fill,
        compared=compared,
        device=device,
        record=Interpretation,
    )


def score(
    classifier: Classifier,
    dataset: Any,
    methods: Sequence[Method] | Mapping[str, Method],
    masks: Sequence[AnyMask] | None = None,
    *,
    on: str | Sequence[str] | None = None,
    fill: str | Sequence[str] | None = None,
    protocol: str = "corrected",
    nulls: Sequence[str] = NULLS,
    curves: bool = False,
    target: str = "predicted",
    metrics: Mapping[str, Metric | Callable[[Scored], Tensor]] | None = None,
    background: Tensor | None = None,
    reference: OutOfDistribution | None = None,
    optimize: str = "folded",
    device: str | torch.device | None = None,
    progress: Progress = True,
    engine: "Engine | None" = None,
    baselines: bool | None = None,
) -> "pd.DataFrame":
    """Score methods and masks on a data set: one row per clip, method, fill, ``on`` and mask.

    A clip that cannot be read or explained has one row per method, with ``status`` "error" and the
    reason; its scores are NaN. A clip longer than the classifier's windows is explained as a whole,
    by the mean p of its windows, since its label is that of the whole.
    :func:`~audiointerp.scoring.rows.clip_rows` describes the columns.

    Args:
        classifier: the classifier.
        dataset: the clips, whose predicted classes are explained: a data set, or what
            :func:`~audiointerp.dataset.as_dataset` takes, e.g. a folder with a subfolder per class,
            a table, or a list of pairs (sound, label).
        methods: names in ``METHODS``, explainer classes, or explainers, whose names must differ; or
            these by a name of your own, e.g. Grad-CAM of several layers.
        masks: as for :func:`interpret`, a tensor needs clips of its shape; by default all that the
            protocol defines.
        on: ``"features"``, ``"audio"`` (classify the audio that a listener hears), or a list of
            both; by default ``"audio"``, and ``"features"`` under the published protocol.
        fill: what removed bins become, a name or names in :data:`~audiointerp.util.fills.FILLS`;
            by default ``"background"``, and ``"silence"`` under the published protocol, which has
            no other. docs/fills.md compares them.
        protocol: the definitions of masks and scores, a name in ``PROTOCOLS``.
        nulls: names in ``NULLS``, what each mask is compared with, or an empty list; see
            :mod:`~audiointerp.interpretation.nulls`. ``"other"`` is NaN without another recording,
            and for a mask that is given.
        curves: whether to compute the areas under the deletion and insertion curves.
        target: the explained class: ``"predicted"``, the ``"label"``, or each ``"present"`` one.
        metrics: scores of your own by column: a :class:`~audiointerp.metrics.Metric`, or a function
            from :class:`~audiointerp.metrics.Scored` to ``(M,)``, one value per mask.
        background: for methods that need one, features ``(B, 1, F, T)`` of training clips.
        reference: of :func:`~audiointerp.scoring.ood_reference`, for ``ood_in`` and ``ood_out``.
        optimize: ``"folded"``: score, and explain where no layers are needed, with a faster copy
            of the network whose probabilities agree within 1e-5; ``"none"``: with the network.
        device: where to compute; the classifier is moved there.
        progress: whether to show a progress bar; or a function of (clips done, total).
        engine: where to compute: ``local_engine(workers=4)`` or ``ray_engine(num_workers=64)``; by
            default in this process. Rows are equal wherever clips are computed with one thread.
        baselines: deprecated, give ``nulls``.

    Raises:
        ArgumentError: a name is unknown, or the data set does not fit the classifier.

    >>> from audiointerp import Cnn6, EvenSubset, LogMel, Synthetic
    >>> clips = EvenSubset(Synthetic((5,), sample_rate=32000, duration=3.0), 1)
    >>> network = Cnn6(10, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), clips.labels, duration=3.0)
    >>> rows = score(classifier, clips, ["saliency"], ["bin"], progress=False)
    >>> rows[["method", "mask", "status"]].values.tolist()
    [['saliency', 'bin', 'ok']]
    """
    check_classifier(classifier)
    definitions = protocol_of(protocol)
    scored = scored_on(classifier, on, default=[definitions.default_on])
    fills = fills_of(fill, protocol, default=[definitions.default_fill])
    chosen_nulls, columns = nulls_of(nulls, baselines), own_metrics(metrics or {})
    if engine is not None and not callable(engine):
        raise ArgumentError(
            f"engine={engine!r:.80}: give local_engine(workers=4) or ray_engine(), or None"
        )
    plan = Plan(
        masks, protocol, scored, chosen_nulls, curves, target, fills, columns, reference, optimize
    )
    classifier.to(device)
    dataset = dataset_of(dataset, classifier)
    if reference is not None:
        reference.check(classifier, dataset)
    explainers = build_explainers(methods, classifier, background)
    with show_progress("scoring", len(dataset), "clip", progress) as advance:
        rows = _rows(classifier, RecentClips(dataset), explainers, plan, engine, advance)
    # Only here: interpret() does without pandas, which takes long to import.
    import pandas as pd

    table = pd.DataFrame(rows)
    warn_of_silent_clips(table)
    return table


def _rows(
    classifier: Classifier,
    clips: RecentClips,
    explainers: Sequence[Explainer],
    plan: Plan,
    engine: "Engine | None",
    advance: Callable[[int], None],
) -> list[Mapping[str, Any]]:
    """Compute the rows of all clips, in this process or by an engine."""
    if engine is not None:
        from .experiments import Computation, rows_by_engine

        by_name = {explainer.name: explainer for explainer in explainers}
        computation = Computation(classifier, by_name, plan)
        return rows_by_engine(engine, computation, clips.dataset, advance)
    rows: list[Mapping[str, Any]] = []
    attributions = RecentAttributions()
    for index in range(len(clips.dataset)):
        loaded = clips.load(index)
        other = clips.other(index) if "other" in plan.nulls else None
        for result in clip_rows(classifier, loaded, explainers, plan, other, attributions):
            rows += result.rows
        advance(1)
    return rows
