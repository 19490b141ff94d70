"""The three synthetic background noises, ``(L,)`` float64, which repeat seamlessly.

They are computed in float64, so that the last bits of another processor do not change the 16-bit
files in ``noises/``. Their level is arbitrary.
"""

import math

import torch
from torch import Tensor

from .synthesis import coloured_noise, curve, harmonics, smooth_step

BEATS_PER_SECOND = 2.8
"""The tempo of the trot: 14 beats in 5 s, so that it stays even where the noise repeats."""
HOOF_MODES = (
    (88.0, 0.03, 0.9),
    (165.0, 0.02, 0.5),
    (430.0, 0.008, 0.45),
    (860.0, 0.006, 0.35),
    (1500.0, 0.004, 0.25),
)
"""Frequency in Hz, time constant in s and amplitude: two modes of the ground, three of the hoof."""
WHINNY_SECONDS, WHINNY_START = 1.9, 1.6
VIBRATO_HERTZ = 10.5
FORMANTS = (
    (750.0, 350.0, 1.0),
    (1700.0, 500.0, 0.7),
    (3100.0, 800.0, 0.35),
    (5200.0, 1500.0, 0.12),
)
"""Centre and bandwidth in Hz, and amplitude, of the whinny's resonances."""
FAN_HERTZ = 24.0
"""Revolutions per second: a four-pole motor with seven blades."""
FAN_PARTIALS = ((2, 0.1), (4, 0.4), (7, 1.0), (8, 0.25), (14, 0.5), (21, 0.25), (28, 0.1))
"""Multiple of the rotation and amplitude; 7, 14, 21 and 28 belong to the blades."""
REVERBERATION = (
    (0, 0.9),
    (250, 0.8),
    (500, 0.7),
    (1000, 0.6),
    (2000, 0.5),
    (4000, 0.4),
    (8000, 0.3),
)
"""Lower edge of a band in Hz, and its reverberation time (60 dB) in seconds."""


