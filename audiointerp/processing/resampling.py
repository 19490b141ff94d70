"""The one module that imports torchaudio, whose development has ended: to replace it, replace this function."""

import math

import torch
import torchaudio.functional
from torch import Tensor

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
    resampled: Tensor = torchaudio.functional.resample(wav, int(rate), int(new_rate))
    return resampled


def _resample_by_soxr(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    """For rates with little in common (44101 and 32000 Hz, say), whose filter bank would take gigabytes."""
    import librosa

    samples = librosa.resample(wav.cpu().numpy(), orig_sr=rate, target_sr=new_rate, res_type="soxr_hq")
    return torch.from_numpy(samples).to(wav)
