"""Mel filter banks, and how what was decided per mel band is carried back to STFT bins."""

from functools import lru_cache

import torch
from torch import Tensor

from ..errors import choose

MEL_SCALES = ("htk", "slaney")


@lru_cache(maxsize=32)
def mel_filters(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, mel_scale: str) -> Tensor:
    """Triangular mel filters ``(n_mels, n_fft // 2 + 1)``, float64.

    ``"htk"`` is torchaudio's default: HTK's scale, peaks of 1. ``"slaney"`` is librosa's and PANNs' own: Slaney's scale,
    each filter of unit area. On white noise their levels differ by 16 (low bands) to 28 dB (high bands), so a network must be
    given the one it was trained on.

    >>> mel_filters(32000, 1024, 64, 50.0, 14000.0, "htk").shape
    torch.Size([64, 513])
    """
    import librosa

    choose("mel scale", mel_scale, MEL_SCALES)
    htk = mel_scale == "htk"
    filters = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, htk=htk, norm=None if htk else "slaney",
        dtype="float64",
    )  # fmt: skip
    return torch.from_numpy(filters)


def lifting(filters: Tensor) -> Tensor:
    """The normalised transpose of a filter bank: carries band gains to STFT bins.

    A bin's gain is the mean of the gains of the bands that cover it, weighted by the filters; a bin that no band covers
    follows the nearest band. Every row sums to 1, so gains of 1 stay 1 and gains ``g`` and ``1 - g`` add up to 1.

    Args:
        filters: ``(bands, bins)``, not negative.

    Returns:
        ``(bins, bands)``.

    >>> lifting(torch.tensor([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0]])).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]
    """
    weights = filters.T.clone()
    covered = weights.sum(1) > 0
    positions = torch.arange(len(weights), dtype=weights.dtype)
    centres = (filters * positions).sum(1) / filters.sum(1)  # a band without any bin has no centre: never the nearest
    distance = (positions[:, None] - centres).abs().nan_to_num(torch.inf)
    uncovered = (~covered).nonzero()[:, 0]
    weights[uncovered, distance[uncovered].argmin(1)] = 1.0
    return weights / weights.sum(1, keepdim=True)
