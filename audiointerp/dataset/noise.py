"""Background noise: mixed into any data set, from any recording or from the three that this module makes."""

import os
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, AudioError, choose
from ..files import make_folder
from ..processing import load_audio, normalized, save_audio
from .soundscape import horse, room, white
from .synthesis import one_thread

MAKERS = {"horse": horse, "room": room, "white": white}
NOISES = tuple(MAKERS)
LONGEST = 600.0
"""Seconds of a made noise."""


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
        self.noise = noise[0].float()
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

    ``"white"`` is Gaussian; ``"room"`` is a fan's hum and flow noise in a room's reverberation; ``"horse"`` is a trot on
    gravel and a whinny. They repeat without a seam, and are synthetic: give a recording where realism matters.

    Raises:
        ArgumentError: the name is unknown, or the length or the rate is out of range.

    >>> made_noise("room", 16000).shape
    torch.Size([1, 1, 80000])
    """
    choose("noise", name, NOISES)
    if not (0.1 <= seconds <= LONGEST and sample_rate >= 8000):
        raise ArgumentError(
            f"seconds={seconds!r}, sample_rate={sample_rate!r}: a made noise has 0.1 to {LONGEST:g} s, at 8000 Hz or more"
        )
    generator = torch.Generator().manual_seed(seed)
    with one_thread():
        sound = MAKERS[name](round(seconds * sample_rate), sample_rate, generator)
        return normalized(sound[None, None]).float()


def write_noises(out: str | os.PathLike[str], sample_rate: int = 32000) -> list[Path]:
    """Write the made noises to a folder as 16-bit WAV files, the same bytes each time: what ``noises/`` holds."""
    folder = make_folder(out)
    paths = [folder / f"{name}.wav" for name in NOISES]
    for path in paths:
        save_audio(path, made_noise(path.stem, sample_rate), sample_rate, subtype="PCM_16")
    return paths
