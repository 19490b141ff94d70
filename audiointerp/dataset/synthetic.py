"""Synthetic clips in the layout of ESC-50, with the true position of each sound.

Ten sounds that a listener can name, each varied in pitch, rate, place, level and room. In each clip
sounds one of them, the event; a shorter and quieter one of another class, the distractor; and a
background. The three are known separately, and so are the bins that an explanation should mark. The
clips need no download and no licence.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, DatasetError, choose
from ..processing import Transform, normalized, save_audio
from .acoustics import background_noise, heard
from .clip_dataset import clip_at, esc50_recording
from .draw import Draw
from .sounds import CLASSES
from .synthesis import one_thread

FOLDS = (1, 2, 3, 4, 5)
CLIPS_PER_CLASS = 8
EVENT_SECONDS = (1.8, 2.8)
DISTRACTOR_SECONDS = (0.5, 1.1)
DISTRACTOR_LEVELS = (-12.0, -3.0)
"""The loudness of the distractor in dB above that of the event."""
BACKGROUND_LEVELS = (-24.0, -7.0)
"""The level of the background in dB above the loudness of the event."""
AUDIBLE_DECIBELS = 40.0
"""A source counts where it is at most so much below its own loudest bin."""


class Parts(NamedTuple):
    """The sounds that a synthetic clip is the sum of, each ``(1, 1, L)``.

    >>> event, distractor, background = Synthetic((5,), sample_rate=8000).parts(0)
    >>> event.shape
    torch.Size([1, 1, 40000])
    """

    event: Tensor
    distractor: Tensor
    background: Tensor


class Synthetic(Dataset[tuple[Tensor, int]]):
    """400 synthetic clips: 5 folds, with 8 clips of each of 10 classes.

    An item is ``(wav (1, L) float32, target)``, peak-normalised; the target is the class of the
    event. It is computed at each access (tens of milliseconds), bit-identical for any number of
    threads.

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
    (80, torch.Size([1, 48000]), 'siren')
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
        wav = torch.stack(self.parts(index)).sum(0)
        return wav[0], self.rows[index][2]

    def clip_id(self, index: int) -> str:
        """The clip's name in results and in :meth:`write`, in the pattern of ESC-50."""
        fold, number, target = clip_at(self.rows, index)
        return f"{fold}-{fold}{target:02d}{number:02d}-A-{target}.wav"

    def recording(self, index: int) -> str:
        """The number in the clip's name, as ESC50 reads it from a written copy: no two share it.

        >>> dataset = Synthetic()
        >>> dataset.recording(3), dataset.clip_id(83)
        ('10003', '2-20003-A-0.wav')
        """
        return esc50_recording(self.clip_id(index))

    def targets(self, index: int) -> tuple[int, ...]:
        """The number of the clip's class."""
        return (clip_at(self.rows, index)[2],)

    def distractor(self, index: int) -> int:
        """The number of the distractor's class, which is never that of the event."""
        return self._start(index)[1]

    @one_thread()
    def parts(self, index: int) -> Parts:
        """The event, the distractor and the background of a clip; the clip is their sum."""
        draw, other = self._start(index)
        event = self._placed(self.rows[index][2], EVENT_SECONDS, draw)
        distractor = self._placed(other, DISTRACTOR_SECONDS, draw)
        distractor *= 10 ** (draw.between(*DISTRACTOR_LEVELS) / 20)
        background = background_noise(len(event), draw)
        background *= 10 ** (draw.between(*BACKGROUND_LEVELS) / 20)
        peak = (event + distractor + background).abs().max()
        return Parts(*(part[None, None] / peak for part in (event, distractor, background)))

    def support(self, index: int, transform: Transform, source: str = "event") -> Tensor:
        """The bins that belong to the event, or to the distractor, bool ``(1, 1, F, T)``.

        A bin is the source's where it is louder than everything else in the clip, and at most
        40 dB below its own loudest bin.

        Args:
            index: of the clip.
            transform: makes the bins.
            source: ``"event"`` or ``"distractor"``.

        Raises:
            ArgumentError: there is no such source.

        >>> from audiointerp import LogMel
        >>> Synthetic((5,)).support(0, LogMel()).shape
        torch.Size([1, 1, 64, 501])
        """
        choose("source", source, ("event", "distractor"))
        parts = self.parts(index)
        level = transform(getattr(parts, source)).db
        others = [part for name, part in parts._asdict().items() if name != source]
        rest = transform(torch.stack(others).sum(0)).db
        return (level > rest) & (level > level.max() - AUDIBLE_DECIBELS)

    def _start(self, index: int) -> tuple[Draw, int]:
        """Start a clip's random numbers, with its distractor's class."""
        fold, number, target = clip_at(self.rows, index)
        draw = Draw(((self.seed * 10 + fold) * 100 + target) * 100 + number, self.sample_rate)
        return draw, (target + draw.whole(1, len(CLASSES) - 1)) % len(CLASSES)

    def _placed(self, target: int, seconds: tuple[float, float], draw: Draw) -> Tensor:
        """Make a sound of a class somewhere in a clip, in a room."""
        length = round(self.duration * self.sample_rate)
        sound = list(CLASSES.values())[target](draw, draw.between(*seconds))
        return heard(sound, round(draw.between(0, length - len(sound))), length, draw)

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
            for index, (fold, _, target) in enumerate(self.rows):
                name, source = self.clip_id(index), self.recording(index)
                writer.writerow([name, fold, target, self.labels[target], True, source, "A"])
