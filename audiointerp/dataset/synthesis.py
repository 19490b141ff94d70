"""The few sound generators that the made data set and the made noises are built from; each returns ``(L,)`` float32."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def decay(length: int, sample_rate: int, seconds: float) -> Tensor:
    """An exponential that falls by e in ``seconds``."""
    return torch.exp(-torch.arange(length) / (seconds * sample_rate))


def fade(length: int, sample_rate: int, seconds: float = 0.01) -> Tensor:
    """Ones with a raised-cosine ramp of ``seconds`` at both ends."""
    ramp = min(max(1, round(seconds * sample_rate)), length // 2)
    rise = 0.5 - 0.5 * torch.cos(torch.pi * torch.arange(ramp) / max(ramp, 1))
    return torch.cat([rise, torch.ones(length - 2 * ramp), rise.flip(0)])


def coloured_noise(
    length: int, sample_rate: int, low: float, high: float, slope: float, generator: torch.Generator
) -> Tensor:
    """Gaussian noise between ``low`` and ``high`` Hz (nothing outside), falling by ``-slope`` dB an octave; spread 1."""
    spectrum = torch.fft.rfft(torch.randn(length, generator=generator))
    frequencies = torch.linspace(0, sample_rate / 2, len(spectrum))
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


def whinny(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    """A horse's call: a falling, trembling harmonic cry over breath; peak 1."""
    seconds = length / sample_rate

    def pitch(times: Tensor) -> Tensor:
        position = times / seconds
        arch = 650 + 900 * torch.sin(torch.pi * position.clamp(0, 1) ** 0.6) - 250 * position
        return arch * (1 + 0.06 * torch.sin(2 * torch.pi * 11 * times))

    cry = glide(pitch, length, sample_rate, [1.0, 0.7, 0.5, 0.3, 0.2, 0.1])
    times = torch.arange(length) / sample_rate
    breath = 0.15 * coloured_noise(length, sample_rate, 800, 6000, -3, generator)
    tremble = 0.65 + 0.35 * torch.sin(2 * torch.pi * 11 * times + 1)
    sound = (cry + breath) * tremble * fade(length, sample_rate, 0.25)
    return sound / sound.abs().max()
