"""The effect of a mask on levels, and the equivalent linear gain.

Levels are in dB; gains are linear amplitude gains from the old to the new levels. The gain is
exactly 1 where the mask is 1. With the fill ``"silence"`` it is exactly 0 where the mask is 0: the
floor stands for silence, so a removed bin must not be audible.
"""

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..util import FLOOR, fill_levels

DOMAINS = ("db", "magnitude", "power", "log1p")


def masked_levels(
    db: Tensor, mask: Tensor, floor: float, domain: str, fill: str
) -> tuple[Tensor, Tensor]:
    """Apply a mask to levels; ``Spectrogram.masked`` documents the domains and fills.

    Args:
        db: levels ``(N, 1, F, T)``.
        mask: values in [0, 1], of the same shape or one that broadcasts with it.
        floor: the level of silence.
        domain: one of ``DOMAINS``.
        fill: a name in :data:`~audiointerp.util.fills.FILLS`.

    Returns:
        The new levels and the gains, each ``(N, 1, F, T)``.

    Raises:
        ArgumentError: the mask is not in [0, 1] or has a wrong shape, a name is unknown, or the
            fill needs another domain.

    >>> mask = torch.tensor([0.0, 1.0])
    >>> levels, gain = masked_levels(torch.zeros(2), mask, -100, "db", "silence")
    >>> levels.tolist(), gain.tolist()
    ([-100.0, 0.0], [0.0, 1.0])
    """
    mask = check_mask(db, mask)
    filled = fill_levels(db, fill)
    choose("masking domain", domain, DOMAINS)
    if domain == "db":
        # lerp is exact at 0 and at 1; filled + (db - filled) * mask is not.
        return torch.lerp(filled, db, mask), gain_in_decibels(db, mask, filled, fill)
    if fill != "silence":
        raise ArgumentError(
            f"fill {fill!r} needs the domain 'db'; in {domain!r} a removed bin is silent"
        )
    if domain == "magnitude":
        gain = mask
    elif domain == "power":
        gain = mask.sqrt()
    else:
        magnitude = 10 ** (db / 20)
        gain = torch.where(mask == 1, 1.0, torch.expm1(mask * torch.log1p(magnitude)) / magnitude)
    level = (db + 20 * gain.log10()).clamp_min(floor)
    return torch.where(mask == 1, db, level), gain


def check_mask(db: Tensor, mask: Tensor) -> Tensor:
    """Return masks ``(M, 1, F, T)`` in the type of the levels ``(N, 1, F, T)`` that they are for.

    A mask with fewer dimensions, e.g. ``(F, T)`` or ``(1, T)``, is repeated over the others.

    Raises:
        ArgumentError: it does not fit the levels, or is not in [0, 1].

    >>> check_mask(torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 1.5]]]]))
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: a mask lies in [0, 1]; this one spans 1 to 1.5
    """
    try:
        # Not by broadcast_shapes(), which imports SymPy: a second.
        shape = torch.broadcast_tensors(mask, db)[0].shape
    except RuntimeError:
        shape = None
    if shape is None or len(shape) != db.ndim or shape[1:] != db.shape[1:]:
        raise ArgumentError(f"mask {tuple(mask.shape)} does not fit features {tuple(db.shape)}")
    mask = mask.to(db).expand(shape)
    lowest, highest = mask.aminmax() if mask.numel() else mask.new_zeros(2)
    # A NaN is neither.
    if not (lowest >= 0 and highest <= 1):
        raise ArgumentError(f"a mask lies in [0, 1]; this one spans {lowest:g} to {highest:g}")
    return mask


def gain_in_decibels(db: Tensor, mask: Tensor, filled: Tensor, fill: str) -> Tensor:
    """Return the linear gain of a mask of levels in dB.

    Args:
        db: the levels.
        mask: in [0, 1].
        filled: the levels of removed bins, see :func:`~audiointerp.util.fills.fill_levels`.
        fill: its name.

    >>> db, filled = torch.zeros(3), torch.full((3,), -20.0)
    >>> gain_in_decibels(db, torch.tensor([0.0, 0.5, 1.0]), filled, "background").tolist()
    [0.10000000149011612, 0.3162277638912201, 1.0]
    """
    gain = 10 ** ((db - filled) * (mask - 1) / 20)
    return torch.where(mask == 0, 0.0, gain) if fill == "silence" else gain


def levels_gain(db: Tensor, levels: Tensor) -> Tensor:
    """Return the linear gain from levels to other levels, differentiable by the latter.

    It is exactly 0 where a level is at the floor, which stands for silence, and exactly 1 where the
    levels are equal elsewhere, or equal in the whole clip.

    Args:
        db: the levels of a clip ``(1, 1, F, T)``, in dB.
        levels: the new levels ``(K, 1, F, T)``.

    >>> levels_gain(torch.zeros(3), torch.tensor([0.0, -20.0, -100.0])).tolist()
    [1.0, 0.10000000149011612, 0.0]
    """
    gain = 10 ** ((levels - db) / 20)
    # Bins at the floor are silent, but for a clip that is not changed at all.
    is_changed = (levels != db).flatten(1).any(1) if levels.ndim == 4 else (levels != db).any()
    is_changed = is_changed.view(-1, *[1] * (levels.ndim - 1)) if levels.ndim == 4 else is_changed
    return torch.where((levels <= FLOOR) & is_changed, 0.0, gain)
