"""Wrappers of data sets: clips kept in memory, and an evenly spaced subset."""

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError
from .clip_dataset import ClipDataset, clip_at, recording_of


class InMemory(Dataset[tuple[Tensor, int]]):
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
        self._read: dict[int, tuple[Tensor, int]] = {}

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
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


class EvenSubset(Dataset[tuple[Tensor, int]]):
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
        self.indices = [(2 * number + 1) * len(dataset) // (2 * count) for number in range(count)]
        self.dataset = dataset
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.dataset[clip_at(self.indices, index)]

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        return self.dataset.clip_id(clip_at(self.indices, index))

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        return recording_of(self.dataset, clip_at(self.indices, index))


Part = EvenSubset
"""The old name of :class:`EvenSubset`."""