def white(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    """White Gaussian noise.

    >>> white(800, 8000, torch.Generator()).shape
    torch.Size([800])
    """
    return torch.randn(length, generator=generator, dtype=torch.float64)


def room(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    """A ventilated room: a fan's hum and flow noise, and ticks of the duct, with reverberation.

    >>> room(8000, 8000, torch.Generator()).shape
    torch.Size([8000])
    """
    turns = _periodic_phase(FAN_HERTZ, length, sample_rate)
    hum = torch.zeros(length, dtype=torch.float64)
    for number, level in FAN_PARTIALS:
        tone = torch.sin(number * turns + 2 * torch.pi * _between(0, 1, generator))
        hum += level * tone * _sway(length, sample_rate, generator)
    flow = coloured_noise(length, sample_rate, 50, sample_rate / 2, -4.5, generator, torch.float64)
    sound = hum / hum.std() + 1.1 * flow * _sway(length, sample_rate, generator)
    tick_length = round(0.05 * sample_rate)
    tick_decay = torch.exp(-_times(tick_length, sample_rate) / 0.004)
    for place in (0.07, 0.36, 0.41, 0.78):
        tick = coloured_noise(
            tick_length, sample_rate, 400, sample_rate / 2, -5, generator, torch.float64
        )
        strength = 10 * _between(0.5, 1, generator)
        _add_at(sound, strength * tick * tick_decay, round(place * length))
    return _start_near_zero(_convolve(sound, _room_response(sample_rate, generator)))


def horse(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    """A trot on gravel, one whinny, and a little wind.

    >>> horse(24000, 8000, torch.Generator()).shape
    torch.Size([24000])
    """
    sound = 0.008 * coloured_noise(
        length, sample_rate, 40, sample_rate / 2, -5, generator, torch.float64
    )
    beats = max(1, round(length / sample_rate * BEATS_PER_SECOND))
    for beat in range(beats):
        start = (beat + 0.3) / beats * length + _between(-0.012, 0.012, generator) * sample_rate
        # The two diagonal pairs of hooves differ a little.
        pitch, loudness = (1.0, 1.0) if beat % 2 else (1.08, 0.85)
        # The fore and the hind hoof of a pair.
        for delay, weight in ((0.0, 1.0), (_between(0.008, 0.022, generator), 0.6)):
            level = weight * loudness * _between(0.75, 1.0, generator)
            step = level * _hoof(sample_rate, pitch, generator)
            _add_at(sound, step, round(start + delay * sample_rate))
    _add_at(sound, 0.7 * _whinny(sample_rate, generator), round(WHINNY_START / 5 * length))
    return _start_near_zero(sound)


def _hoof(sample_rate: int, pitch: float, generator: torch.Generator) -> Tensor:
    """One step: the thud of the ground, the clop of the hoof, and scattering stones."""
    length = round(0.35 * sample_rate)
    times = _times(length, sample_rate)
    sound = torch.zeros(length, dtype=torch.float64)
    for hertz, seconds, level in HOOF_MODES:
        tone = torch.sin(2 * torch.pi * hertz * pitch * _between(0.93, 1.07, generator) * times)
        sound += level * _between(0.6, 1, generator) * tone * torch.exp(-times / seconds)
    stones = torch.zeros(length, dtype=torch.float64)
    # Onsets in seconds, exponentially distributed.
    uniform = torch.rand(140, generator=generator, dtype=torch.float64).clamp_min(1e-4)
    onsets = -0.045 * uniform.log()
    sizes = torch.randn(140, generator=generator, dtype=torch.float64) ** 3
    positions = (onsets * sample_rate).long().clamp_max(length - 1)
    stones.index_add_(0, positions, sizes * torch.exp(-onsets / 0.08))
    grain = coloured_noise(length, sample_rate, 1000, sample_rate / 2, -4, generator, torch.float64)
    stones = _convolve(stones, grain * torch.exp(-times / 0.0012))
    ends = smooth_step(times, 0.0, 0.001) * (1 - smooth_step(times, 0.33, 0.35))
    return (sound + 0.6 * stones / stones.abs().max()) * ends


def _whinny(sample_rate: int, generator: torch.Generator) -> Tensor:
    """A horse's whinny, peak 1: harmonics under formants, vibrato, tremolo and breath noise."""
    length = round(WHINNY_SECONDS * sample_rate)
    position = torch.linspace(0, 1, length, dtype=torch.float64)
    cycles = VIBRATO_HERTZ * WHINNY_SECONDS
    vibrato = torch.sin(2 * torch.pi * cycles * (position + 0.06 * position**2))
    depth = 0.015 + 0.075 * smooth_step(position, 0.25, 0.7)
    wander = 0.01 * coloured_noise(length, sample_rate, 2, 40, -3, generator, torch.float64)
    pitch_points = ((0, 480), (0.07, 780), (0.2, 960), (0.45, 860), (0.75, 600), (1, 380))
    pitch = curve(position, pitch_points) * (1 + depth * vibrato + wander)
    cry = harmonics(pitch, sample_rate, lambda hertz: (hertz / 500) ** -0.7 * _formants(hertz))
    breath = coloured_noise(length, sample_rate, 400, sample_rate / 2, -5, generator, torch.float64)
    tremolo = 1 - (0.1 + 0.5 * smooth_step(position, 0.35, 0.8)) * (0.5 - 0.5 * vibrato)
    shimmer = 1 + 0.12 * coloured_noise(length, sample_rate, 3, 30, -3, generator, torch.float64)
    level = curve(position, ((0, 0), (0.06, 0.6), (0.2, 1), (0.5, 0.85), (0.8, 0.45), (1, 0)))
    sound = (cry / cry.std() + 0.16 * breath) * tremolo * shimmer * level
    return sound / sound.abs().max()


def _formants(hertz: Tensor) -> Tensor:
    """The gain of the whinny's resonances."""
    gain = 0 * hertz + 0.04
    for centre, width, level in FORMANTS:
        gain = gain + level / (1 + ((hertz - centre) / (width / 2)) ** 2)
    return gain


def _room_response(sample_rate: int, generator: torch.Generator) -> Tensor:
    """A room's impulse response of 1.2 s: the direct sound, then bands of decaying noise."""
    length = round(1.2 * sample_rate)
    times = _times(length, sample_rate)
    response = torch.zeros(length, dtype=torch.float64)
    ends = [low for low, _ in REVERBERATION[1:]] + [sample_rate / 2]
    for (low, seconds), high in zip(REVERBERATION, ends, strict=True):
        if low < sample_rate / 2:
            band = coloured_noise(length, sample_rate, low, high, 0, generator, torch.float64)
            level = math.sqrt((high - low) / sample_rate)
            response += level * band * torch.exp(-math.log(1000) * times / seconds)
    response *= smooth_step(times, 0.0, 0.02)
    response[0] += 6
    return response


def _times(length: int, sample_rate: int) -> Tensor:
    """The time of each sample in seconds."""
    return torch.arange(length, dtype=torch.float64) / sample_rate


def _sway(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    """A slow, small fluctuation of level around 1."""
    return 1 + 0.08 * coloured_noise(length, sample_rate, 0.3, 3, 0, generator, torch.float64)


def _periodic_phase(hertz: float, length: int, sample_rate: int) -> Tensor:
    """The phase in radians of a tone near ``hertz`` that has whole cycles in ``length``."""
    cycles = max(1, round(hertz * length / sample_rate))
    return 2 * torch.pi * cycles * torch.arange(length, dtype=torch.float64) / length


def _convolve(sound: Tensor, response: Tensor) -> Tensor:
    """Circular convolution, so that the end rings into the beginning."""
    spectrum = torch.fft.rfft(sound) * torch.fft.rfft(response, n=len(sound))
    convolved: Tensor = torch.fft.irfft(spectrum, n=len(sound))
    return convolved


def _add_at(sound: Tensor, part: Tensor, start: int) -> None:
    """Add ``part`` to ``sound`` in place, from ``start`` on, wrapping at its end."""
    sound.index_add_(0, (start + torch.arange(len(part))) % len(sound), part)


def _start_near_zero(sound: Tensor) -> Tensor:
    """Rotate the loop to start near 0, within its first hundredth, which avoids a click."""
    return sound.roll(-int(sound[: max(1, len(sound) // 100)].abs().argmin()))


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator, dtype=torch.float64))
