"""Background noise: mixed into any data set, from any recording or from the three that this module makes."""

import os
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, AudioError, choose
from ..processing import load_audio, normalized
from .synthesis import coloured_noise, decay, whinny

NOISES = ("horse", "room", "white")


class ClipDataset(Protocol):
    """What this library asks of a data set of yours."""

    sample_rate: int
    labels: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]: ...

    def clip_id(self, index: int, /) -> str: ...


class Contaminated(Dataset[tuple[Tensor, int]]):
    """A data set with a noise mixed into each of its clips.

    Signal and noise are each divided by their root mean square, mixed ``ratio`` : ``1 - ratio``, then peak-normalised
    (the published protocol; 0.6 is a signal-to-noise ratio of 3.52 dB). The noise starts anew with each clip and repeats
    if it is shorter. A silent clip stays silent plus noise.

    Args:
        dataset: any data set of clips.
        noise: ``"horse"``, ``"room"``, ``"white"``, a path of a recording, or a sound ``(1, 1, L)`` at the data set's rate.
        ratio: the share of the signal's amplitude, in (0, 1].
    """

    def __init__(self, dataset: ClipDataset, noise: str | os.PathLike[str] | Tensor, ratio: float = 0.6) -> None:
        if not 0 < ratio <= 1:
            raise ArgumentError(f"ratio={ratio!r}: the share of the signal lies in (0, 1]")
        if isinstance(noise, str) and noise in NOISES:
            noise = made_noise(noise, dataset.sample_rate)
        elif not isinstance(noise, Tensor):
            noise = load_audio(noise, dataset.sample_rate)
        if noise.ndim != 3 or noise.shape[:2] != (1, 1) or not noise.shape[2] or not noise.isfinite().all():
            raise ArgumentError(f"a noise is one finite mono sound (1, 1, L), not {tuple(noise.shape)}")
        if not noise.any():
            raise ArgumentError("the noise is silent: nothing would be mixed in")
        self.dataset = dataset
        self.noise = noise[0]
        self.ratio = ratio
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        wav, target = self.dataset[index]
        noise = self.noise.repeat(1, -(-wav.shape[-1] // self.noise.shape[-1]))[:, : wav.shape[-1]]
        if not noise.any():
            raise AudioError(f"the first {wav.shape[-1] / self.sample_rate:g} s of the noise are silent; cut them off")
        mixed = self.ratio * normalized(wav, "rms") + (1 - self.ratio) * normalized(noise, "rms")
        return normalized(mixed, "peak"), target

    def clip_id(self, index: int) -> str:
        """The clip's name in results: that of the clean clip."""
        return self.dataset.clip_id(index)


def made_noise(name: str, sample_rate: int, seconds: float = 5.0, seed: int = 0) -> Tensor:
    """One of the three background noises, ``(1, 1, L)``, peak 1, the same for the same seed.

    ``"white"`` is Gaussian; ``"room"`` is ventilation hum and rumble in a room's reverberation; ``"horse"`` is a trot on
    gravel and a whinny. They are synthetic: put recordings in their place where realism matters.

    >>> made_noise("room", 16000).shape
    torch.Size([1, 1, 80000])
    """
    choose("noise", name, NOISES)
    generator = torch.Generator().manual_seed(seed)
    length = round(seconds * sample_rate)
    make = {"white": _white, "room": _room, "horse": _horse}[name]
    return normalized(make(length, sample_rate, generator)[None, None])


def _white(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    return torch.randn(length, generator=generator)


def _room(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    times = torch.arange(length) / sample_rate
    hum = sum(torch.sin(2 * torch.pi * 50 * k * times + k) / k**1.5 for k in range(1, 9)) * torch.ones(length)
    air = coloured_noise(length, sample_rate, 40, 0.45 * sample_rate, -6, generator)
    sound = 0.5 * hum / hum.std() + air / air.std()
    room = torch.randn(sample_rate // 2, generator=generator) * decay(sample_rate // 2, sample_rate, 0.12)
    room[0] += 8
    return torch.nn.functional.conv1d(
        torch.nn.functional.pad(sound, (len(room) - 1, 0), mode="constant")[None, None], room.flip(0)[None, None]
    )[0, 0]


def _horse(length: int, sample_rate: int, generator: torch.Generator) -> Tensor:
    sound = 0.01 * coloured_noise(length, sample_rate, 60, 4000, -4, generator)
    hoof = sample_rate // 5
    for beat in range(int(length / sample_rate * 4.4)):
        thud = coloured_noise(hoof, sample_rate, 90, 700, -3, generator) * decay(hoof, sample_rate, 0.018)
        gravel = coloured_noise(hoof, sample_rate, 1200, 6500, 0, generator) * decay(hoof, sample_rate, 0.03)
        jitter = float(torch.rand(1, generator=generator)) * 0.02
        start = round(((beat + 0.16 * (beat % 2)) / 4.4 + jitter) * sample_rate)
        step = (0.8 if beat % 2 else 1.0) * (thud / thud.abs().max() + 0.25 * gravel / gravel.abs().max())
        room = sound[start : start + hoof]
        room += step[: len(room)]
    call = 0.9 * whinny(round(1.6 * sample_rate), sample_rate, generator)
    place = sound[round(0.3 * length) : round(0.3 * length) + len(call)]
    place += call[: len(place)]
    return sound
