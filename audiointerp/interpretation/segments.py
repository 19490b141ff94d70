"""Segments of a spectrogram, and what a segment that is left out becomes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..conventions import FLOOR
from ..errors import choose

CELL = (8, 16)
"""Bins and frames of the regular grid's cells."""


def _quickshift(image: np.ndarray, seed: int) -> np.ndarray:
    """The lime package's default for images: the published setting."""
    from skimage.segmentation import quickshift

    labels: np.ndarray = quickshift(
        np.repeat(image[..., None], 3, -1), kernel_size=4, max_dist=200, ratio=0.2, rng=seed
    )
    return labels


def _slic(image: np.ndarray, seed: int) -> np.ndarray:
    from skimage.segmentation import slic

    cells = round(image.size / (CELL[0] * CELL[1]))
    labels: np.ndarray = slic(image, n_segments=max(1, cells), compactness=0.1, channel_axis=None, start_label=0)
    return labels


def _grid(image: np.ndarray, seed: int) -> np.ndarray:
    bins, frames = (np.arange(size) // cell for size, cell in zip(image.shape, CELL, strict=True))
    return np.asarray(bins[:, None] * (int(frames.max()) + 1) + frames)


SEGMENTS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"quickshift": _quickshift, "slic": _slic, "grid": _grid}
FILLINGS = ("segment_mean", "silence", "mean")


def segmented(db: Tensor, kind: str, seed: int = 0) -> Tensor:
    """The number of each bin's segment, from 0 without gaps: ``(1, 1, F, T)`` int64 on the features' device.

    Args:
        db: features ``(1, 1, F, T)`` of one clip; scaled to [0, 1] before they are cut up, as published.
        kind: ``"quickshift"`` (Vedaldi and Soatto, ECCV 2008; the lime package's default, as published), ``"slic"``
            (Achanta et al., PAMI 2012) or ``"grid"`` (cells of 8 bins and 16 frames).
        seed: of quickshift's tie breaking.

    >>> segmented(torch.zeros(1, 1, 16, 40), "grid").max().item()
    5
    """
    choose("segments", kind, SEGMENTS)
    image = db[0, 0].detach().cpu().double()
    span = float(image.max() - image.min())
    scaled = (image - image.min()) / (span or 1.0)
    labels = SEGMENTS[kind](scaled.numpy(), seed)
    _, consecutive = np.unique(labels, return_inverse=True)
    return torch.from_numpy(consecutive.reshape(image.shape)).to(db.device)[None, None]


def filling(db: Tensor, segments: Tensor, fill: str) -> Tensor:
    """What each bin is when its segment is left out, ``(1, 1, F, T)``.

    ``"segment_mean"``: the mean level of its segment, as published; ``"silence"``: the floor; ``"mean"``: the clip's mean
    level in its band.

    >>> filling(torch.tensor([[[[0.0, 2.0, 7.0]]]]), torch.tensor([[[[0, 0, 1]]]]), "segment_mean").flatten().tolist()
    [1.0, 1.0, 7.0]
    """
    choose("fill", fill, FILLINGS)
    if fill == "silence":
        return torch.full_like(db, FLOOR)
    if fill == "mean":
        return db.mean(-1, keepdim=True).expand_as(db)
    flat, where = db.flatten().cpu().double(), segments.flatten().cpu()  # not every device knows float64
    sums = torch.zeros(int(where.max()) + 1, dtype=flat.dtype).index_add_(0, where, flat)
    return (sums / where.bincount())[where].view_as(db).to(db)
