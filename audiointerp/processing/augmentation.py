"""Data augmentation of features: time shifts, SpecAugment, removed bins and quieter clips."""

import torch
from torch import Tensor
from torch.nn import functional

from ..util import FILLS, FLOOR, fill_levels

MOST_REMOVED = 0.9
"""The largest share of a clip's bins that is removed."""
COARSEST, FINEST = (2, 4), (16, 32)
"""The fewest and the most bins and frames of the grids that blobs are drawn on."""


def augment(
    db: Tensor,
    *,
    time_roll: bool = True,
    frequency_mask: int = 10,
    time_mask: int = 40,
    gain: float = 0.0,
    removal: float = 0.0,
) -> Tensor:
    """Change each clip at random, in this order: roll, remove bins, mask a band and frames, gain.

    Draws from torch's global generator; what is off draws nothing. Source of the band and the
    frames: SpecAugment (Park et al., Interspeech 2019).

    Args:
        db: features ``(N, 1, F, T)`` in dB; not modified.
        time_roll: whether to roll each clip by a random number of frames.
        frequency_mask: the largest width of the silenced band, in bins.
        time_mask: the largest number of silenced frames.
        gain: each clip becomes quieter by up to this many dB; digital silence stays.
        removal: the probability with which bins of a clip are removed, see :func:`remove_bins`.

    >>> augment(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 1, 64, 100])
    """
    bins, frames = db.shape[2:]
    augmented = []
    for clip in db:
        shift = int(torch.randint(frames, ())) if time_roll else 0
        clip = torch.roll(clip, shift, -1)
        if removal and float(torch.rand(())) < removal:
            clip = remove_bins(clip)
        low, high = _random_interval(bins, frequency_mask)
        clip[:, low:high] = FLOOR
        start, end = _random_interval(frames, time_mask)
        clip[:, :, start:end] = FLOOR
        if gain:
            clip = (clip - gain * float(torch.rand(()))).clamp(min=FLOOR)
        augmented.append(clip)
    return torch.stack(augmented)


def remove_bins(clip: Tensor) -> Tensor:
    """Remove random bins of a clip: blobs or single bins, up to 90 % of them, with any fill.

    Draws the share, the shape and the fill (one of :data:`~audiointerp.util.FILLS`) from torch's
    global generator, each with equal probability.

    Args:
        clip: levels ``(1, F, T)`` in dB; not modified.

    >>> remove_bins(torch.zeros(1, 64, 100)).shape
    torch.Size([1, 64, 100])
    """
    bins, frames = clip.shape[1:]
    are_blobs = float(torch.rand(())) < 0.5
    field = random_blobs(bins, frames) if are_blobs else torch.rand(bins, frames)
    removed = lowest_share(field, MOST_REMOVED * float(torch.rand(())))
    fill = list(FILLS)[int(torch.randint(len(FILLS), ()))]
    seed = int(torch.randint(2**31, ()))
    filled = fill_levels(clip[None], fill, seed)[0]
    return torch.where(removed.to(clip.device), filled, clip)


def random_blobs(bins: int, frames: int) -> Tensor:
    """Draw a smooth random field ``(F, T)``: noise on a coarse grid, interpolated.

    The grid has 2 to 16 rows and 4 to 32 columns, drawn too, all from torch's global generator.

    >>> random_blobs(64, 100).shape
    torch.Size([64, 100])
    """
    rows, columns = (
        int(torch.randint(fewest, most + 1, ()))
        for fewest, most in zip(COARSEST, FINEST, strict=True)
    )
    coarse = torch.randn(1, 1, rows, columns)
    return functional.interpolate(coarse, (bins, frames), mode="bicubic")[0, 0]


def lowest_share(field: Tensor, share: float) -> Tensor:
    """Mark a share of the entries of a field ``(F, T)``, rounded to whole bins: the lowest ones.

    >>> lowest_share(torch.tensor([[3.0, 1.0, 2.0, 0.0]]), 0.5)
    tensor([[False,  True, False,  True]])
    """
    is_low = torch.zeros(field.numel(), dtype=torch.bool)
    is_low[field.flatten().argsort()[: round(share * field.numel())]] = True
    return is_low.view(field.shape)


def _random_interval(length: int, max_width: int) -> tuple[int, int]:
    width = int(torch.randint(min(max_width, length) + 1, ()))
    start = int(torch.randint(length - width + 1, ()))
    return start, start + width
