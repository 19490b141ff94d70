"""Labelled clips on a disk, as a torch data set: the base of ESC-50, and the way in for anybody's own recordings."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, DatasetError, choose
from ..processing import NORMALIZATIONS, fix_length, load_audio, normalized
from .table import file_in, no_file_twice, read_table

AUDIO_ENDINGS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"})
T = TypeVar("T")


@dataclass(frozen=True)
class Clip:
    """One row of a data set: where the sound is, the number of its class, its fold, its name in results (the file's if "")."""

    path: Path
    target: int
    fold: int = 1
    name: str = ""


class LabelledClips(Dataset[tuple[Tensor, int]]):
    """Sound files with labels; an item is ``(wav (1, L) float32, target)``.

    Attributes:
        labels: the names of the classes, by target.
        clips: the rows, in the order of the items.
        sample_rate, duration, normalize: how each clip is brought to one form (Hz, seconds, see ``load_audio``);
            clips are cut at their end, or followed by silence.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        labels: Sequence[str],
        *,
        sample_rate: int = 32000,
        duration: float = 5.0,
        normalize: str = "peak",
    ) -> None:
        if not clips:
            raise DatasetError("the data set holds no clips")
        strays = [clip for clip in clips if not 0 <= clip.target < len(labels)]
        if strays:
            raise DatasetError(f"{strays[0].path}: target {strays[0].target} is not among {len(labels)} labels")
        if not 0 < duration < math.inf:
            raise ArgumentError(f"duration={duration!r}: a clip needs more than 0 seconds")
        self.clips = tuple(clips)
        self.labels = tuple(labels)
        self.sample_rate = sample_rate
        self.duration = duration
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)

    @classmethod
    def from_folder(
        cls, root: str | os.PathLike[str], labels: Sequence[str] | None = None, **form: float | str
    ) -> "LabelledClips":
        """A folder with one subfolder a class; files in the order of their names.

        Args:
            root: the folder.
            labels: the names of the classes by target, ``classifier.labels`` say; by default the subfolders' names in order.
            form: ``sample_rate``, ``duration`` and ``normalize``, as for the class.

        Raises:
            DatasetError: the folder is missing, no subfolder holds a sound file, or one is not among ``labels``.
        """
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such data folder")
        by_label = {folder.name: sound_files(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
        found = [label for label, paths in by_label.items() if paths]
        if not found:
            raise DatasetError(f"{root}: no subfolder holds a sound file; a class is a subfolder with its clips")
        clips = [
            Clip(path, target, name=f"{label}/{path.name}")
            for label, target in _numbered(found, labels, root).items()
            for path in by_label[label]
        ]
        return cls(clips, labels or found, **form)  # type: ignore[arg-type]  # each keyword is checked where it is used

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        folds: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        **form: float | str,
    ) -> "LabelledClips":
        """A table with the columns ``filename`` (beside the table, or in folders below it), ``label`` and perhaps ``fold``.

        Targets number ``labels``, or else the labels of the whole table in the order of their names, whichever folds are taken.

        Raises:
            DatasetError: the table or a column is missing, a row is not whole, a file stands twice or outside the folder, or
                a fold is not in the table.
        """
        path = Path(path)
        rows = read_table(path, ("filename", "label"))
        no_file_twice(rows)
        found = sorted({row["label"] for row in rows})
        targets = _numbered(found, labels, path)
        clips = [
            Clip(file_in(path.parent, row, bare=False), targets[row["label"]], row.number("fold"), row["filename"])
            for row in rows
        ]
        return cls(in_folds(clips, folds, path), labels or found, **form)  # type: ignore[arg-type]  # as above

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        clip = clip_at(self.clips, index)
        wav = load_audio(clip.path, self.sample_rate, normalize="none")
        wav = fix_length(wav, round(self.duration * self.sample_rate))
        return normalized(wav, self.normalize)[0], clip.target

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        clip = clip_at(self.clips, index)
        return clip.name or clip.path.name


def clip_at(by_clip: Sequence[T], index: int) -> T:
    """What a data set keeps of its clip ``index``; the error says how many there are.

    >>> clip_at(["a", "b"], 2)
    Traceback (most recent call last):
    IndexError: clip 2: there are 2 clips, numbered from 0 to 1
    """
    if not -len(by_clip) <= index < len(by_clip):
        raise IndexError(f"clip {index}: there are {len(by_clip)} clips, numbered from 0 to {len(by_clip) - 1}")
    return by_clip[index]


def _numbered(found: Sequence[str], labels: Sequence[str] | None, source: Path) -> dict[str, int]:
    """The target of each label that was found."""
    targets = {label: target for target, label in enumerate(labels or found)}
    unknown = [label for label in found if label not in targets]
    if unknown:
        raise DatasetError(f"{source}: unknown label {', '.join(unknown)}; choose among: {', '.join(targets)}")
    return {label: targets[label] for label in found}


def sound_files(folder: Path) -> list[Path]:
    """The sound files of a folder by their endings, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in AUDIO_ENDINGS)


def in_folds(clips: Sequence[Clip], folds: Sequence[int] | None, source: Path) -> list[Clip]:
    """The clips of these folds, of all where None.

    Raises:
        DatasetError: a fold has no clips.
    """
    if folds is None:
        return list(clips)
    known = {clip.fold for clip in clips}
    unknown = sorted(set(folds) - known)
    if unknown or not folds:
        names = ", ".join(map(str, unknown)) or "none"
        raise DatasetError(f"{source}: unknown fold {names}; it has the folds {', '.join(map(str, sorted(known)))}")
    return [clip for clip in clips if clip.fold in folds]
