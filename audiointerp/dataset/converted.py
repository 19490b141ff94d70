"""Clips and labels of another form, converted to that of this library when they are read."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, DatasetError
from ..processing import normalized
from .clip_dataset import Target, as_targets, clip_at
from .clip_forms import as_levels
from .label_values import as_target
from .length import FixedLength


@dataclass(frozen=True)
class Form:
    """The form that clips and labels get.

    Attributes:
        sample_rate: in Hz; None takes that of the data.
        labels: the class names by target; None takes those of the data.
        duration: in seconds; None leaves each clip its own.
        normalize: see :func:`~audiointerp.dataset.as_clip`.
        files: how sound files are normalised if ``normalize`` is None.
        mono: whether to average the channels of arrays.

    >>> Form(sample_rate=8000).duration is None
    True
    """

    sample_rate: int | None = None
    labels: tuple[str, ...] | None = None
    duration: float | None = None
    normalize: str | None = None
    files: str = "peak"
    mono: bool = False


def stated_rate(sample_rate: int | None) -> int:
    """Return the sample rate of data.

    Raises:
        ArgumentError: there is none.

    >>> stated_rate(8000)
    8000
    """
    if sample_rate is None:
        raise ArgumentError(
            "these data do not state a sample rate: give sample_rate= in Hz, e.g. "
            "sample_rate=classifier.sample_rate"
        )
    return sample_rate


class GivenNames:
    """The names and the recordings of clips, where they are given.

    Raises:
        DatasetError: two clips have the same name.

    >>> GivenNames(["a", "b"], None).names
    ['a', 'b']
    """

    def __init__(self, names: Sequence[str] | None, recordings: Sequence[str] | None) -> None:
        self.names = None if names is None else [str(name) for name in names]
        self.recordings = None if recordings is None else [str(name) for name in recordings]
        if self.names is not None and len(set(self.names)) < len(self.names):
            raise DatasetError("names: two clips have the same name; results are kept by it")

    def check(self, count: int) -> None:
        """Refuse lists of another length than the data.

        Raises:
            DatasetError: a list has another length.
        """
        for name, values in (("names", self.names), ("recordings", self.recordings)):
            if values is not None and len(values) != count:
                raise DatasetError(f"{name}: {len(values)} are given for {count} clips")


class Converted(Dataset[tuple[Tensor, Target]]):
    """Clips and labels of another form, converted when they are read.

    Args:
        read: gives the clip and the label of an index.
        count: the number of clips.
        form: with a sample rate and labels.
        given: the names and recordings.
        label_of: gives the label of an index without decoding the clip; None if that is not known.

    Raises:
        DatasetError: there are no clips, or not as many names or recordings.

    Example: :func:`as_dataset` builds it.
    """

    def __init__(
        self,
        read: Callable[[int], tuple[Any, Any]],
        count: int,
        form: Form,
        given: GivenNames,
        label_of: Callable[[int], Any] | None = None,
    ) -> None:
        if count == 0:
            raise DatasetError("the data set holds no clips")
        given.check(count)
        self.sample_rate = stated_rate(form.sample_rate)
        self.labels = form.labels or ()
        self._read, self._count, self.form, self._given = read, count, form, given
        self._label_of = label_of
        self._fix_length = FixedLength(form.duration, self.sample_rate)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        place = f"clip {self.clip_id(index)}"
        audio, label = self._read(clip_at(range(self._count), index))
        is_file = isinstance(audio, str | os.PathLike)
        form = self.form
        normalize = form.normalize or (form.files if is_file else "none")
        try:
            wav = as_levels(audio, self.sample_rate, normalize=normalize, mono=self.form.mono)
        except ArgumentError as error:
            raise DatasetError(f"{place}: {error}") from error
        wav = normalized(self._fix_length(wav, place), normalize)
        return wav[0], as_target(label, self.labels, place)

    def clip_id(self, index: int) -> str:
        """The clip's name in results: that given, or its number."""
        index = clip_at(range(self._count), index)
        names = self._given.names
        return f"{index:0{len(str(self._count - 1))}d}" if names is None else names[index]

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from: that given, or the clip itself."""
        recordings = self._given.recordings
        return self.clip_id(index) if recordings is None else clip_at(recordings, index)

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        if self._label_of is None:
            return as_targets(self[index][1])
        label = self._label_of(clip_at(range(self._count), index))
        return as_targets(as_target(label, self.labels, f"clip {self.clip_id(index)}"))
