"""What the network makes of the sounds that a listener hears."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..interpretation import Attribution
from ..model import Classifier, clip_log_probabilities
from ..processing import Spectrogram, level_is_known
from .decision import decide
from .sounds import Sounds, recording_of


def hear_parts(
    classifier: Classifier,
    wav: Tensor,
    parts: tuple[Spectrogram, Spectrogram],
    attribution: Attribution,
    inversion: str = "gain",
    audio: Any = None,
) -> tuple[Sounds, Sounds | None, Mapping[str, float]]:
    """Make the parts of a clip audible, and classify what a listener gets.

    Args:
        classifier: the classifier.
        wav: the clip ``(1, 1, L)``.
        parts: the kept and the removed part.
        attribution: its target is the class whose p is computed.
        inversion: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.to_wav`.
        audio: what the clip was made from. Of a file, or of samples with another rate, a listener
            gets the parts with its own rate and channels, but for a lossy inversion, which knows
            the levels alone.

    Returns:
        The clip and its parts at the classifier's rate; the same of the recording, or None; and p
        of the clip, p_in and p_out of the parts of the recording, or else of the clip.

    >>> import torch
    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> wav = torch.randn(1, 1, 32000)
    >>> clip = classifier.transform(wav)
    >>> _, _, p = hear_parts(classifier, wav, (clip, clip), Saliency(network)(clip.db))
    >>> list(p)
    ['p', 'p_in', 'p_out']
    """
    kept, removed = (part.to_wav(inversion).cpu() for part in parts)
    parts_of_clip, file_sounds = Sounds(wav, kept, removed, classifier.sample_rate), None
    sounds = {"p": wav, "p_in": kept, "p_out": removed}
    recording = recording_of(audio, wav, classifier.sample_rate) if inversion == "gain" else None
    if recording is not None:
        file_sounds = recording.parts(*parts)
        sounds |= recording.heard(file_sounds)
    p = heard_probabilities(classifier, sounds, attribution.target, attribution.against)
    return parts_of_clip, file_sounds, p


def heard_probabilities(
    classifier: Classifier,
    sounds: Mapping[str, Tensor],
    target: Tensor,
    against: Tensor | None = None,
) -> dict[str, float]:
    """Return the probability of the explained class for each sound, analysed as it is.

    The level is not changed.

    Args:
        classifier: the classifier.
        sounds: ``(1, 1, L)`` each, by name.
        target: the explained class ``(1,)``.
        against: the class it is explained against ``(1,)``. The probability is then that of the
            target, given that it is one of the two.

    >>> import torch
    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> sounds = {"p": torch.randn(1, 1, 32000), "p_in": torch.zeros(1, 1, 32000)}
    >>> list(heard_probabilities(classifier, sounds, torch.tensor([1])))
    ['p', 'p_in']
    """
    probabilities = {}
    for name, wav in sounds.items():
        # The clip that they come from was analysed before.
        with level_is_known():
            spectrogram = classifier.transform(wav.to(classifier.device))
        log_p, log_not_p = clip_log_probabilities(classifier, spectrogram)
        probs, _, column = decide(log_p, log_not_p, int(target), against, classifier.output)
        probabilities[name] = float(probs[0, column])
    return probabilities
