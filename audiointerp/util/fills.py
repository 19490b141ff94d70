"""What a removed bin of a spectrogram becomes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import choose
from .probability import FLOOR

QUIET = 0.1
"""A band's background is this quantile of its levels over the clip."""
BLUR = 15
"""Bins and frames of the mean that the fill ``"blur"`` takes."""
HELD_OUT_SEED = 1_000_003
"""What is scored or heard draws by this seed, and methods by their own, which start at 0.

A mask that is found by seeing a fill must not be scored with the same draw of it.
"""


def _silence(db: Tensor, generator: torch.Generator) -> Tensor:
    return torch.full_like(db, FLOOR)


def _background(db: Tensor, generator: torch.Generator) -> Tensor:
    # torch.quantile takes at most 2**24 values, and sorting gives the same.
    quiet = db.sort(-1).values[..., [round(QUIET * (db.shape[-1] - 1))]]
    return db.minimum(quiet)


def _mean(db: Tensor, generator: torch.Generator) -> Tensor:
    return db.mean(-1, keepdim=True).expand_as(db)


def _blur(db: Tensor, generator: torch.Generator) -> Tensor:
    return functional.avg_pool2d(db, BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)


def _noise(db: Tensor, generator: torch.Generator) -> Tensor:
    # Each bin draws one of the levels up to its band's median, which are mostly background.
    frames = db.shape[-1]
    quiet = db.sort(-1).values[..., : frames // 2 + 1]
    places = torch.randint(quiet.shape[-1], db.shape[1:], generator=generator)
    return quiet.gather(-1, places.to(db.device).expand(db.shape))


def _swap(db: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.rand(db.shape[1:], generator=generator).argsort(-1)
    return db.gather(-1, order.to(db.device).expand(db.shape))


FILLS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "silence": _silence,
    "background": _background,
    "mean": _mean,
    "blur": _blur,
    "noise": _noise,
    "swap": _swap,
}
"""The fills by name: from levels ``(N, 1, F, T)`` to those of removed bins."""


def fill_levels(db: Tensor, fill: str, seed: int = HELD_OUT_SEED) -> Tensor:
    """Return the level that each bin gets where it is removed, ``(N, 1, F, T)``.

    A fill looks at one clip alone, and draws the same for each clip of a batch:

    - ``"silence"``: the floor of -100 dB, as published;
    - ``"background"``: the quiet level of the bin's band, its 10 % quantile over the clip, or the
      bin's own level if that is lower, so that no bin becomes louder;
    - ``"mean"``: the mean level of the band;
    - ``"blur"``: the mean of 15 by 15 bins and frames around;
    - ``"noise"``: one of the levels up to the band's median, drawn for each bin;
    - ``"swap"``: the band's own levels in random order.

    Args:
        db: levels in dB, of whole clips.
        fill: a name in :data:`FILLS`.
        seed: of ``"noise"`` and ``"swap"``; by default one that no method draws by.

    Raises:
        ArgumentError: the fill is unknown.

    >>> fill_levels(torch.tensor([[[[-30.0, -80.0, -20.0]]]]), "background").flatten().tolist()
    [-80.0, -80.0, -80.0]
    """
    choose("fill", fill, FILLS)
    return FILLS[fill](db, torch.Generator().manual_seed(seed))
