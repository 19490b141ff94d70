"""Random masks that let as many audible bins come back as the masks they are compared with."""

import torch
from torch import Tensor

from ..processing import MaskedParts
from .content import heard_under

TOLERANCE = 0.005
"""A random mask is matched if its HEARD differs by at most this from the mask's."""


def matched_masks(
    parts: MaskedParts, masks: Tensor, fields: Tensor, *, on: str = "features"
) -> Tensor | None:
    """Return 0/1 masks of the largest bins of random fields, with the HEARD of given masks.

    The number of bins is found by bisection, until HEARD differs by at most :data:`TOLERANCE`, or
    until one bin more or less is on the other side. A soft mask under which no audible bin comes
    back has an empty random mask.

    Args:
        parts: what makes the parts of the clip.
        masks: ``(M, 1, F, T)`` in [0, 1].
        fields: maps of the same shape; their order of bins is kept.
        on: see :func:`~audiointerp.scoring.outcomes.classify_parts`.

    Returns:
        ``(M, 1, F, T)``; None for a clip without an audible bin.

    >>> from audiointerp import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> mask = torch.zeros_like(clip.db)
    >>> mask[..., :50] = 1
    >>> parts = MaskedParts(clip)
    >>> matched = matched_masks(parts, mask, torch.rand_like(clip.db))
    >>> abs((heard_under(parts, matched) - heard_under(parts, mask)).item()) <= TOLERANCE
    True
    """
    targets = heard_under(parts, masks, on=on)
    if targets.isnan().any():
        return None
    ranks = (-fields.flatten(1)).argsort(dim=1, stable=True).argsort(dim=1)

    def largest(counts: Tensor) -> Tensor:
        is_chosen: Tensor = ranks < counts.to(ranks.device)[:, None]
        return is_chosen.to(masks.dtype).view(masks.shape)

    def shares(counts: Tensor) -> Tensor:
        return heard_under(parts, largest(counts), on=on)

    low = torch.zeros(len(masks), dtype=torch.long)
    high = torch.full_like(low, ranks.shape[1])
    of_none = heard_under(parts, torch.zeros_like(masks[:1]), on=on)
    gaps_of_none, gaps_of_all = (of_none - targets).abs(), (1 - targets).abs()
    best = torch.where(gaps_of_all < gaps_of_none, high, low)
    gaps = gaps_of_all.minimum(gaps_of_none)
    while bool(((gaps > TOLERANCE) & (high > low + 1)).any()):
        middle = (low + high) // 2
        shares_of_middle = shares(middle)
        is_closer = (shares_of_middle - targets).abs() < gaps
        best = torch.where(is_closer, middle, best)
        gaps = torch.where(is_closer, (shares_of_middle - targets).abs(), gaps)
        is_less = shares_of_middle < targets
        low, high = torch.where(is_less, middle, low), torch.where(is_less, high, middle)
    return largest(best)
