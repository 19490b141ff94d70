"""Mixtures of two clips of different classes, whose parts are known."""

import math
from typing import Any

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import ArgumentError, AudioError
from ..processing import normalized
from ..util import is_number
from .clip_dataset import ClipDataset, clip_at, recording_of, targets_of
from .mixture_pairs import choose_pairs


class Mixtures(Dataset[tuple[Tensor, tuple[int, ...]]]):
    """Mixtures of two clips of a data set, of different classes and recordings.

    An item is ``(wav (1, L), (class of the first, class of the second))``, normalised as the clips
    are. Both sources are known as they lie in the mixture, see :meth:`parts`; their sum is the
    mixture. The pairs depend on the data set, ``number`` and ``seed``, not on the ratio, so that
    the same mixtures can be compared at several ratios.

    Args:
        dataset: clips of one class and one length.
        number: of the mixtures; their classes are as equally frequent as the clips allow.
        ratio_db: the energy of the first source over that of the second, in dB.
        seed: another seed gives other pairs.

    Raises:
        ArgumentError: there are not so many pairs of clips, or the ratio is not finite.
        DatasetError: a clip has several classes, or none.
        AudioError: at an item, one of the clips is silent.

    >>> from audiointerp.dataset import Synthetic
    >>> mixtures = Mixtures(Synthetic((5,), duration=3.0), number=20, ratio_db=5.0)
    >>> wav, targets = mixtures[0]
    >>> first, second = mixtures.parts(0)
    >>> ratio = first.square().sum() / second.square().sum()
    >>> bool((wav == (first + second)[0]).all()), round(float(10 * ratio.log10()), 3)
    (True, 5.0)
    """

    def __init__(
        self, dataset: ClipDataset, number: int = 60, ratio_db: float = 0.0, seed: int = 0
    ) -> None:
        if not is_number(ratio_db):
            raise ArgumentError(f"ratio_db={ratio_db!r}: must be a finite number of dB")
        self.dataset = dataset
        self.ratio_db = float(ratio_db)
        self.pairs = choose_pairs(dataset, number, seed)
        self.sample_rate = dataset.sample_rate
        self.labels = dataset.labels
        self.normalize: str = getattr(dataset, "normalize", "peak")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, tuple[int, ...]]:
        first, second = self.parts(index)
        return (first + second)[0], self.targets(index)

    def parts(self, index: int) -> tuple[Tensor, Tensor]:
        """The first and the second source of a mixture, each ``(1, 1, L)``; it is their sum.

        Raises:
            AudioError: one of the clips is silent.
            ArgumentError: the clips differ in length.
        """
        pair = clip_at(self.pairs, index)
        first, second = (self.dataset[clip][0] for clip in (pair.first, pair.second))
        if first.shape != second.shape:
            raise ArgumentError(
                f"{self.clip_id(index)}: the clips have {first.shape[-1]} and {second.shape[-1]} "
                f"samples; give the data set a duration, so that all have one length"
            )
        energies = [float(wav.double().square().sum()) for wav in (first, second)]
        if not min(energies) > 0:
            raise AudioError(f"{self.clip_id(index)}: a silent clip cannot be mixed at a ratio")
        gain = math.sqrt(energies[0] / energies[1]) * 10 ** (-self.ratio_db / 20)
        second = second * gain
        mixture = first + second
        peak = float(mixture.abs().max())
        if peak == 0:
            raise AudioError(f"{self.clip_id(index)}: the two clips cancel each other")
        # Both get the factor that normalises their sum.
        factor = float(normalized(mixture, self.normalize).abs().max()) / peak
        return (first * factor)[None], (second * factor)[None]

    def clip_id(self, index: int) -> str:
        """The names of both clips, and the ratio."""
        pair = clip_at(self.pairs, index)
        first, second = (self.dataset.clip_id(clip) for clip in (pair.first, pair.second))
        return f"{first}+{second}@{self.ratio_db:g}dB"

    def recording(self, index: int) -> str:
        """The group of recordings that the mixture is drawn with: it shares none with others."""
        return clip_at(self.pairs, index).group

    def recordings(self, index: int) -> tuple[str, str]:
        """The recordings of the first and of the second source."""
        pair = clip_at(self.pairs, index)
        return recording_of(self.dataset, pair.first), recording_of(self.dataset, pair.second)

    def targets(self, index: int) -> tuple[int, ...]:
        """The class of the first source and that of the second."""
        pair = clip_at(self.pairs, index)
        return (*targets_of(self.dataset, pair.first), *targets_of(self.dataset, pair.second))


def parts_of(dataset: Any, index: int) -> tuple[Tensor, ...]:
    """The sources of a clip, each ``(1, 1, L)``; those of its classes come first.

    Raises:
        ArgumentError: the data set does not know them.

    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> sources = parts_of(EvenSubset(Synthetic((5,), duration=3.0), 1), 0)
    >>> sources[0].shape
    torch.Size([1, 1, 96000])
    """
    check_parts(dataset)
    if callable(getattr(dataset, "parts", None)):
        return tuple(dataset.parts(index))
    return parts_of(dataset.dataset, clip_at(dataset.indices, index))


def check_parts(dataset: Any) -> None:
    """Refuse a data set that does not know the sources of its clips.

    Raises:
        ArgumentError: it does not.

    >>> from audiointerp.dataset import Synthetic
    >>> check_parts(Synthetic((5,)))
    """
    if callable(getattr(dataset, "parts", None)):
        return
    if not (hasattr(dataset, "indices") and hasattr(dataset, "dataset")):
        raise ArgumentError(
            f"{type(dataset).__name__} does not know the sources of its clips; give Mixtures("
            f"dataset), Synthetic, or a data set with parts(index) -> sources (1, 1, L)"
        )
    check_parts(dataset.dataset)
