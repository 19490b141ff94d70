"""Random masks to compare with: the values of a mask, moved to random places.

A baseline (null) has exactly the values of its mask, so area, sparseness and complexity are equal;
only the places differ, and these do not depend on what the sound contains.
"""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .base import seed_of

GRAIN = 8
"""Bins and frames between the draws of the smooth field.

This is the resolution of Grad-CAM on Cnn10, whose last convolution follows three poolings by 2.
"""


def _draw_pixelwise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _draw_smooth(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Interpolate bilinearly between normal draws ``GRAIN`` apart, from a random offset."""
    rows, columns = (size // GRAIN + 3 for size in shape[2:])
    coarse = torch.randn(1, 1, rows, columns, generator=generator)
    fine = functional.interpolate(coarse, scale_factor=GRAIN, mode="bilinear", align_corners=False)
    top, left = torch.randint(GRAIN, (2,), generator=generator).tolist()
    return fine[..., GRAIN + top : GRAIN + top + shape[2], GRAIN + left : GRAIN + left + shape[3]]


BASELINES: dict[str, Callable[[torch.Size, torch.Generator], Tensor]] = {
    "pixelwise": _draw_pixelwise,
    "smooth": _draw_smooth,
}
"""The random fields by name: each draws a map of a shape ``(1, 1, F, T)``."""


def random_field(db: Tensor, kind: str, seed: int = 0) -> Tensor:
    """Draw a random map ``(1, 1, F, T)`` for one clip.

    The map depends only on the clip's features, the kind and the seed.

    Args:
        db: the clip's features ``(1, 1, F, T)``.
        kind: ``"pixelwise"`` (independent bins) or ``"smooth"`` (blobs).
        seed: another seed gives another map.

    >>> random_field(torch.zeros(1, 1, 64, 100), "smooth").shape
    torch.Size([1, 1, 64, 100])
    """
    # The kind is part of the seed, so that no two kinds (nor the method Random) share their draws.
    kind_seed = zlib.crc32(kind.encode(), seed)
    generator = torch.Generator().manual_seed(seed_of(db, kind_seed))
    return BASELINES[kind](db.shape, generator).to(db)


def rearranged(masks: Tensor, fields: Sequence[Tensor]) -> Tensor:
    """Move the values of each mask so that they rise with a field; return M masks for each field.

    Args:
        masks: ``(M, 1, F, T)``.
        fields: maps ``(1, 1, F, T)``.

    Returns:
        ``(len(fields) * M, 1, F, T)``, field by field.

    >>> masks, field = torch.tensor([[[[1.0, 0.5, 0.0]]]]), torch.tensor([[[[3.0, 9.0, 7.0]]]])
    >>> rearranged(masks, [field]).flatten().tolist()
    [0.0, 1.0, 0.5]
    """
    ordered = masks.flatten(1).sort(1).values
    moved = ordered.new_empty(len(fields), *ordered.shape)
    for masks_of_field, field in zip(moved, fields, strict=True):
        masks_of_field[:, field.flatten().argsort(stable=True)] = ordered
    return moved.view(-1, *masks.shape[1:])
