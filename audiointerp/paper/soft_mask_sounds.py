"""The published sounds of soft masks, compared with what the published scores are of.

The published code masks levels in dB for its scores, and powers for its sounds, which it then makes
by least squares and the phase of the clip. For a mask of zeros and ones the two agree.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import AudioInterpError
from ..model import Classifier
from ..processing import Spectrogram
from ..scoring import (
    PROTOCOLS,
    build_explainers,
    classify_parts,
    explain_clip,
    heard_probabilities,
)
from ..tables import SOFT_MASKS

HEARD_METHODS = ("saliency", "gradcam")
"""The methods whose soft masks are heard; the others take minutes for a clip."""
HEARD_INVERSION = "lstsq"
"""How the published code inverts the mel scale."""


@dataclass(frozen=True)
class SoundGaps:
    """How far the sound of a soft mask is from what was scored of it.

    Attributes:
        published: |p of the sound - p_in|, the sound of power × mask.
        scored: the same, with the sound of the levels that were scored.
        louder: the level of the first sound over the second, in dB.
        si_sdr: the scale-invariant ratio of one sound to its difference from the other, in dB.

    >>> SoundGaps(0.75, 0.0, 55.0, 2.0).louder
    55.0
    """

    published: float
    scored: float
    louder: float
    si_sdr: float


def median_sound_gaps(classifier: Classifier, spectrograms: Iterable[Spectrogram]) -> SoundGaps:
    """Return the medians over clips, :data:`HEARD_METHODS` and the published soft masks.

    Args:
        classifier: the classifier.
        spectrograms: one per clip, on the classifier's device.

    Raises:
        AudioInterpError: there is no clip.

    >>> from ..model import Cnn6
    >>> from ..processing import LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> median_sound_gaps(classifier, [classifier.transform(torch.randn(1, 1, 32000))]).louder > 20
    True
    """
    masks = PROTOCOLS["published"].masks
    explainers = build_explainers(HEARD_METHODS, classifier)
    gaps = []
    for spectrogram in spectrograms:
        for explainer in explainers:
            attribution = explain_clip(classifier, spectrogram, explainer)
            for name in SOFT_MASKS:
                mask = masks[name](attribution.values)
                gaps.append(sound_gaps(classifier, spectrogram, attribution.target, mask))
    if not gaps:
        raise AudioInterpError("no test clip can be read; see the column error of metrics.csv")
    table = np.array([list(vars(gap).values()) for gap in gaps])
    return SoundGaps(*np.median(table, axis=0).tolist())


def sound_gaps(
    classifier: Classifier, spectrogram: Spectrogram, target: Tensor, mask: Tensor
) -> SoundGaps:
    """Compare the published sound of one mask, and the sound of the scored levels, with p_in.

    Args:
        classifier: the classifier.
        spectrogram: one clip.
        target: the explained class ``(1,)``.
        mask: ``(1, 1, F, T)`` in [0, 1].

    >>> from ..model import Cnn6
    >>> from ..processing import LogSTFT
    >>> network = Cnn6(2, num_bins=257, base_channels=4)
    >>> classifier = Classifier(network, LogSTFT(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 16000))
    >>> round(sound_gaps(classifier, clip, torch.tensor([0]), torch.ones_like(clip.db)).louder, 3)
    0.0
    """
    outcomes = classify_parts(classifier, spectrogram, target, mask)
    p_in = float(outcomes.probs[1, 0, outcomes.target])
    domains = {"published": PROTOCOLS["published"].listening_domain, "scored": "db"}
    sounds = {
        name: spectrogram.masked(mask, domain).to_wav(HEARD_INVERSION)
        for name, domain in domains.items()
    }
    p_of_sounds = heard_probabilities(classifier, sounds, target)
    published, scored = (sound.double().flatten().cpu() for sound in sounds.values())
    return SoundGaps(
        published=abs(p_of_sounds["published"] - p_in),
        scored=abs(p_of_sounds["scored"] - p_in),
        louder=_decibels(published.square().sum(), scored.square().sum()),
        si_sdr=_si_sdr(published, scored),
    )


def _si_sdr(sound: Tensor, other: Tensor) -> float:
    """The scale-invariant signal-to-distortion ratio; of two sounds either can be the signal."""
    # Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019: with the cosine c of the angle
    # between the sounds it is c² / (1 - c²).
    scaled = (sound @ other) / (other @ other).clamp_min(torch.finfo(sound.dtype).tiny) * other
    return _decibels(scaled.square().sum(), (sound - scaled).square().sum())


def _decibels(energy: Tensor, reference: Tensor) -> float:
    smallest = torch.finfo(torch.float64).tiny
    return 10 * (
        math.log10(max(float(energy), smallest)) - math.log10(max(float(reference), smallest))
    )
