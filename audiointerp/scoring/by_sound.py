"""The decision on the sounds of a clip's parts, as a listener hears them."""

import torch
from torch import Tensor

from ..errors import ModelError
from ..interpretation import Attribution
from ..model import Classifier, version_log_probabilities, windows_of
from ..processing import Spectrogram, levels_of_sounds
from ..util import halve_on_oom
from .decision import decide
from .part_outputs import BATCH

MOST_SAMPLES = 10_000_000
"""Samples of all parts whose sounds are made at a time."""


def decide_by_sound(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    masks: Tensor,
    domain: str = "db",
    fill: str = "silence",
) -> tuple[Tensor, int]:
    """Classify the sounds of a clip's parts under K masks.

    Args:
        classifier, spectrogram, attribution, domain, fill: see
            :func:`~audiointerp.scoring.verdict_of`.
        masks: ``(K, 1, F, T)`` in [0, 1].

    Returns:
        The probabilities of the classes that compete ``(K, C')``, and the column of the explained
        class; see :func:`~audiointerp.scoring.decision.decide`.

    Raises:
        ModelError: the network does not return finite logits for the sound of a part.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> attribution = Saliency(classifier.network)(clip.db)
    >>> decide_by_sound(classifier, clip, attribution, torch.ones_like(clip.db))[0].shape
    torch.Size([1, 2])
    """
    windows = windows_of(classifier, spectrogram)

    def log_probabilities(size: int) -> list[tuple[Tensor, Tensor]]:
        logs = []
        for some in masks.split(size):
            sounds = spectrogram.masked(some, domain, fill).to_wav()
            is_heard = classifier.takes_sounds
            versions = sounds if is_heard else levels_of_sounds(spectrogram.transform, sounds)
            logs.append(version_log_probabilities(classifier, windows, versions))
        return logs

    # Sounds of minutes are made one at a time, or they would take gigabytes.
    size = max(1, min(BATCH, MOST_SAMPLES // spectrogram.length))
    logs, _ = halve_on_oom(log_probabilities, size)
    log_p, log_not_p = (torch.cat(parts) for parts in zip(*logs, strict=True))
    # A NaN is neither better nor worse than the kept part, so it would count for it.
    faulty = int(log_p.isnan().any(1).sum())
    if faulty:
        raise ModelError(
            f"the network returns NaN or infinite logits for {faulty} of {len(masks)} sounds of "
            "parts of this clip; check its weights, e.g. for overflow in half precision"
        )
    target, against = int(attribution.target), attribution.against
    probs, _, column = decide(log_p, log_not_p, target, against, classifier.output)
    return probs, column
