"""Segments of a spectrogram, and the levels that replace a segment that is left out."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..errors import choose
from ..util import FLOOR

CELL = (8, 16)
"""Bins and frames of a cell of the regular grid."""
KEPT = 16
"""The most images whose segments are kept in memory, e.g. the windows of a long clip."""


def _quickshift(image: np.ndarray, seed: int) -> np.ndarray:
    """Segment as the lime package does for images by default, which is the published setting."""
    from skimage.segmentation import quickshift

    channels = np.repeat(image[..., None], 3, -1)
    labels: np.ndarray = quickshift(channels, kernel_size=4, max_dist=200, ratio=0.2, rng=seed)
    return labels


def _slic(image: np.ndarray, seed: int) -> np.ndarray:
    from skimage.segmentation import slic

    cells = round(image.size / (CELL[0] * CELL[1]))
    labels: np.ndarray = slic(
        image, n_segments=max(1, cells), compactness=0.1, channel_axis=None, start_label=0
    )
    return labels


def _grid(image: np.ndarray, seed: int) -> np.ndarray:
    bins, frames = (np.arange(size) // cell for size, cell in zip(image.shape, CELL, strict=True))
    return np.asarray(bins[:, None] * (int(frames.max()) + 1) + frames)


SEGMENTS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "quickshift": _quickshift,
    "slic": _slic,
    "grid": _grid,
}
"""The segmentations by name: from an image in [0, 1] and a seed to a label for each pixel."""
FILLINGS = ("segment_mean", "silence", "mean")


def segmented(db: Tensor, kind: str, seed: int = 0) -> Tensor:
    """Return the number of each bin's segment: ``(1, 1, F, T)`` int64, from 0 without gaps.

    Args:
        db: features ``(1, 1, F, T)`` of one clip; they are scaled to [0, 1] first, as published.
        kind: ``"quickshift"`` (Vedaldi and Soatto, ECCV 2008; the lime package's default, as
            published), ``"slic"`` (Achanta et al., PAMI 2012) or ``"grid"`` (cells of 8 bins and
            16 frames).
        seed: decides ties in quickshift.

    >>> segmented(torch.zeros(1, 1, 16, 40), "grid").max().item()
    5
    """
    choose("segments", kind, SEGMENTS)
    image = db[0, 0].detach().cpu().double()
    span = float(image.max() - image.min())
    scaled = ((image - image.min()) / (span or 1.0)).numpy()
    labels = _numbered_labels(scaled.tobytes(), scaled.shape, SEGMENTS[kind], seed)
    return torch.from_numpy(labels.copy()).to(db.device)[None, None]


# Methods and networks that explain a clip in turn share its segments: quickshift takes 0.4 s.
@lru_cache(maxsize=KEPT)
def _numbered_labels(
    content: bytes,
    shape: tuple[int, int],
    segment: Callable[[np.ndarray, int], np.ndarray],
    seed: int,
) -> np.ndarray:
    """Return the segments of an image ``(F, T)`` of float64, given as bytes to be compared."""
    labels = segment(np.frombuffer(content).reshape(shape), seed)
    _, consecutive = np.unique(labels, return_inverse=True)
    return consecutive.reshape(shape)


def filling(db: Tensor, segments: Tensor, fill: str) -> Tensor:
    """Return the level that each bin gets when its segment is left out, ``(1, 1, F, T)``.

    Args:
        db: features ``(1, 1, F, T)`` of one clip.
        segments: the segment of each bin, from :func:`segmented`.
        fill: ``"segment_mean"`` (the segment's mean level, as published), ``"silence"`` (the floor)
            or ``"mean"`` (the clip's mean level in the bin's band).

    >>> db, segments = torch.tensor([[[[0.0, 2.0, 7.0]]]]), torch.tensor([[[[0, 0, 1]]]])
    >>> filling(db, segments, "segment_mean").flatten().tolist()
    [1.0, 1.0, 7.0]
    """
    choose("fill", fill, FILLINGS)
    if fill == "silence":
        return torch.full_like(db, FLOOR)
    if fill == "mean":
        return db.mean(-1, keepdim=True).expand_as(db)
    # On the CPU, since not every device has float64.
    levels, labels = db.flatten().cpu().double(), segments.flatten().cpu()
    sums = torch.zeros(int(labels.max()) + 1, dtype=levels.dtype).index_add_(0, labels, levels)
    return (sums / labels.bincount())[labels].view_as(db).to(db)
