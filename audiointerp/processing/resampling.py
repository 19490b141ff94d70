"""The one module that imports torchaudio, whose development has ended: to replace it, replace this function."""

import math
from functools import lru_cache

import torch
import torchaudio.transforms
from torch import Tensor, nn

from ..errors import ArgumentError

LARGEST_KERNEL = 10_000_000
"""Filter taps times phases; the usual rates need at most a million."""


def resample(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    """Windowed-sinc resampling (torchaudio's defaults; soxr for rates with little in common) along the last axis.

    Args:
        wav: ``(..., L)`` at ``rate`` Hz.
        rate: the rate of ``wav``, a positive integer in Hz.
        new_rate: the rate wanted, likewise.

    Returns:
        ``(..., ceil(L * new_rate / rate))``.

    >>> resample(torch.zeros(1, 1, 441), 44100, 16000).shape
    torch.Size([1, 1, 160])
    """
    for value in (rate, new_rate):
        if value != int(value) or value <= 0:
            raise ArgumentError(f"a sample rate is a positive integer in Hz, not {value!r}")
    common = math.gcd(int(rate), int(new_rate))
    if rate // common * (new_rate // common) > LARGEST_KERNEL:
        return _resample_by_soxr(wav, int(rate), int(new_rate))
    resampled: Tensor = _resampler(int(rate), int(new_rate), wav.dtype, wav.device)(wav)
    return resampled


@lru_cache(maxsize=8)
def _resampler(rate: int, new_rate: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """With its filters: to make them takes at least half as long as to filter a clip of five seconds."""
    with torch.inference_mode(False):  # what is kept must serve a caller who wants gradients, too
        resampler: nn.Module = torchaudio.transforms.Resample(rate, new_rate, dtype=dtype).to(device)
    return resampler


def _resample_by_soxr(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    """For rates with little in common (44101 and 32000 Hz, say), whose filter bank would take gigabytes."""
    import librosa

    samples = librosa.resample(wav.cpu().numpy(), orig_sr=rate, target_sr=new_rate, res_type="soxr_hq")
    return torch.from_numpy(samples).to(wav)
