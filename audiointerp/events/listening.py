"""What a classifier makes of windows of a recording."""

import torch
from torch import Tensor

from ..model import Classifier, log_probabilities_by_window
from ..processing import Spectrogram, normalized
from .pieces import Piece


def analysed(classifier: Classifier, wavs: Tensor) -> Spectrogram:
    """Return windows ``(B, 1, L)`` as the classifier's transform gives them.

    Each is normalised by itself, as the clips were that the classifier was trained on.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> analysed(classifier, torch.randn(3, 1, 32000)).db.shape
    torch.Size([3, 1, 64, 101])
    """
    return classifier.transform(normalized(wavs, classifier.normalize).to(classifier.device))


def heard_in(classifier: Classifier, pieces: list[Piece]) -> Tensor:
    """Return the probabilities ``(B, C)`` float64 of windows of one length.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> heard_in(classifier, [Piece(0, torch.randn(1, 1, 32000))]).shape
    torch.Size([1, 2])
    """
    wavs = torch.cat([piece.wav for piece in pieces])
    log_p, _ = log_probabilities_by_window(classifier, analysed(classifier, wavs))
    return log_p[0].exp()
