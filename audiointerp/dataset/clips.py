"""Labelled sound files as a torch data set: the base of ESC-50, and for your own clips."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import DatasetError, choose
from ..processing import NORMALIZATIONS, load_levels, normalized
from ..util import CacheChoice, open_cache
from .clip import Clip, in_folds
from .clip_dataset import Target, as_targets, clip_at, esc50_recording
from .folders import class_folders
from .label_table import read_labels
from .length import FixedLength

TABLES = ("meta/esc50.csv", "metadata/UrbanSound8K.csv")
"""The tables by which the folders of known data sets are recognised."""


class LabelledClips(Dataset[tuple[Tensor, Target]]):
    """Sound files with labels; an item is ``(wav (1, L) float32, target)``.

    Args:
        clips: the clips, in the order of the items.
        labels: the class names by target.
        sample_rate: the rate in Hz to which clips are resampled.
        duration: the length in seconds; longer clips are cut, shorter ones padded with silence. An
            AudioWarning names the first clip that is cut by more than 5 %. None takes whole files,
            whose lengths may differ: they can be explained and scored, not trained on.
        normalize, cache: see ``load_audio``.

    Raises:
        DatasetError: there are no clips, or a target has no label.
        ArgumentError: ``duration`` or ``normalize`` is invalid.

    >>> dataset = LabelledClips([Clip(Path("a.wav"), 1)], ["cat", "dog"], duration=1.0)
    >>> len(dataset), dataset.clip_id(0), dataset.recording(0), dataset.targets(0)
    (1, 'a.wav', 'a.wav', (1,))
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        labels: Sequence[str],
        *,
        sample_rate: int = 32000,
        duration: float | None = 5.0,
        normalize: str = "peak",
        cache: CacheChoice = None,
    ) -> None:
        if not clips:
            raise DatasetError("the data set holds no clips")
        for clip in clips:
            if any(not 0 <= target < len(labels) for target in as_targets(clip.target)):
                raise DatasetError(
                    f"{clip.path}: target {clip.target} is not among {len(labels)} labels"
                )
        self.clips = tuple(clips)
        self.labels = tuple(labels)
        self.sample_rate = sample_rate
        self.duration = duration
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)
        self.cache = open_cache(cache)
        self._fix_length = FixedLength(duration, sample_rate)

    @staticmethod
    def open(
        path: str | os.PathLike[str],
        labels: Sequence[str] | None = None,
        **form: Any,
    ) -> "LabelledClips":
        """Use a folder with one subfolder per class, a table, or a folder with a known table.

        Args:
            path: as for :meth:`from_folder` or :meth:`from_csv`; or the folder of ESC-50 or
                UrbanSound8K.
            labels: the class names by target; by default those of the data.
            form: ``sample_rate``, ``duration``, ``normalize`` and ``cache``, as in the class.

        Raises:
            DatasetError: the path holds no such data set.
        """
        path = Path(path)
        tables = (table for table in (path, *map(path.joinpath, TABLES)) if table.is_file())
        table = next(tables, None)
        if table is None:
            return LabelledClips.from_folder(path, labels, **form)
        return LabelledClips.from_csv(table, labels=labels, **form)

    @staticmethod
    def from_folder(
        root: str | os.PathLike[str],
        labels: Sequence[str] | None = None,
        *,
        recording: Callable[[Path], str] | None = None,
        **form: Any,
    ) -> "LabelledClips":
        """Use a folder with one subfolder per class; clips are in the order of their file names.

        Args:
            root: the folder.
            labels: the class names by target, e.g. ``classifier.labels``; by default the sorted
                names of the subfolders.
            recording: a function from a file to its recording, e.g.
                ``lambda path: path.stem.split("_")[0]``; by default each file is a recording.
            form: ``sample_rate``, ``duration``, ``normalize`` and ``cache``, as in the class.

        Raises:
            DatasetError: the folder is missing, no subfolder has a sound file, or a subfolder is
                not among ``labels``.
        """
        by_label = class_folders(Path(root))
        labels = listed_labels(labels, Path(root))
        clips = []
        for label, target in numbered(list(by_label), labels, Path(root)).items():
            for path in by_label[label]:
                name = f"{label}/{path.name}"
                clips.append(
                    Clip(path, target, name=name, recording=recording(path) if recording else "")
                )
        return LabelledClips(clips, labels or list(by_label), **form)

    @staticmethod
    def from_csv(
        path: str | os.PathLike[str],
        folds: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        *,
        audio: str | os.PathLike[str] | None = None,
        columns: Mapping[str, str] | None = None,
        **form: Any,
    ) -> "LabelledClips":
        """Use a table whose cells are separated by commas, semicolons or tabs.

        Its columns ``filename`` and ``label`` may have other names, e.g. those of ESC-50,
        UrbanSound8K and FSD50K; ``fold`` and ``recording`` are optional (an empty cell: the file is
        a recording). A column ``labels`` lists several labels in one cell, and a file may be listed
        once for each of its labels: then a target is a tuple of class numbers.
        :mod:`~audiointerp.dataset.label_table` describes the names and where files are looked for.

        Args:
            path: the table.
            folds: the folds to take; all by default.
            labels: the class names by target; by default those of the whole table, whichever folds
                are taken, in the order of their numbers if the table has these, else sorted.
            audio: the folder of the sound files; by default the table's, or one beside it.
            columns: the names of the columns in this table, e.g. ``{"filename": "clip"}``.
            form: ``sample_rate``, ``duration``, ``normalize`` and ``cache``, as in the class.

        Raises:
            DatasetError: the table or a column is missing, a row is incomplete, a file is listed
                twice with one label or is outside the folder, or a fold or label is unknown.
        """
        path = Path(path)
        table = read_labels(path, audio=audio, columns=columns)
        labels = listed_labels(labels, path)
        targets = numbered(table.labels, labels, path)
        clips = []
        for row in table.clips:
            several = tuple(sorted(targets[label] for label in row.labels))
            target = several if table.has_several else several[0]
            clips.append(Clip(row.path, target, row.fold, row.name, row.recording))
        chosen = in_folds(clips, folds, path)
        return LabelledClips(chosen, labels or table.labels, **form)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        clip = clip_at(self.clips, index)
        cache = False if self.cache is None else self.cache
        wav = load_levels(clip.path, self.sample_rate, normalize=self.normalize, cache=cache)
        wav = self._fix_length(wav, str(clip.path))
        return normalized(wav, self.normalize)[0], clip.target

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        clip = clip_at(self.clips, index)
        return clip.name or clip.path.name

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        return clip_at(self.clips, index).recording or esc50_recording(self.clip_id(index))

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        return as_targets(clip_at(self.clips, index).target)


