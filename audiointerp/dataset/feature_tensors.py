"""The features of a whole data set as tensors."""

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import ArgumentError
from ..processing import Transform
from .clip_dataset import ClipDataset, only_target


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
        DatasetError: a clip has several classes, or none.
        ArgumentError: the data set's sample rate is not the transform's, or clips have different
            lengths.

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
    features_of_clips: list[Tensor] = []
    targets = []
    for index in tqdm(
        range(len(dataset)),
        desc="features",
        unit="clip",
        leave=False,
        disable=None if progress else True,
    ):
        wav, target = dataset[index]
        db = transform(wav[None]).db
        frames = features_of_clips[0].shape[-1] if features_of_clips else db.shape[-1]
        if db.shape[-1] != frames:
            raise ArgumentError(
                f"{dataset.clip_id(index)} has {db.shape[-1]} frames, {dataset.clip_id(0)} has "
                f"{frames}: clips of different lengths cannot be one tensor; give the data set a "
                "duration"
            )
        features_of_clips.append(db)
        targets.append(only_target(dataset, index, target))
    return torch.cat(features_of_clips), torch.tensor(targets)


features = compute_features
"""The old name of :func:`compute_features`."""
