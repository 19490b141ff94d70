"""The first sample of a sound that cannot be used: NaN, infinite or too large."""

import torch
from torch import Tensor


def bad_sample(block: Tensor, most: float, before: int, rate: int) -> str | None:
    """Say which sample of a block is the first bad one, and what it is; None if all are good.

    Args:
        block: ``(n, C)``.
        most: the largest |sample|.
        before: the samples per channel before the block.
        rate: of the sound, in Hz.

    >>> bad_sample(torch.tensor([[0.5], [torch.nan]]), 1.0, 8000, 8000)
    'sample 8001 (1.000 s) is NaN'
    """
    # Written so that NaN is bad, too.
    is_bad = ~(block.abs() <= most)
    if not is_bad.any():
        return None
    number, channel = is_bad.nonzero()[0].tolist()
    value = float(block[number, channel])
    place = f"sample {before + number} ({(before + number) / rate:.3f} s)"
    if block.shape[1] > 1:
        place += f" of channel {channel + 1}"
    if value != value:
        return f"{place} is NaN"
    if value in (torch.inf, -torch.inf):
        return f"{place} is {'-' if value < 0 else ''}infinity"
    return f"{place} is {value:.4g}, and its size is above {most:.2g}"
