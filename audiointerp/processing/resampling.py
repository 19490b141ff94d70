"""The one module that imports torchaudio, whose development has ended: to replace it, replace this function."""

import torchaudio.functional
from torch import Tensor

from ..errors import ArgumentError


def resample(wav: Tensor, rate: int, new_rate: int) -> Tensor:
    """Windowed-sinc resampling (torchaudio's defaults) along the last axis.

    Args:
        wav: ``(..., L)`` at ``rate`` Hz.
        rate: the rate of ``wav``, a positive integer in Hz.
        new_rate: the rate wanted, likewise.

    Returns:
        ``(..., ceil(L * new_rate / rate))``.

    >>> import torch
    >>> resample(torch.zeros(1, 1, 441), 44100, 16000).shape
    torch.Size([1, 1, 160])
    """
    for value in (rate, new_rate):
        if value != int(value) or value <= 0:
            raise ArgumentError(f"a sample rate is a positive integer in Hz, not {value!r}")
    resampled: Tensor = torchaudio.functional.resample(wav, int(rate), int(new_rate))
    return resampled
