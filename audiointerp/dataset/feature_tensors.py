"""The features of a whole data set as tensors."""

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import ArgumentError
from ..processing import Transform
from .clip_dataset import ClipDataset


def compute_features(
    dataset: ClipDataset, transform: Transform, progress: bool = True
) -> tuple[Tensor, Tensor]:
    """Compute the features of a whole data set, e.g. for training.

    Args:
        dataset: the clips, all of the same length.
        transform: the transform to features.
        progress: whether to show a progress bar on a terminal.

    Returns:
        The features ``(clips, 1, F, T)`` and the targets ``(clips,)``.

    Raises:
        ArgumentError: the data set's sample rate is not the transform's.

    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> from audiointerp.processing import LogSTFT
    >>> clips = EvenSubset(Synthetic((5,), sample_rate=16000, duration=3.0), 2)
    >>> db, targets = compute_features(clips, LogSTFT(), progress=False)
    >>> db.shape, targets.shape
    (torch.Size([2, 1, 257, 188]), torch.Size([2]))
    """
    if dataset.sample_rate != transform.sample_rate:
        raise ArgumentError(
            f"the data set has {dataset.sample_rate} Hz, the transform {transform.sample_rate} Hz; "
            "load the data set at the transform's rate"
        )
    features_of_clips, targets = [], []
    for index in tqdm(
        range(len(dataset)),
        desc="features",
        unit="clip",
        leave=False,
        disable=None if progress else True,
    ):
        wav, target = dataset[index]
        features_of_clips.append(transform(wav[None]).db)
        targets.append(target)
    return torch.cat(features_of_clips), torch.tensor(targets)


features = compute_features
"""The old name of :func:`compute_features`."""
