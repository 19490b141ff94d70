"""Resampling. The only module that imports torchaudio, which is no longer developed."""

import math
from functools import lru_cache

import torch
import torchaudio.transforms
from torch import Tensor, nn

from ..errors import ArgumentError

LARGEST_KERNEL = 10_000_000
"""The limit of filter taps times phases; common rates need at most a million."""


def resample(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    """Resample along the last axis by windowed-sinc interpolation (torchaudio's defaults).

    Rates with a small common divisor (e.g. 44101 and 32000 Hz) would need gigabytes of filters;
    they are resampled by soxr.

    Args:
        wav: ``(..., L)`` at ``rate`` Hz.
        rate: the rate of ``wav``, a positive integer in Hz.
        new_rate: the target rate, a positive integer in Hz.

    Returns:
        ``(..., ceil(L * new_rate / rate))``.

    Raises:
        ArgumentError: a rate is not a positive integer.

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


# Cached: computing the filters takes at least half as long as filtering a clip of 5 s.
@lru_cache(maxsize=8)
def _resampler(rate: int, new_rate: int, dtype: torch.dtype, device: torch.device) -> nn.Module:
    # Filters made in inference mode could not be used by a later caller who needs gradients.
    with torch.inference_mode(False):
        resampler: nn.Module = torchaudio.transforms.Resample(rate, new_rate, dtype=dtype)
        return resampler.to(device)


def _resample_by_soxr(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    import librosa

    samples = librosa.resample(
        wav.cpu().numpy(), orig_sr=rate, target_sr=new_rate, res_type="soxr_hq"
    )
    return torch.from_numpy(samples).to(wav)
