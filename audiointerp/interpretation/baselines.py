"""Random masks to compare with: a mask's own values in places that know nothing of the sound.

A baseline has exactly the values of its mask, so area, sparseness and complexity are equal, and only the places differ.
"""

import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .base import seed_of

GRAIN = 8
"""Bins and frames between the draws of the smooth field: the grain of Grad-CAM on Cnn10, whose last convolution follows three
poolings."""


def _pixelwise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _smooth(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Bilinear between normal draws ``GRAIN`` apart, from a random offset."""
    rows, columns = (size // GRAIN + 3 for size in shape[2:])
    coarse = torch.randn(1, 1, rows, columns, generator=generator)
    fine = functional.interpolate(coarse, scale_factor=GRAIN, mode="bilinear", align_corners=False)
    top, left = torch.randint(GRAIN, (2,), generator=generator).tolist()
    return fine[..., GRAIN + top : GRAIN + top + shape[2], GRAIN + left : GRAIN + left + shape[3]]


BASELINES: dict[str, Callable[[torch.Size, torch.Generator], Tensor]] = {"pixelwise": _pixelwise, "smooth": _smooth}


def random_field(db: Tensor, kind: str, seed: int = 0) -> Tensor:
    """A random map ``(1, 1, F, T)`` for one clip, each bin by itself (``"pixelwise"``) or in blobs (``"smooth"``).

    It depends on the clip's features and the seed alone.

    >>> random_field(torch.zeros(1, 1, 64, 100), "smooth").shape
    torch.Size([1, 1, 64, 100])
    """
    generator = torch.Generator().manual_seed(seed_of(db, zlib.crc32(kind.encode(), seed)))  # no other draw's seed
    return BASELINES[kind](db.shape, generator).to(db)


def rearranged(masks: Tensor, fields: Sequence[Tensor]) -> Tensor:
    """The values of each mask ``(M, 1, F, T)``, the largest where a field ``(1, 1, F, T)`` is largest: M masks a field.

    >>> masks, field = torch.tensor([[[[1.0, 0.5, 0.0]]]]), torch.tensor([[[[3.0, 9.0, 7.0]]]])
    >>> rearranged(masks, [field]).flatten().tolist()
    [0.0, 1.0, 0.5]
    """
    ordered = masks.flatten(1).sort(1).values
    result = ordered.new_empty(len(fields), *ordered.shape)
    for made, field in zip(result, fields, strict=True):
        made[:, field.flatten().argsort(stable=True)] = ordered
    return result.view(-1, *masks.shape[1:])
