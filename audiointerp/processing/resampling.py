"""Resampling. The only module that imports torchaudio, which is no longer developed."""

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import torch
import torchaudio.transforms
from torch import Tensor, nn

from ..errors import ArgumentError
from ..util import is_number

CONTEXT = {"sinc": 8, "soxr": 1024}
"""The samples of the lower rate, on each side, that a resampled sample can depend on."""
LOWEST_RATE = 100
"""Hz, of infrasound and seismic signals; sample rates of sound in kHz are lower, up to 96."""
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
    check_rates(rate, new_rate)
    if _needs_soxr(int(rate), int(new_rate)):
        return _resample_by_soxr(wav, int(rate), int(new_rate))
    resampled: Tensor = _resampler(int(rate), int(new_rate), wav.dtype, wav.device)(wav)
    return resampled


def resample_blocks(blocks: Iterable[Tensor], rate: int, new_rate: int) -> Iterator[Tensor]:
    """Resample a sound that comes in blocks, as :func:`resample` would resample all of it.

    A block is resampled with as much of its neighbours as the filter reaches, and cut where a
    sample of the one rate falls on a sample of the other.

    Args:
        blocks: ``(..., n)`` at ``rate`` Hz, of any lengths.
        rate, new_rate: positive integers in Hz.

    Returns:
        Blocks at ``new_rate``; joined, they differ from the whole by rounding alone.

    Raises:
        ArgumentError: a rate is not a positive integer.

    >>> wav = torch.randn(1, 1, 88200)
    >>> blocks = list(resample_blocks(wav.split(10000, -1), 44100, 16000))
    >>> bool(torch.allclose(torch.cat(blocks, -1), resample(wav, 44100, 16000), atol=1e-6))
    True
    """
    check_rates(rate, new_rate)
    rate, new_rate = int(rate), int(new_rate)
    if rate == new_rate:
        yield from blocks
        return
    common = math.gcd(rate, new_rate)
    step, new_step = rate // common, new_rate // common
    lower_samples = CONTEXT["soxr" if _needs_soxr(rate, new_rate) else "sinc"]
    # Whole steps, so that what is kept begins on a sample of both rates.
    context = step * (1 + math.ceil(lower_samples * max(1.0, rate / new_rate) / step))
    kept: Tensor | None = None
    # The steps of ``kept`` whose samples were given already.
    given = 0
    for block in blocks:
        kept = block if kept is None else torch.cat([kept, block], -1)
        ready = (kept.shape[-1] - context) // step
        if ready <= given:
            continue
        yield resample(kept, rate, new_rate)[..., given * new_step : ready * new_step]
        dropped = max(0, ready - context // step)
        kept, given = kept[..., dropped * step :].clone(), ready - dropped
    if kept is not None:
        yield resample(kept, rate, new_rate)[..., given * new_step :]


def check_rates(*rates: Any) -> None:
    """Refuse what is no sample rate; 16000.0 is one.

    Raises:
        ArgumentError: a rate is not a positive integer.

    >>> check_rates(16000, 44100.0)
    """
    for value in rates:
        if not is_number(value) or value != value // 1 or value <= 0:
            raise ArgumentError(f"a sample rate is a positive integer in Hz, not {value!r}")


def _needs_soxr(rate: int, new_rate: int) -> bool:
    common = math.gcd(rate, new_rate)
    return rate // common * (new_rate // common) > LARGEST_KERNEL


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