def listed_labels(labels: Iterable[str] | None, source: Path) -> list[str] | None:
    """Return the given labels as a list; None if there are none.

    Args:
        labels: names by target, from a list or a generator.
        source: of the clips, for messages.

    Raises:
        DatasetError: they have no order, or two are equal.

    >>> listed_labels(("cat", "dog"), Path("clips"))
    ['cat', 'dog']
    """
    if labels is None:
        return None
    names = list(labels)
    if isinstance(labels, set | frozenset) or len(set(map(str, names))) < len(names):
        raise DatasetError(
            f"{source}: labels are a list of different names in the order of the classifier's "
            f"outputs, e.g. classifier.labels, not a {type(labels).__name__} of {names!r:.120}"
        )
    return names


def numbered(
    used_labels: Sequence[str], labels: Sequence[str] | None, source: Path
) -> dict[str, int]:
    """The target of each label in use: its place in ``labels``, or among those in use.

    Raises:
        DatasetError: a label in use is not among ``labels``.

    >>> numbered(["cat", "dog"], ["dog", "owl", "cat"], Path("clips"))
    {'cat': 2, 'dog': 0}
    """
    targets = {label: target for target, label in enumerate(labels or used_labels)}
    unknown = [label for label in used_labels if label not in targets]
    if unknown:
        raise DatasetError(
            f"{source}: unknown label {', '.join(unknown):.200}; choose among: "
            f"{', '.join(targets):.200}"
        )
    return {label: targets[label] for label in used_labels}
