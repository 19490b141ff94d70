"""Labelled sound files as a torch data set: the base of ESC-50, and for your own clips."""

import hashlib
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, AudioWarning, DatasetError, choose
from ..processing import NORMALIZATIONS, fix_length, load_levels, normalized
from ..util import encodable
from .clip_dataset import ClipDataset, clip_at, esc50_recording, recording_of
from .clip_table import check_unique_files, file_of_row, read_table
from .folders import sound_files

LEAST_CUT = 0.05
"""The least excess over ``duration`` that gives a warning: coders append some milliseconds, and a
clip of 5 s in ESC-10 has 5.14 s."""


@dataclass(frozen=True)
class Clip:
    """One clip of a data set.

    Attributes:
        path: the sound file.
        target: the number of the class.
        fold: the fold of cross-validation.
        name: the clip's name in results; the file's name if empty.
        recording: what the clip was cut from; if empty, what a name of ESC-50 states, or else the
            clip itself.

    >>> Clip(Path("audio/1-977-A-39.wav"), target=39, recording="977").target
    39
    """

    path: Path
    target: int
    fold: int = 1
    name: str = ""
    recording: str = ""


class LabelledClips(Dataset[tuple[Tensor, int]]):
    """Sound files with labels; an item is ``(wav (1, L) float32, target)``.

    Args:
        clips: the clips, in the order of the items.
        labels: the class names by target.
        sample_rate: the rate in Hz to which clips are resampled.
        duration: the length in seconds; longer clips are cut, shorter ones padded with silence. An
            AudioWarning names the first clip that is cut by more than 5 %. None takes whole files,
            whose lengths may differ: they can be explained and scored, not trained on.
        normalize: see ``load_audio``.

    Raises:
        DatasetError: there are no clips, or a target has no label.
        ArgumentError: ``duration`` or ``normalize`` is invalid.

    >>> dataset = LabelledClips([Clip(Path("a.wav"), 1)], ["cat", "dog"], duration=1.0)
    >>> len(dataset), dataset.clip_id(0), dataset.recording(0)
    (1, 'a.wav', 'a.wav')
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        labels: Sequence[str],
        *,
        sample_rate: int = 32000,
        duration: float | None = 5.0,
        normalize: str = "peak",
    ) -> None:
        if not clips:
            raise DatasetError("the data set holds no clips")
        for clip in clips:
            if not 0 <= clip.target < len(labels):
                raise DatasetError(
                    f"{clip.path}: target {clip.target} is not among {len(labels)} labels"
                )
        if duration is not None and not 0 < duration < math.inf:
            raise ArgumentError(
                f"duration={duration!r}: must be finite and above 0 seconds; None takes whole files"
            )
        self.clips = tuple(clips)
        self.labels = tuple(labels)
        self.sample_rate = sample_rate
        self.duration = duration
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)
        self._has_warned = False

    @staticmethod
    def from_folder(
        root: str | os.PathLike[str],
        labels: Sequence[str] | None = None,
        *,
        recording: Callable[[Path], str] | None = None,
        **form: float | str | None,
    ) -> "LabelledClips":
        """Use a folder with one subfolder per class; clips are in the order of their file names.

        Args:
            root: the folder.
            labels: the class names by target, e.g. ``classifier.labels``; by default the sorted
                names of the subfolders.
            recording: a function from a file to its recording, e.g.
                ``lambda path: path.stem.split("_")[0]``; by default each file is a recording.
            form: ``sample_rate``, ``duration`` and ``normalize``, as in the class.

        Raises:
            DatasetError: the folder is missing, no subfolder has a sound file, or a subfolder is
                not among ``labels``.
        """
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such data folder")
        folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
        by_label = {folder.name: paths for folder in folders if (paths := sound_files(folder))}
        if not by_label:
            raise DatasetError(
                f"{root}: no subfolder has a sound file; put the clips of each class into a "
                "subfolder with its name"
            )
        clips = []
        for label, target in _targets(list(by_label), labels, root).items():
            for path in by_label[label]:
                name = f"{label}/{path.name}"
                clips.append(
                    Clip(path, target, name=name, recording=recording(path) if recording else "")
                )
        return LabelledClips(clips, labels or list(by_label), **form)  # type: ignore[arg-type]

    @staticmethod
    def from_csv(
        path: str | os.PathLike[str],
        folds: Sequence[int] | None = None,
        labels: Sequence[str] | None = None,
        **form: float | str | None,
    ) -> "LabelledClips":
        """Use a CSV table with the columns ``filename`` and ``label``.

        Optional columns are ``fold`` and ``recording`` (an empty cell: the file is a recording).
        File names are relative to the table, in its folder or below.

        Args:
            path: the table.
            folds: the folds to take; all by default.
            labels: the class names by target; by default the sorted labels of the whole table,
                whichever folds are taken.
            form: ``sample_rate``, ``duration`` and ``normalize``, as in the class.

        Raises:
            DatasetError: the table or a column is missing, a row is incomplete, a file is listed
                twice or outside the folder, or a fold or label is unknown.
        """
        path = Path(path)
        rows = read_table(path, ("filename", "label"))
        check_unique_files(rows)
        table_labels = sorted({row["label"] for row in rows})
        targets = _targets(table_labels, labels, path)
        clips = [
            Clip(
                file_of_row(path.parent, row, bare=False),
                targets[row["label"]],
                row.number("fold"),
                row["filename"],
                row.cells.get("recording", "").strip(),
            )
            for row in rows
        ]
        chosen = in_folds(clips, folds, path)
        return LabelledClips(chosen, labels or table_labels, **form)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        clip = clip_at(self.clips, index)
        wav = load_levels(clip.path, self.sample_rate, normalize=self.normalize)
        if self.duration is not None:
            self._warn_of_cut(clip.path, wav.shape[-1] / self.sample_rate, self.duration)
            wav = fix_length(wav, round(self.duration * self.sample_rate))
        return normalized(wav, self.normalize)[0], clip.target

    def _warn_of_cut(self, path: Path, seconds: float, duration: float) -> None:
        """Warn of the first clip of the data set that is cut."""
        if self._has_warned or seconds <= duration * (1 + LEAST_CUT):
            return
        self._has_warned = True
        warnings.warn(
            f"{path}: only the first {duration:g} of {seconds:.6g} s are used, the last "
            f"{seconds - duration:.6g} s are cut off, as of any longer file of this data set; "
            "give another duration, or duration=None for whole files",
            AudioWarning,
            stacklevel=3,
        )

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        clip = clip_at(self.clips, index)
        return clip.name or clip.path.name

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        return clip_at(self.clips, index).recording or esc50_recording(self.clip_id(index))


def _targets(
    used_labels: Sequence[str], labels: Sequence[str] | None, source: Path
) -> dict[str, int]:
    """The target of each label in use."""
    targets = {label: target for target, label in enumerate(labels or used_labels)}
    unknown = [label for label in used_labels if label not in targets]
    if unknown:
        raise DatasetError(
            f"{source}: unknown label {', '.join(unknown)}; choose among: {', '.join(targets)}"
        )
    return {label: targets[label] for label in used_labels}


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


@dataclass(frozen=True, eq=False)
class LoadedClip:
    """A clip that was read once, for all of its rows in the results.

    Attributes:
        name: its name in results.
        recording: what it was cut from.
        wav: ``(1, L)``; None if it cannot be read.
        label: the true label; empty if it cannot be read.
        sha256: the hash of name, label and samples, or of name and error.
        error: why it cannot be read; None if it can.

    >>> LoadedClip("a.wav", "a", None, "", "0" * 64, OSError("no such file")).wav is None
    True
    """

    name: str
    recording: str
    wav: Tensor | None
    label: str
    sha256: str
    error: Exception | None = None


def load_clip(dataset: ClipDataset, index: int) -> LoadedClip:
    """Read a clip; an error is stored in the result, so that a run can continue.

    >>> clip = load_clip(LabelledClips([Clip(Path("missing.wav"), 0)], ["dog"]), 0)
    >>> clip.name, str(clip.error)
    ('missing.wav', 'missing.wav: no such audio file')
    """
    name = recording = encodable(dataset.clip_id(index))
    # A user's data set may raise anything.
    try:
        recording = encodable(recording_of(dataset, index))
        wav, target = dataset[index]
        label = dataset.labels[target]
        content = wav.contiguous().numpy().tobytes()
    except Exception as error:
        return LoadedClip(name, recording, None, "", _sha256(f"{name}\n{error}"), error)
    return LoadedClip(name, recording, wav, label, _sha256(f"{name}\n{label}\n", content))


def _sha256(text: str, content: bytes = b"") -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace") + content).hexdigest()
