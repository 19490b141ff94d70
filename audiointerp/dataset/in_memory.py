"""Wrappers of data sets: clips kept in memory, some clips, and several data sets in a row."""

from collections.abc import Sequence

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, DatasetError
from .clip_dataset import ClipDataset, Target, clip_at, recording_of, targets_of


class InMemory(Dataset[tuple[Tensor, Target]]):
    """A data set that keeps each clip in memory once it is read (0.64 MB for 5 s at 32 kHz).

    The same tensor is returned each time, so it must not be modified in place. A clip that raises
    an error is read again at the next access.

    Args:
        dataset: any data set of clips.

    >>> from audiointerp.dataset import Synthetic
    >>> clips = InMemory(Synthetic((5,)))
    >>> clips[3][0] is clips[3][0]
    True
    """

    def __init__(self, dataset: ClipDataset) -> None:
        self.dataset = dataset
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels
        self._read: dict[int, tuple[Tensor, Target]] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        # Negative indices share the entry of their clip.
        index = clip_at(range(len(self)), index)
        if index not in self._read:
            self._read[index] = self.dataset[index]
        return self._read[index]

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        return self.dataset.clip_id(index)

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        return recording_of(self.dataset, index)

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        return targets_of(self.dataset, index)


class Selection(Dataset[tuple[Tensor, Target]]):
    """Chosen clips of a data set, with their names, recordings and classes.

    Args:
        dataset: any data set of clips.
        indices: the numbers of the clips, each once.

    Raises:
        DatasetError: there is no such clip, a clip is chosen twice, or none is chosen.

    >>> from audiointerp.dataset import Synthetic
    >>> clips = Selection(Synthetic((5,)), [79, 0])
    >>> len(clips), clips.clip_id(1), clips.targets(0)
    (2, '5-50000-A-0.wav', (9,))
    """

    def __init__(self, dataset: ClipDataset, indices: Sequence[int]) -> None:
        # NumPy's and torch's integers become Python's.
        self.indices = [int(index) for index in indices]
        wrong = [index for index in self.indices if not 0 <= index < len(dataset)]
        if wrong or not self.indices:
            raise DatasetError(
                f"a selection of clip {wrong[0] if wrong else 'none'}: choose at least one of the "
                f"{len(dataset)} clips, numbered from 0 to {len(dataset) - 1}"
            )
        if len(set(self.indices)) < len(self.indices):
            raise DatasetError(
                "a selection has the same clip twice; choose each once, since results are kept by "
                "the clip's name"
            )
        self.dataset = dataset
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        return self.dataset[clip_at(self.indices, index)]

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        return self.dataset.clip_id(clip_at(self.indices, index))

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        return recording_of(self.dataset, clip_at(self.indices, index))

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        return targets_of(self.dataset, clip_at(self.indices, index))


def some_per_class(dataset: ClipDataset, count: int) -> Selection:
    """Return the first clips of each class, each of another recording.

    Args:
        dataset: any data set of clips.
        count: how many of each class, where it has so many recordings.

    >>> from audiointerp.dataset import Synthetic
    >>> len(some_per_class(Synthetic((5,)), 2))
    20
    """
    chosen: list[int] = []
    recordings: set[str] = set()
    left = dict.fromkeys(range(len(dataset.labels)), count)
    for index in range(len(dataset)):
        target, recording = targets_of(dataset, index)[0], recording_of(dataset, index)
        if left[target] and recording not in recordings:
            chosen.append(index)
            recordings.add(recording)
            left[target] -= 1
    return Selection(dataset, chosen)


class EvenSubset(Selection):
    """At most ``count`` clips, evenly spaced, so that a data set sorted by class keeps all classes.

    Args:
        dataset: any data set of clips.
        count: the number of clips; None for all.

    Raises:
        ArgumentError: ``count`` is below 1.

    >>> from audiointerp.dataset import Synthetic
    >>> subset = EvenSubset(Synthetic((5,)), 10)
    >>> [target for _, target in subset]
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, dataset: ClipDataset, count: int | None) -> None:
        if count is not None and count < 1:
            raise ArgumentError(f"count={count}: a subset has at least one clip; None takes all")
        count = min(count or len(dataset), len(dataset))
        spaced = [(2 * number + 1) * len(dataset) // (2 * count) for number in range(count)]
        super().__init__(dataset, spaced)


Part = EvenSubset
"""The old name of :class:`EvenSubset`."""


class Joined(Dataset[tuple[Tensor, Target]]):
    """The clips of several data sets, in a row.

    Names that occur in several of them get the number of their data set, "2/a.wav"; so do
    recordings that are named after such clips.

    Args:
        datasets: at least one, with the same labels and sample rate.

    Raises:
        DatasetError: there is none, or their labels or sample rates differ.

    >>> from audiointerp.dataset import Synthetic
    >>> clips = Joined([Synthetic((1,)), Synthetic((2,))])
    >>> len(clips), clips.clip_id(80)
    (160, '2-20000-A-0.wav')
    """

    def __init__(self, datasets: Sequence[ClipDataset]) -> None:
        if not datasets:
            raise DatasetError("the data set holds no clips")
        self.sample_rate = datasets[0].sample_rate
        self.labels = tuple(datasets[0].labels)
        for dataset in datasets:
            if dataset.sample_rate != self.sample_rate or tuple(dataset.labels) != self.labels:
                raise DatasetError(
                    f"data sets of {self.sample_rate} and {dataset.sample_rate} Hz with the labels "
                    f"{', '.join(self.labels):.200} and {', '.join(dataset.labels):.200} cannot be "
                    "joined; give both the same rate and labels="
                )
        self.datasets = tuple(datasets)
        self.places = [
            (number, index)
            for number, dataset in enumerate(self.datasets)
            for index in range(len(dataset))
        ]
        names = [dataset.clip_id(index) for dataset in datasets for index in range(len(dataset))]
        self._is_ambiguous = len(set(names)) < len(names)

    def __len__(self) -> int:
        return len(self.places)

    def _place(self, index: int) -> tuple[ClipDataset, int, str]:
        """The data set of a clip, its index there, and what its names begin with."""
        number, index = clip_at(self.places, index)
        return self.datasets[number], index, f"{number + 1}/" if self._is_ambiguous else ""

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        dataset, index, _ = self._place(index)
        return dataset[index]

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        dataset, index, prefix = self._place(index)
        return prefix + dataset.clip_id(index)

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        dataset, index, prefix = self._place(index)
        recording = recording_of(dataset, index)
        return prefix + recording if recording == dataset.clip_id(index) else recording

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        dataset, index, _ = self._place(index)
        return targets_of(dataset, index)
