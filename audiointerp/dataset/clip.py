"""A clip of a data set of sound files: its file, classes, fold, name and recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from .clip_dataset import Target


@dataclass(frozen=True)
class Clip:
    """One clip of a data set.

    Attributes:
        path: the sound file.
        target: the number of the class; a tuple of numbers where clips may have several classes.
        fold: the fold of cross-validation.
        name: the clip's name in results; the file's name if empty.
        recording: what the clip was cut from; if empty, what a name of ESC-50 states, or else the
            clip itself.

    >>> Clip(Path("audio/1-977-A-39.wav"), target=39, recording="977").target
    39
    """

    path: Path
    target: Target
    fold: int = 1
    name: str = ""
    recording: str = ""


def in_folds(clips: Sequence[Clip], folds: Sequence[int] | None, source: Path) -> list[Clip]:
    """The clips of these folds, or all clips if ``folds`` is None.

    Raises:
        DatasetError: a fold has no clips, or ``folds`` is empty.

    >>> clips = [Clip(Path("a.wav"), 0, fold=1), Clip(Path("b.wav"), 0, fold=2)]
    >>> [clip.path.name for clip in in_folds(clips, (2,), Path("clips.csv"))]
    ['b.wav']
    """
    if folds is None:
        return list(clips)
    known = sorted({clip.fold for clip in clips})
    unknown = sorted(set(folds) - set(known))
    if unknown or not folds:
        names = ", ".join(map(str, unknown)) or "none"
        raise DatasetError(
            f"{source}: unknown fold {names}; it has the folds {', '.join(map(str, known))}"
        )
    return [clip for clip in clips if clip.fold in folds]
