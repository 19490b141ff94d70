"""A few clips of a data set, for a trial."""

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError
from .clips import clip_at
from .noise import ClipDataset


class Part(Dataset[tuple[Tensor, int]]):
    """At most ``count`` clips of a data set, evenly spaced, so that a set in the order of its classes keeps them all.

    Args:
        dataset: any data set of clips.
        count: how many; all of them if None.

    >>> from audiointerp.dataset import Synthetic
    >>> part = Part(Synthetic((5,)), 10)
    >>> [target for _, target in part]
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, dataset: ClipDataset, count: int | None) -> None:
        if count is not None and count < 1:
            raise ArgumentError(f"count={count}: a part of a data set has at least one clip; None takes all")
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
