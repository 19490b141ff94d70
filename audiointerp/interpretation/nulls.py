"""Nulls to compare a mask with: masks that know nothing about the clip's sound.

Two are random masks: the values of the mask, moved to random places bin by bin (``"pixelwise"``) or
in blobs (``"smooth"``). Two have the shape of an attribution: the mask itself, rolled in time
(``"rolled"``), and the mask made from another clip's attribution (``"other"``). The fifth is a
random 0/1 mask of single bins that lets as many audible bins come back as the mask (``"matched"``),
see :mod:`audiointerp.scoring.matched`.

The first three have exactly the values of the mask, so area, sparseness and complexity are equal.
``"other"`` has its own: equal in number for a top-k mask, but not for one with a threshold.
"""

import zlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .base import seed_of

NULLS = ("pixelwise", "smooth", "rolled", "other", "matched")
"""The names of the nulls. cli/options.py lists them again, so that --help need not import torch."""
GRAIN = 8
"""Bins and frames between the draws of the smooth field.

This is the resolution of Grad-CAM on Cnn10, whose last convolution follows three poolings by 2.
"""
SMALLEST_SHIFT = 10
"""A rolled mask moves by at least one in this many of the clip's frames, both ways round."""


def _draw_pixelwise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _draw_smooth(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Interpolate bilinearly between normal draws ``GRAIN`` apart, from a random offset."""
    rows, columns = (size // GRAIN + 3 for size in shape[2:])
    coarse = torch.randn(1, 1, rows, columns, generator=generator)
    fine = functional.interpolate(coarse, scale_factor=GRAIN, mode="bilinear", align_corners=False)
    top, left = torch.randint(GRAIN, (2,), generator=generator).tolist()
    return fine[..., GRAIN + top : GRAIN + top + shape[2], GRAIN + left : GRAIN + left + shape[3]]


FIELDS: dict[str, Callable[[torch.Size, torch.Generator], Tensor]] = {
    "pixelwise": _draw_pixelwise,
    "smooth": _draw_smooth,
    "matched": _draw_pixelwise,
}
"""The random fields by name: each draws a map of a shape ``(1, 1, F, T)``."""
RANDOM_MASKS = ("pixelwise", "smooth")
"""The nulls that are random masks of the mask's values."""


def null_seed(method: str, mask: str = "") -> int:
    """Return the seed of the draws beside one method and mask, so that no two share them.

    >>> null_seed("gradcam", "bin") != null_seed("gradcam", "topK_5")
    True
    """
    # The separator is in no name of a method, so two pairs of names cannot give one text.
    return zlib.crc32(f"{method}/{mask}".encode())


def random_field(db: Tensor, kind: str, seed: int = 0) -> Tensor:
    """Draw a random map ``(1, 1, F, T)`` for one clip.

    The map depends only on the clip's features, the kind and the seed.

    Args:
        db: the clip's features ``(1, 1, F, T)``.
        kind: ``"pixelwise"`` or ``"matched"`` (independent bins), or ``"smooth"`` (blobs).
        seed: another seed gives another map, see :func:`null_seed`.

    >>> random_field(torch.zeros(1, 1, 64, 100), "smooth").shape
    torch.Size([1, 1, 64, 100])
    """
    return FIELDS[kind](db.shape, _generator(db, kind, seed)).to(db)


def random_shift(db: Tensor, seed: int = 0) -> int:
    """Draw the number of frames by which a rolled mask of one clip moves.

    Every shift of at least a tenth of the clip, both ways round, is equally likely.

    Args:
        db: the clip's features ``(1, 1, F, T)``, T at least 2.
        seed: another seed gives another shift, see :func:`null_seed`.

    >>> 10 <= random_shift(torch.zeros(1, 1, 64, 100)) <= 90
    True
    """
    frames = db.shape[-1]
    least = -(-frames // SMALLEST_SHIFT)
    generator = _generator(db, "rolled", seed)
    return int(torch.randint(least, frames - least + 1, (), generator=generator))


def _generator(db: Tensor, kind: str, seed: int) -> torch.Generator:
    # The kind is part of the seed, so that no two kinds (nor the method Random) share their draws.
    return torch.Generator().manual_seed(seed_of(db, zlib.crc32(kind.encode(), seed)))


def rearranged(masks: Tensor, fields: Tensor) -> Tensor:
    """Move the values of each mask so that they rise with a field of its own.

    Args:
        masks: ``(M, 1, F, T)``.
        fields: maps of the same shape.

    Returns:
        ``(M, 1, F, T)``.

    >>> masks, fields = torch.tensor([[[[1.0, 0.5, 0.0]]]]), torch.tensor([[[[3.0, 9.0, 7.0]]]])
    >>> rearranged(masks, fields).flatten().tolist()
    [0.0, 1.0, 0.5]
    """
    ordered = masks.flatten(1).sort(1).values
    places = fields.flatten(1).argsort(dim=1, stable=True)
    return torch.empty_like(ordered).scatter_(1, places, ordered).view(masks.shape)


def in_frames(values: Tensor, frames: int) -> Tensor:
    """Cut another clip's attribution in time, or repeat it, to a number of frames.

    Args:
        values: ``(1, 1, F, T)``.
        frames: the number of frames of the result.

    >>> in_frames(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 5).flatten().tolist()
    [1.0, 2.0, 3.0, 1.0, 2.0]
    """
    repeats = -(-frames // values.shape[-1])
    return values.repeat(1, 1, 1, repeats)[..., :frames]
