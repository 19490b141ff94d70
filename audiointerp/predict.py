"""Explain, listen to and score a clip in one call; score a whole data set."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from .dataset import ClipDataset
from .errors import ArgumentError
from .interpretation import MASKS, NULLS, Explainer, Mask
from .model import Classifier
from .scoring import (
    ExplainedClip,
    Plan,
    RecentAttributions,
    RecentClips,
    build_explainer,
    build_explainers,
    check_fits,
    clip_rows,
    explain_clip,
    heard_probabilities,
    mask_and_classify,
    nulls_of,
)


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


def interpret(
    classifier: Classifier,
    wav: Tensor,
    method: str | type[Explainer] | Explainer = "gradcam",
    mask: str | Mask = "topK_30",
    *,
    target: str | int | None = None,
    against: str | int | None = None,
    background: Tensor | None = None,
    inversion: str = "gain",
    protocol: str = "corrected",
    on: str = "features",
    device: str | torch.device | None = None,
) -> Interpretation:
    """Explain one clip and make the explanation audible.

    ``scores`` are those of what ``on`` says; ``heard`` has p of the sounds themselves, whatever
    ``on`` and ``inversion`` are.

    Args:
        classifier: the classifier whose decision is explained.
        wav: ``(1, 1, L)`` at the classifier's sample rate, normalised as in training, e.g. by
            ``load_audio``.
        method: a name in ``METHODS``, an explainer class, or an explainer.
        mask: a name in ``MASKS``, or one of these with another percentage, e.g. ``"topK_20"``, or a
            function from values ``(N, 1, F, T)`` to a mask of that shape in [0, 1].
        target: the label to explain, by name or number; the predicted one if None.
        against: another label, to explain why it is the target rather than this one. p is then the
            probability of the target, given that it is one of the two.
        background: for SHAP, features ``(B, 1, F, T)`` of windows of the classifier's length.
        inversion: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.to_wav`.
        protocol: the definitions of the mask and the scores, a name in ``PROTOCOLS``, and how a
            soft mask is heard: a share of the level in dB, or of the power as published.
        on: what is scored, ``"features"`` or ``"audio"``; see
            :func:`~audiointerp.scoring.outcomes.classify_parts`.
        device: where to compute; the classifier is moved there.

    Raises:
        ArgumentError: a name is unknown, or ``wav`` is not one finite mono clip.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> result = interpret(classifier, torch.randn(1, 1, 32000), "saliency", "bin")
    >>> result.kept.shape, sorted(result.scores)[:4]
    (torch.Size([1, 1, 32000]), ['AD', 'AG', 'AI', 'AREA'])
    """
    plan = Plan([mask], protocol, [on])
    ((mask_name, make_mask),) = plan.mask_functions.items()
    classifier.to(device)
    target_index = None if target is None else classifier.target(target)
    against_index = None if against is None else classifier.target(against)
    explainer = build_explainer(method, classifier, background)
    _check_wav(wav)
    wav = wav.float()
    spectrogram = classifier.transform(wav.to(classifier.device))
    attribution = explain_clip(classifier, spectrogram, explainer, target_index, against_index)
    mask_values = make_mask(attribution.values)
    outcomes, kept, removed = mask_and_classify(
        classifier,
        spectrogram,
        attribution.target,
        mask_values,
        against=attribution.against,
        on=on,
    )
    scores = outcomes.scores(mask_values, plan.definitions.metrics)
    domain = plan.definitions.listening_domain
    if domain != "db":
        parts = (mask_values, 1 - mask_values)
        kept, removed = (spectrogram.masked(part, domain) for part in parts)
    sounds = {"p": wav}
    for name, part in (("p_in", kept), ("p_out", removed)):
        sounds[name] = part.to_wav(inversion).cpu()
    return Interpretation(
        wav=wav,
        kept=sounds["p_in"],
        removed=sounds["p_out"],
        spectrogram=spectrogram,
        attribution=attribution,
        mask=mask_values,
        mask_name=mask_name,
        scores={name: float(values[0]) for name, values in scores.items()},
        p_of_sounds=heard_probabilities(
            classifier, sounds, attribution.target, attribution.against
        ),
        labels=classifier.labels,
        protocol=plan.protocol,
        on=on,
    )


def _check_wav(wav: Tensor) -> None:
    if not isinstance(wav, Tensor) or wav.ndim != 3 or len(wav) != 1:
        shape = tuple(wav.shape) if isinstance(wav, Tensor) else f"a {type(wav).__name__}"
        raise ArgumentError(
            f"interpret takes one mono clip (1, 1, L), e.g. load_audio(path), not {shape}; "
            f"score takes many"
        )
    if not wav.is_floating_point():
        raise ArgumentError(
            f"audio has float samples in [-1, 1], as load_audio returns, not {wav.dtype}"
        )


def score(
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    masks: Sequence[str | Mask] = tuple(MASKS),
    *,
    on: str | Sequence[str] = "features",
    protocol: str = "corrected",
    nulls: Sequence[str] = NULLS,
    curves: bool = False,
    background: Tensor | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
    baselines: bool | None = None,
) -> pd.DataFrame:
    """Score methods and masks on a data set: one row per clip, method, mask and ``on``.

    A clip that cannot be read or explained has one row per method, with ``status`` "error" and the
    reason; its scores are NaN. :func:`~audiointerp.scoring.rows.clip_rows` describes the columns.

    Args:
        classifier: the classifier.
        dataset: the clips; each clip's predicted class is explained.
        methods: names in ``METHODS``, explainer classes, or explainers; their names must differ.
        masks: names in ``MASKS``, also with other percentages, e.g. ``"topK_20"``, or functions
            from values ``(N, 1, F, T)`` to a mask of that shape in [0, 1].
        on: ``"features"``, ``"audio"`` (classify the audio that a listener hears), or a list of
            both.
        protocol: the definitions of masks and scores, a name in ``PROTOCOLS``.
        nulls: names in ``NULLS``, what each mask is compared with; see
            :mod:`~audiointerp.interpretation.nulls`. An empty list for nothing. ``"other"`` is
            made from the next clip of another recording, NaN if there is none.
        curves: whether to compute the areas under the deletion and insertion curves.
        background: for methods that need one, features ``(B, 1, F, T)`` of training clips.
        device: where to compute; the classifier is moved there.
        progress: whether to show a progress bar in a terminal.
        baselines: deprecated, give ``nulls``: True for all, False for none.

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
    scored_on = (on,) if isinstance(on, str) else on
    plan = Plan(masks, protocol, scored_on, nulls_of(nulls, baselines), curves)
    classifier.to(device)
    check_fits(classifier, dataset)
    explainers = build_explainers(methods, classifier, background)
    rows: list[dict[str, Any]] = []
    clips = tqdm(
        range(len(dataset)), desc="scoring", unit="clip", disable=None if progress else True
    )
    recent, attributions = RecentClips(dataset), RecentAttributions()
    for index in clips:
        loaded = recent.load(index)
        other = recent.other(index) if "other" in plan.nulls else None
        for result in clip_rows(classifier, loaded, explainers, plan, other, attributions):
            rows += result.rows
    return pd.DataFrame(rows)
