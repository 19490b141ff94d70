"""The way of a synthetic sound to the listener: level, room, and background noise."""

import math

import torch
from torch import Tensor

from .draw import Draw
from .synthesis import coloured_noise, convolve, decay, glide

LOUDNESS_SECONDS = 0.05
"""The stretch over which loudness is measured, so that ticks and tones can be compared."""


def loudest(sound: Tensor, sample_rate: int) -> float:
    """The root mean square of the loudest 50 ms of a sound ``(L,)``.

    >>> loudest(torch.cat([torch.zeros(900), torch.ones(900)]), 8000)
    1.0
    """
    width = round(LOUDNESS_SECONDS * sample_rate)
    power = torch.nn.functional.avg_pool1d(sound.square()[None], width, width // 2)
    return math.sqrt(float(power.max()))


def room_response(draw: Draw) -> Tensor:
    """The way from a place in a room to the listener: direct sound, reflections, a noise tail.

    Walls and air colour it: a random tilt, and a random dip or peak.

    >>> response = room_response(Draw(0, 8000))
    >>> response.shape, int(response.abs().argmax())
    (torch.Size([4096]), 0)
    """
    rate, seconds = draw.sample_rate, draw.between(0.1, 0.5)
    length = round(seconds * rate)
    response = draw.noise(length) * decay(length, rate, seconds / 5)
    response *= 10 ** (draw.between(-16, -5) / 20) / response.norm()
    for _ in range(6):
        delay = draw.between(0.002, 0.04)
        response[round(delay * rate)] += draw.between(-0.5, 0.5) * math.exp(-delay / 0.04)
    response[0] = 1
    tilt, size = draw.between(-2, 2), 1 << length.bit_length()
    hertz = torch.linspace(0, rate / 2, size // 2 + 1).clamp_min(60)
    decibels = tilt * (hertz / 1000).log2()
    distance = (hertz / draw.pitch(200, 6000)).log2()
    decibels += draw.between(-9, 7) * torch.exp(-distance.square())
    coloured: Tensor = torch.fft.irfft(torch.fft.rfft(response, size) * minimum_phase(decibels))
    return coloured


def minimum_phase(decibels: Tensor) -> Tensor:
    """The causal filter with given levels, as a spectrum ``(F,)`` complex.

    Its impulse response starts at once, so that nothing sounds before its cause.

    >>> minimum_phase(torch.zeros(5)).real.tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    cepstrum = torch.fft.irfft(decibels * (math.log(10) / 20))
    half = len(cepstrum) // 2
    cepstrum[1:half] *= 2
    cepstrum[half + 1 :] = 0
    spectrum: Tensor = torch.fft.rfft(cepstrum).exp()
    return spectrum


def heard(sound: Tensor, start: int, length: int, draw: Draw) -> Tensor:
    """A sound ``(L,)`` in a clip, from ``start`` on, through a room; its loudness is 1.

    >>> heard(torch.ones(800), 100, 8000, Draw(0, 8000)).shape
    torch.Size([8000])
    """
    clip = torch.zeros(length)
    wet = convolve(sound, room_response(draw))[: length - start]
    clip[start : start + len(wet)] = wet
    return clip / loudest(clip, draw.sample_rate)


def background_noise(length: int, draw: Draw) -> Tensor:
    """Coloured noise that swells and fades, in some clips with the hum of a machine.

    Its root mean square is about 1.

    >>> background_noise(24000, Draw(0, 8000)).shape
    torch.Size([24000])
    """
    rate = draw.sample_rate
    noise = coloured_noise(length, rate, 20, rate / 2, draw.between(-7, 0), draw.generator)
    swell = torch.arange(length) / rate * draw.between(0.1, 0.8) + draw.between(0, 1)
    noise *= 1 + draw.between(0, 0.5) * torch.sin(2 * torch.pi * swell)
    if draw.between(0, 1) < 0.5:
        pitch = torch.full((length,), draw.pitch(60, 240))
        hum = glide(pitch, rate, [draw.between(0, 1) / number for number in range(1, 13)])
        noise += draw.between(0.3, 1) * hum / hum.std()
    return noise / noise.square().mean().sqrt()
