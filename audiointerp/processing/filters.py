"""Mel filter banks, and the transfer of gains from bands to STFT bins."""

from functools import lru_cache

import torch
from torch import Tensor

from ..errors import choose

MEL_SCALES = ("htk", "slaney")


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, mel_scale: str
) -> Tensor:
    """Triangular mel filters ``(n_mels, n_fft // 2 + 1)``, float64; a new tensor at each call.

    ``"htk"`` is torchaudio's default: the HTK scale, peaks of 1. ``"slaney"`` is the default of
    librosa and PANNs: the Slaney scale, unit area. On white noise their levels differ by 16 dB
    (low bands) to 28 dB (high bands), so a network needs the scale it was trained on.

    Raises:
        ArgumentError: ``mel_scale`` is unknown.

    >>> mel_filters(32000, 1024, 64, 50.0, 14000.0, "htk").shape
    torch.Size([64, 513])
    """
    # A copy, so that a caller who edits it in place does not change the cache.
    return _cached_mel_filters(sample_rate, n_fft, n_mels, f_min, f_max, mel_scale).clone()


@lru_cache(maxsize=32)
def _cached_mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, mel_scale: str
) -> Tensor:
    import librosa

    choose("mel scale", mel_scale, MEL_SCALES)
    htk = mel_scale == "htk"
    filters = librosa.filters.mel(
        sr=sample_rate,
        n_fft=n_fft,
        n_mels=n_mels,
        fmin=f_min,
        fmax=f_max,
        htk=htk,
        norm=None if htk else "slaney",
        dtype="float64",
    )
    return torch.from_numpy(filters)


def lifting(filters: Tensor) -> Tensor:
    """The normalised transpose of a filter bank, which carries band gains to STFT bins.

    A bin's gain is the mean of the gains of the bands that cover it, weighted by the filters. A bin
    that no band covers takes the gain of the nearest band. Each row sums to 1, so gains of 1 stay
    1, and gains ``g`` and ``1 - g`` add up to 1.

    Args:
        filters: ``(bands, bins)``, non-negative.

    Returns:
        ``(bins, bands)``.

    >>> lifting(torch.tensor([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0]])).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]
    """
    weights = filters.T.clone()
    covered = weights.sum(1) > 0
    positions = torch.arange(len(weights), dtype=weights.dtype)
    # A band that covers no bin has no centre (NaN), and an infinite distance to every bin.
    centres = (filters * positions).sum(1) / filters.sum(1)
    distances = (positions[:, None] - centres).abs().nan_to_num(torch.inf)
    uncovered = (~covered).nonzero()[:, 0]
    weights[uncovered, distances[uncovered].argmin(1)] = 1.0
    return weights / weights.sum(1, keepdim=True)
