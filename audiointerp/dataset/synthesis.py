"""Sound generators ``(L,)`` for the synthetic clips and noises, and single-threaded computing."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor

_LOCK = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread of torch, then restore the previous number.

    The last bits of FFTs, powers and sums depend on the number of threads. Inside, results are
    bit-identical for any number, which resumed runs need; computing may be slower. A lock makes
    Python threads wait for each other. A Python thread that uses torch for the first time meanwhile
    may keep a single thread, which does not change results either.

    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    with _LOCK:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def decay(length: int, sample_rate: int, seconds: float) -> Tensor:
    """An exponential decay with the time constant ``seconds``.

    >>> decay(3, 2, 1.0).log().tolist()
    [0.0, -0.5, -1.0]
    """
    return torch.exp(-torch.arange(length) / (seconds * sample_rate))


def fade(length: int, sample_rate: int, seconds: float = 0.01) -> Tensor:
    """An envelope of 1 with a raised-cosine ramp of ``seconds`` at both ends.

    >>> fade(4, 2, 0.5).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
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
    """Gaussian noise with a standard deviation of 1, limited to a band.

    Args:
        length: samples.
        sample_rate: in Hz.
        low: the lower edge of the band in Hz; there is no power outside the band.
        high: the upper edge in Hz.
        slope: the slope of the spectrum in dB per octave.
        generator: the source of random numbers.
        dtype: the type of the result.

    >>> coloured_noise(800, 8000, 100, 4000, -3, torch.Generator()).shape
    torch.Size([800])
    """
    spectrum = torch.fft.rfft(torch.randn(length, generator=generator, dtype=dtype))
    frequencies = torch.linspace(0, sample_rate / 2, len(spectrum), dtype=dtype)
    tilt = (frequencies.clamp_min(1.0) / 1000) ** (slope / (20 * math.log10(2)))
    band = (frequencies >= low) & (frequencies <= high)
    noise: Tensor = torch.fft.irfft(spectrum * tilt * band, n=length)
    return noise / noise.std().clamp_min(1e-9)


def glide(pitch: Tensor, sample_rate: int, partials: Sequence[float]) -> Tensor:
    """A harmonic tone with a varying pitch; partials near the Nyquist frequency fade out.

    Args:
        pitch: the fundamental in Hz ``(L,)``.
        sample_rate: in Hz.
        partials: the amplitudes of the fundamental and its multiples.

    >>> glide(torch.linspace(440, 540, 800), 8000, [1.0, 0.5]).shape
    torch.Size([800])
    """
    cycles = torch.cumsum(pitch.double() / sample_rate, 0)
    # In float32, which is faster, only the position within a cycle is precise enough.
    phase = (2 * torch.pi * (cycles - cycles.floor())).float()
    tone = torch.zeros(len(pitch))
    for number, amplitude in enumerate(partials, start=1):
        below = ((0.49 * sample_rate - number * pitch) / (0.05 * sample_rate)).clamp(0, 1)
        tone += amplitude * below * torch.sin(number * phase)
    return tone


def ring(
    hertz: Sequence[float],
    seconds: Sequence[float],
    levels: Sequence[float],
    length: int,
    sample_rate: int,
) -> Tensor:
    """Damped resonances after a blow; those near or above the Nyquist frequency are left out.

    Args:
        hertz: the frequency of each resonance.
        seconds: its time constant.
        levels: its amplitude.
        length: samples.
        sample_rate: in Hz.

    >>> ring([440.0, 900.0], [0.1, 0.05], [1.0, 0.5], 800, 8000).shape
    torch.Size([800])
    """
    times = torch.arange(length) / sample_rate
    sound = torch.zeros(length)
    for frequency, constant, level in zip(hertz, seconds, levels, strict=True):
        if frequency < 0.45 * sample_rate:
            tone = torch.sin(2 * torch.pi * frequency * times)
            sound += level * tone * torch.exp(-times / constant)
    return sound


def convolve(sound: Tensor, response: Tensor) -> Tensor:
    """Linear convolution of two sounds ``(L,)`` and ``(M,)`` to ``(L + M - 1,)``.

    >>> convolve(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0, 3.0])).round().tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    length = len(sound) + len(response) - 1
    size = 1 << (length - 1).bit_length()
    spectrum = torch.fft.rfft(sound, size) * torch.fft.rfft(response, size)
    convolved: Tensor = torch.fft.irfft(spectrum, size)
    return convolved[:length]


def strikes(onsets: Tensor, sizes: Tensor, response: Tensor, length: int) -> Tensor:
    """A response that starts anew at each onset, scaled by a size, cut to ``length`` samples.

    Args:
        onsets: in samples ``(N,)``; those outside of the sound are left out.
        sizes: the amplitude of each ``(N,)``.
        response: the sound of one strike.
        length: samples.

    >>> strikes(torch.tensor([0, 2]), torch.ones(2), torch.tensor([1.0, 0.5]), 3).tolist()
    [1.0, 0.5, 1.0]
    """
    inside = (onsets >= 0) & (onsets < length)
    impulses = torch.zeros(length).index_add_(0, onsets[inside].long(), sizes[inside])
    return convolve(impulses, response)[:length]


def smooth_step(x: Tensor, start: float, end: float) -> Tensor:
    """A step from 0 before ``start`` to 1 after ``end``, with a raised cosine between.

    >>> smooth_step(torch.tensor([0.0, 1.5, 3.0]), 1, 2).tolist()
    [0.0, 0.5, 1.0]
    """
    rise: Tensor = 0.5 - 0.5 * torch.cos(torch.pi * ((x - start) / (end - start)).clamp(0, 1))
    return rise


def curve(x: Tensor, points: Sequence[tuple[float, float]]) -> Tensor:
    """A curve through points (x, y), with raised cosines between.

    >>> curve(torch.tensor([0.0, 0.5, 1.0]), ((0, 1), (1, 3))).tolist()
    [1.0, 2.0, 3.0]
    """
    rises = 0 * x
    for (start, low), (end, high) in pairwise(points):
        rises = rises + (high - low) * smooth_step(x, start, end)
    return points[0][1] + rises


def harmonics(pitch: Tensor, sample_rate: int, level: Callable[[Tensor], Tensor]) -> Tensor:
    """All harmonics of a pitch that are below the Nyquist frequency, float64.

    Args:
        pitch: the fundamental in Hz ``(L,)``.
        sample_rate: in Hz.
        level: the amplitude of a harmonic, as a function of its frequency in Hz.

    >>> harmonics(torch.full((800,), 440.0), 8000, lambda hertz: 100 / hertz).shape
    torch.Size([800])
    """
    phase = 2 * torch.pi * torch.cumsum(pitch.double(), 0) / sample_rate
    tone = torch.zeros(len(pitch), dtype=torch.float64)
    for number in range(1, 1 + int(sample_rate / 2 / float(pitch.min()))):
        # Harmonics that approach the Nyquist frequency are faded out to avoid clicks.
        below = ((0.49 * sample_rate - number * pitch) / (0.05 * sample_rate)).clamp(0, 1)
        tone += below * level(number * pitch) * torch.sin(number * phase)
    return tone
