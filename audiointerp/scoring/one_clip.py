"""One clip from the sound to the verdict: explained, masked, classified again and judged."""

from typing import Any, TypeVar

import torch
from torch import Tensor

from ..dataset import clip_name
from ..errors import ArgumentError
from ..interpretation import AnyMask
from ..model import Classifier
from ..util import INDEPENDENT
from .decision import warn_if_absent
from .explain import (
    Method,
    build_explainer,
    check_classifier,
    explain_clip,
    predicted_against_itself,
)
from .explained import ExplainedClip
from .heard import hear_parts
from .outcomes import mask_and_classify
from .plan import Plan, scored_on
from .strongest import WINDOWS, explained_part, window_name
from .verdict import COMPARED, verdict_of

Record = TypeVar("Record", bound=ExplainedClip)


def explained_clip(
    classifier: Classifier,
    audio: Any,
    method: Method = "gradcam",
    mask: AnyMask = "topK_30",
    *,
    record: type[Record],
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
) -> Record:
    """Explain one clip and make the explanation audible; the work of ``audiointerp.interpret``.

    Args:
        record: the class of the result, :class:`~audiointerp.scoring.ExplainedClip` or a subclass
            without other fields.
        classifier, audio, method, mask, target, against, background, windows, inversion, protocol,
            on, fill, compared, device: see :func:`~audiointerp.predict.interpret`.

    Raises:
        ArgumentError: a name is unknown, or ``audio`` is not one finite mono clip.
        AudioError: the sound file cannot be read.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> explained_clip(classifier, torch.randn(32000), record=ExplainedClip).mask_name
    'topK_30'
    """
    check_classifier(classifier)
    (scored,) = scored_on(classifier, on)
    plan = Plan([mask], protocol, [scored], fills=[fill])
    ((mask_name, make_mask),) = plan.mask_functions.items()
    classifier.to(device)
    target_index = None if target is None else classifier.target_meant(target)
    against_index = None if against is None else classifier.target_meant(against)
    explainer = build_explainer(method, classifier, background)
    part = explained_part(classifier, audio, windows, target_index)
    if target is None and part.target is not None and part.target == against_index:
        raise ArgumentError(predicted_against_itself(classifier.labels[part.target]))
    spectrogram = classifier.transform(part.wav.to(classifier.device))
    attribution = explain_clip(classifier, spectrogram, explainer, part.target, against_index)
    if target is None and classifier.output in INDEPENDENT:
        # The warning names the line that calls interpret().
        warn_if_absent(classifier.labels, attribution, stacklevel=4)
    mask_values = make_mask(attribution.values)
    outcomes, kept, removed = mask_and_classify(
        classifier,
        spectrogram,
        attribution.target,
        mask_values,
        against=attribution.against,
        on=scored,
        fill=fill,
    )
    scores = outcomes.scores(mask_values, plan.definitions.metrics)
    domain = plan.definitions.listening_domain
    judged = (classifier, spectrogram, attribution, mask_values, mask_name)
    verdict = verdict_of(*judged, domain=domain, fill=fill, compared=compared)
    if domain != "db":
        shares = (mask_values, 1 - mask_values)
        kept, removed = (spectrogram.masked(share, domain) for share in shares)
    sounds, file_sounds, p_of_sounds = hear_parts(
        classifier, part.wav, (kept, removed), attribution, inversion, part.audio
    )
    return record(
        wav=part.wav,
        kept=sounds.kept,
        removed=sounds.removed,
        spectrogram=spectrogram,
        attribution=attribution,
        mask=mask_values,
        mask_name=mask_name,
        scores={name: float(values[0]) for name, values in scores.items()},
        p_of_sounds=p_of_sounds,
        labels=classifier.labels,
        protocol=plan.protocol,
        on=scored,
        clip=window_name(clip_name(audio), part.limits),
        limits=part.limits,
        clip_seconds=part.clip_seconds,
        file_sounds=file_sounds,
        fill=fill,
        verdict=verdict,
        classifier=classifier,
    )
