"""What a classifier makes of a clip of any length: its windows' probabilities, and their mean."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..processing import Spectrogram, Windows, level_is_known
from ..util import INDEPENDENT, forward_batch, log_of_the_others, log_probabilities
from .decider import Decider

Logs = tuple[Tensor, Tensor]
"""log p and log(1 - p), float64."""


def windows_of(classifier: Decider, spectrogram: Spectrogram) -> Windows:
    """Return where the classifier's windows lie in a clip.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> windows_of(classifier, classifier.transform(torch.randn(1, 1, 80000))).starts
    (0, 101, 150)
    """
    length, hop_length = classifier.window_length, classifier.transform.hop_length
    frames = classifier.transform.num_frames(length)
    step = max(1, length // hop_length) if classifier.takes_sounds else frames
    return Windows(spectrogram.db.shape[-1], frames, step)


def window_inputs(classifier: Decider, parts: Spectrogram) -> Tensor:
    """Return what the network gets for each window of K versions of a clip.

    Args:
        classifier: the classifier.
        parts: the K versions, masked or not. A model of sounds gets the sound made from them.

    Returns:
        Features ``(W, K, 1, F, size)``, or sounds ``(W, K, 1, L)``.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> window_inputs(classifier, classifier.transform(torch.randn(1, 1, 80000))).shape
    torch.Size([3, 1, 1, 64, 101])
    """
    versions = parts.to_wav() if classifier.takes_sounds else parts.db
    return _cut(classifier, windows_of(classifier, parts), versions)


def _cut(classifier: Decider, windows: Windows, versions: Tensor) -> Tensor:
    if not classifier.takes_sounds:
        return windows.cut(versions)
    hop_length = classifier.transform.hop_length
    return windows.cut_sounds(versions, hop_length, classifier.window_length)


def bound_windows(
    classifier: Decider, spectrogram: Spectrogram
) -> tuple[tuple[nn.Module, Tensor], ...]:
    """Return each window of a clip as a network from levels to outputs, with its levels.

    Args:
        classifier: the classifier.
        spectrogram: the clip, not masked.

    Returns:
        W pairs of the network, see :meth:`~audiointerp.model.Classifier.bind`, and its levels
        ``(1, 1, F, size)``.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 80000))
    >>> [levels.shape[-1] for _, levels in bound_windows(classifier, clip)]
    [101, 101, 101]
    """
    if not classifier.takes_sounds:
        windows = window_inputs(classifier, spectrogram)
        return tuple((classifier.bind(spectrogram), levels) for levels in windows)
    if spectrogram.length == classifier.window_length:
        return ((classifier.bind(spectrogram), spectrogram.db),)
    with level_is_known():
        parts = [classifier.transform(wav) for wav in window_inputs(classifier, spectrogram)]
    return tuple((classifier.bind(part), part.db) for part in parts)


def clip_log_probabilities(classifier: Decider, parts: Spectrogram) -> Logs:
    """Compute log p and log(1 - p) of K versions of one clip, in batches of one window each.

    Args:
        classifier: the classifier.
        parts: the K versions, ``(K, 1, F, T)``.

    Returns:
        log p and log(1 - p), each ``(K, C)`` float64; p is the mean over the windows.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 80000))
    >>> log_p, _ = clip_log_probabilities(classifier, clip)
    >>> bool(torch.allclose(log_p.exp().sum(1), torch.ones(1, dtype=torch.float64)))
    True
    """
    logs = log_probabilities_by_window(classifier, parts)
    return pool_windows(classifier, windows_of(classifier, parts), logs)


def version_log_probabilities(classifier: Decider, windows: Windows, versions: Tensor) -> Logs:
    """Compute what :func:`clip_log_probabilities` does of versions without their STFT.

    Args:
        classifier: the classifier.
        windows: the clip's windows, see :func:`windows_of`.
        versions: levels ``(K, 1, F, T)``, or of a model of sounds, sounds ``(K, 1, L)``.

    Returns:
        log p and log(1 - p), each ``(K, C)`` float64; NaN for a version with logits that are not
        finite.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> versions = torch.zeros(5, 1, 64, 101)
    >>> version_log_probabilities(classifier, Windows(101, 101), versions)[0].shape
    torch.Size([5, 2])
    """
    inputs = _cut(classifier, windows, versions)
    return pool_windows(classifier, windows, _by_window(classifier, inputs, allow_nan=True))


def whole_clip_probabilities(classifier: Decider, wavs: Sequence[Tensor]) -> Tensor:
    """Return the probabilities ``(N, C)`` float64 of N clips, each ``(1, 1, L)``.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> whole_clip_probabilities(classifier, [torch.randn(1, 1, 80000)]).shape
    torch.Size([1, 2])
    """
    rows = []
    for wav in wavs:
        spectrogram = classifier.transform(wav.to(classifier.device))
        rows.append(clip_log_probabilities(classifier, spectrogram)[0].exp())
    return torch.cat(rows)


def log_probabilities_by_window(classifier: Decider, parts: Spectrogram) -> Logs:
    """Compute log p and log(1 - p) of each window of K versions of a clip, each ``(W, K, C)``.

    The arguments are those of :func:`clip_log_probabilities`.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 80000))
    >>> log_probabilities_by_window(classifier, clip)[0].shape
    torch.Size([3, 1, 2])
    """
    return _by_window(classifier, window_inputs(classifier, parts))


def _by_window(classifier: Decider, inputs: Tensor, *, allow_nan: bool = False) -> Logs:
    most = forward_batch(classifier.network, inputs.shape[1])
    parts = [part for window in inputs for part in window.split(most)]
    logits = torch.cat([classifier.logits(part, allow_nan=allow_nan).cpu() for part in parts])
    log_p, log_not_p = log_probabilities(logits, classifier.output)
    size = inputs.shape[:2]
    return log_p.unflatten(0, size), log_not_p.unflatten(0, size)


def pool_windows(classifier: Decider, windows: Windows, logs: Logs) -> Logs:
    """Return log p and log(1 - p) of the mean over the windows, each ``(K, C)``.

    Args:
        classifier: the classifier.
        windows: the clip's windows.
        logs: of :func:`log_probabilities_by_window`, each ``(W, K, C)``.

    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
    >>> halves = torch.full((2, 1, 2), 0.5, dtype=torch.float64).log()
    >>> pool_windows(classifier, Windows(4, 2), (halves, halves))[0].exp()
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    log_weights = windows.weights.log()[:, None, None]
    log_p, log_not_p = ((log_weights + window_logs).logsumexp(0) for window_logs in logs)
    return log_p, log_not_p if classifier.output in INDEPENDENT else log_of_the_others(log_p)
