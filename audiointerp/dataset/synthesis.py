"""What the made data set and the made noises are built from: a few sound generators, which return ``(L,)``; one thread."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_ALONE = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread, then with as many as before: the last bits of a transform, a power and a sum depend on it.

    What is made under it is the same to the bit whatever the caller's number of threads, as a resumed run asks. Python's
    threads take turns: torch hands the number last set on to a thread that computes for the first time, so one that does so
    meanwhile may keep a single thread, and hand it on: slower, and no less right.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    with _ALONE:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def decay(length: int, sample_rate: int, seconds: float) -> Tensor:
    """An exponential that falls by e in ``seconds``."""
    return torch.exp(-torch.arange(length) / (seconds * sample_rate))


def fade(length: int, sample_rate: int, seconds: float = 0.01) -> Tensor:
    """Ones with a raised-cosine ramp of ``seconds`` at both ends."""
    ramp = min(max(1, round(seconds * sample_rate)), length // 2)
    rise = 0.5 - 0.5 * torch.cos(torch.pi * torch.arange(ramp) / max(ramp, 1))
    return torch.cat([rise, torch.ones(length - 2 * ramp), rise.flip(0)])


def coloured_noise(
    length: int,
    sample_rate: int,
    low: float,
    high: float,
    slope: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Gaussian noise between ``low`` and ``high`` Hz (nothing outside), falling by ``-slope`` dB an octave; spread 1."""
    spectrum = torch.fft.rfft(torch.randn(length, generator=generator, dtype=dtype))
    frequencies = torch.linspace(0, sample_rate / 2, len(spectrum), dtype=dtype)
    tilt = (frequencies.clamp_min(1.0) / 1000) ** (slope / (20 * math.log10(2)))
    band = (frequencies >= low) & (frequencies <= high)
    noise: Tensor = torch.fft.irfft(spectrum * tilt * band, n=length)
    return noise / noise.std().clamp_min(1e-9)


def glide(frequency: Callable[[Tensor], Tensor], length: int, sample_rate: int, partials: list[float]) -> Tensor:
    """A harmonic tone whose fundamental in Hz is a function of time in seconds; partials above Nyquist are left out."""
    times = torch.arange(length, dtype=torch.float64) / sample_rate
    fundamental = frequency(times)
    phase = 2 * torch.pi * torch.cumsum(fundamental, 0) / sample_rate
    tone = torch.zeros(length, dtype=torch.float64)
    for number, amplitude in enumerate(partials, start=1):
        tone += amplitude * torch.sin(number * phase) * (number * fundamental < sample_rate / 2)
    return tone.float()


def harmonics(pitch: Tensor, sample_rate: int, level: Callable[[Tensor], Tensor]) -> Tensor:
    """All harmonics of a pitch ``(L,)`` in Hz below Nyquist, each as loud as ``level`` says of its frequency in Hz; float64."""
    phase = 2 * torch.pi * torch.cumsum(pitch.double(), 0) / sample_rate
    tone = torch.zeros(len(pitch), dtype=torch.float64)
    for number in range(1, 1 + int(sample_rate / 2 / float(pitch.min()))):
        below = ((0.49 * sample_rate - number * pitch) / (0.05 * sample_rate)).clamp(0, 1)  # leaves without a click
        tone += below * level(number * pitch) * torch.sin(number * phase)
    return tone
