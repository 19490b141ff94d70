"""What the network makes of the sounds that a listener hears."""

from collections.abc import Mapping

from torch import Tensor

from ..model import Classifier, clip_log_probabilities
from ..processing import level_is_known
from .decision import decide


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
