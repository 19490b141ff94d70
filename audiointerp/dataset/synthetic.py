"""Synthetic clips in the layout of ESC-50, with the true position of each sound.

The ten classes differ in how the sound changes over time, not in its frequency: pitch, duration,
onset, level and background vary from clip to clip, so a mean spectrum says little about the class.
The clips need no download and no licence. Event and background of each clip are known separately,
so the bins that an explanation should mark are known, too.
"""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, DatasetError
from ..processing import Transform, normalized, save_audio
from .clip_dataset import clip_at, esc50_recording
from .synthesis import coloured_noise, decay, fade, glide, one_thread

FOLDS = (1, 2, 3, 4, 5)
CLIPS_PER_CLASS = 8


class Draw:
    """The random parameters of one clip, at its sample rate.

    >>> 300 <= Draw(0, 8000).pitch() <= 3000
    True
    """

    def __init__(self, seed: int, sample_rate: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.sample_rate = sample_rate

    def between(self, low: float, high: float) -> float:
        """Draw a number uniformly."""
        return low + (high - low) * float(torch.rand(1, generator=self.generator))

    def pitch(self, low: float = 300.0, high: float = 3000.0) -> float:
        """Draw a frequency in Hz, uniformly on a logarithmic scale."""
        return float(low * (high / low) ** self.between(0, 1))

    def samples(self, low: float, high: float) -> int:
        """Draw a duration in seconds uniformly; returns the number of samples."""
        return round(self.between(low, high) * self.sample_rate)

    def partials(self) -> list[float]:
        """Draw the amplitudes of one to four partials."""
        return [self.between(0.2, 1) / number for number in range(1, 2 + int(self.between(0, 4)))]

    def glide(self, frequency: Callable[[Tensor], Tensor], length: int) -> Tensor:
        """A tone whose pitch follows ``frequency``, Hz as a function of s, with faded ends."""
        tone = glide(frequency, length, self.sample_rate, self.partials())
        return tone * fade(length, self.sample_rate, 0.02)

    def noise(self, length: int) -> Tensor:
        """Noise in a band of one to three octaves."""
        low = self.pitch()
        high = low * 2 ** self.between(1, 3)
        slope = self.between(-6, 3)
        return coloured_noise(length, self.sample_rate, low, high, slope, self.generator)


def _sweep(draw: Draw, direction: int) -> Tensor:
    start, octaves = draw.pitch(), direction * draw.between(0.7, 1.6)
    length = draw.samples(0.6, 2.0)
    return draw.glide(lambda t: start * 2 ** (octaves * t * draw.sample_rate / length), length)


def _tone(draw: Draw) -> Tensor:
    pitch = draw.pitch()
    return draw.glide(lambda t: torch.full_like(t, pitch), draw.samples(0.8, 2.5))


def _beeps(draw: Draw) -> Tensor:
    pitch, rate, length = draw.pitch(), draw.between(3, 8), draw.samples(1.0, 2.5)
    times = torch.arange(length) / draw.sample_rate
    return draw.glide(lambda t: torch.full_like(t, pitch), length) * ((times * rate) % 1 < 0.5)


def _siren(draw: Draw) -> Tensor:
    pitch, rate, depth = draw.pitch(), draw.between(1.5, 4), draw.between(0.3, 0.7)
    return draw.glide(
        lambda t: pitch * 2 ** (depth * torch.sin(2 * torch.pi * rate * t)), draw.samples(1.2, 2.5)
    )


def _two_tone(draw: Draw) -> Tensor:
    pitch, rate, interval = draw.pitch(), draw.between(1.5, 4), draw.between(0.25, 0.7)
    return draw.glide(
        lambda t: pitch * 2 ** (interval * ((t * rate) % 1 < 0.5)), draw.samples(1.2, 2.5)
    )


def _burst(draw: Draw) -> Tensor:
    length = draw.samples(0.5, 1.2)
    return draw.noise(length) * decay(length, draw.sample_rate, draw.between(0.08, 0.25))


def _hiss(draw: Draw) -> Tensor:
    length = draw.samples(1.0, 2.5)
    return draw.noise(length) * fade(length, draw.sample_rate, 0.2)


def _clicks(draw: Draw) -> Tensor:
    length, rate = draw.samples(1.0, 2.5), draw.between(5, 14)
    since_click = ((torch.arange(length) / draw.sample_rate * rate) % 1) / rate
    return draw.noise(length) * torch.exp(-since_click / 0.006)


def _calls(draw: Draw) -> Tensor:
    pitch, gap = draw.pitch(300, 1200), draw.samples(0.08, 0.3)
    calls = []
    for _ in range(2 + int(draw.between(0, 3))):
        length = draw.samples(0.12, 0.25)
        tone = glide(
            lambda t: pitch * 2 ** (-3 * t), length, draw.sample_rate, [0.6, 1.0, 0.7, 0.5, 0.3]
        )
        calls += [tone * fade(length, draw.sample_rate, 0.02), torch.zeros(gap)]
    return torch.cat(calls)


CLASSES: dict[str, Callable[[Draw], Tensor]] = {
    "tone": _tone,
    "rise": lambda draw: _sweep(draw, 1),
    "fall": lambda draw: _sweep(draw, -1),
    "beeps": _beeps,
    "siren": _siren,
    "two_tone": _two_tone,
    "burst": _burst,
    "hiss": _hiss,
    "clicks": _clicks,
    "calls": _calls,
}


class Synthetic(Dataset[tuple[Tensor, int]]):
    """400 synthetic clips: 5 folds, with 8 clips of each of 10 classes.

    An item is ``(wav (1, L) float32, target)``, peak-normalised. It is computed at each access (a
    few milliseconds), bit-identical for any number of threads.

    Args:
        folds: which of the folds 1 to 5 to use; all by default.
        sample_rate: in Hz, at least 8000.
        duration: in seconds, at least 3.
        seed: equal seeds give equal clips.

    Raises:
        DatasetError: a fold is unknown, or there is none.
        ArgumentError: the duration or the rate is too small.

    >>> dataset = Synthetic(folds=(5,), sample_rate=16000, duration=3.0)
    >>> wav, target = dataset[0]
    >>> len(dataset), wav.shape, dataset.labels[target]
    (80, torch.Size([1, 48000]), 'tone')
    """

    def __init__(
        self,
        folds: Sequence[int] | None = None,
        *,
        sample_rate: int = 32000,
        duration: float = 5.0,
        seed: int = 0,
    ) -> None:
        folds = FOLDS if folds is None else tuple(dict.fromkeys(folds))
        unknown = [fold for fold in folds if fold not in FOLDS]
        if unknown or not folds:
            raise DatasetError(
                f"unknown fold {unknown or 'none'}; the synthetic clips have the folds 1 to 5"
            )
        if duration < 3 or sample_rate < 8000:
            raise ArgumentError(
                f"duration={duration}, sample_rate={sample_rate}: synthetic clips need at least "
                "3 s and 8000 Hz"
            )
        self.labels = tuple(CLASSES)
        self.sample_rate = sample_rate
        self.duration = duration
        self.seed = seed
        self.rows = [
            (fold, number, target)
            for fold in folds
            for target in range(len(CLASSES))
            for number in range(CLIPS_PER_CLASS)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        event, background = self.parts(index)
        return (event + background)[0], self.rows[index][2]

    def clip_id(self, index: int) -> str:
        """The clip's name in results and in :meth:`write`, in the pattern of ESC-50."""
        fold, number, target = clip_at(self.rows, index)
        return f"{fold}-{target:02d}{number:02d}-A-{target}.wav"

    def recording(self, index: int) -> str:
        """The recording in the clip's name, as ESC50 reads it from a written copy."""
        return esc50_recording(self.clip_id(index))

    def targets(self, index: int) -> tuple[int, ...]:
        """The number of the clip's class."""
        return (clip_at(self.rows, index)[2],)

    @one_thread()
    def parts(self, index: int) -> tuple[Tensor, Tensor]:
        """The event and the background of a clip, each ``(1, 1, L)``; the clip is their sum."""
        fold, number, target = clip_at(self.rows, index)
        draw = Draw(((self.seed * 10 + fold) * 100 + target) * 100 + number, self.sample_rate)
        length = round(self.duration * self.sample_rate)
        sound = list(CLASSES.values())[target](draw)
        sound = sound / sound.abs().max()
        start = round(draw.between(0, length - len(sound)))
        event = torch.zeros(length)
        event[start : start + len(sound)] = sound
        slope, ratio = draw.between(-6, 0), draw.between(5, 25)
        background = coloured_noise(
            length, self.sample_rate, 20, self.sample_rate / 2, slope, draw.generator
        )
        background *= sound.square().mean().sqrt() * 10 ** (-ratio / 20)
        peak = (event + background).abs().max()
        return (event / peak)[None, None], (background / peak)[None, None]

    def support(self, index: int, transform: Transform) -> Tensor:
        """The bins in which the event is louder than the background, bool ``(1, 1, F, T)``.

        This is the ideal binary mask of source separation, with a criterion of 0 dB.
        """
        event, background = self.parts(index)
        return transform(event).db > transform(background).db

    def write(self, root: str | os.PathLike[str]) -> None:
        """Write the clips and their table to the folder ``root``, in the layout of ESC-50."""
        root = Path(root)
        (root / "audio").mkdir(parents=True, exist_ok=True)
        (root / "meta").mkdir(exist_ok=True)
        for index in range(len(self)):
            wav, _ = self[index]
            path = root / "audio" / self.clip_id(index)
            save_audio(path, normalized(wav[None]), self.sample_rate)
        with (root / "meta" / "esc50.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["filename", "fold", "target", "category", "esc10", "src_file", "take"])
            for index, (fold, number, target) in enumerate(self.rows):
                name, label = self.clip_id(index), self.labels[target]
                source = f"{target:02d}{number:02d}"
                writer.writerow([name, fold, target, label, True, source, "A"])
