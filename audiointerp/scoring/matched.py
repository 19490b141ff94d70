"""Random masks that let as many audible bins come back as the masks they are compared with."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..processing import MaskedParts
from .content import heard_under

TOLERANCE = 0.005
"""A random mask is matched if its HEARD differs by at most this from the mask's."""


@dataclass(eq=False)
class _Search:
    """How many of the largest bins have a share, for each of M masks.

    Attributes:
        targets: the shares that are looked for, ``(M,)`` float64, as are the other shares.
        low, high: numbers of bins whose shares are below the target, and not below it, ``(M,)``.
        low_shares, high_shares: their shares.
        best, gaps: the number whose share is closest so far, and its distance from the target.
        steps: how often the search was narrowed.
    """

    targets: Tensor
    low: Tensor
    high: Tensor
    low_shares: Tensor
    high_shares: Tensor
    best: Tensor
    gaps: Tensor
    steps: int = 0

    @staticmethod
    def between(bins: int, of_none: Tensor, targets: Tensor) -> "_Search":
        """Start with no bin, whose share is ``of_none``, and with all bins, whose share is 1."""
        low = torch.zeros(len(targets), dtype=torch.long)
        high = torch.full_like(low, bins)
        ends = of_none.expand_as(targets).clone(), torch.ones_like(targets)
        gaps_of_none, gaps_of_all = ((end - targets).abs() for end in ends)
        best = torch.where(gaps_of_all < gaps_of_none, high, low)
        return _Search(targets, low, high, *ends, best, gaps_of_all.minimum(gaps_of_none))

    def open(self) -> Tensor:
        """Return the numbers of the masks for which the search goes on."""
        return ((self.gaps > TOLERANCE) & (self.high > self.low + 1)).nonzero()[:, 0]

    def next_counts(self, masks: Tensor) -> Tensor:
        """Return a number of bins between low and high: on the line between them, or halfway.

        A line alone would be slow where the share is far from one; half the steps halve the range.
        """
        low, high = self.low[masks], self.high[masks]
        if self.steps % 2:
            return (low + high) // 2
        rise = self.high_shares[masks] - self.low_shares[masks]
        part = (self.targets - self.low_shares)[masks] / rise.clamp_min(1e-9)
        counts = low + (part * (high - low)).round().long()
        return counts.maximum(low + 1).minimum(high - 1)

    def narrow(self, masks: Tensor, counts: Tensor, shares: Tensor) -> None:
        """Take the shares of some numbers of bins, one for each of some masks, into account."""
        targets, gaps = self.targets[masks], (shares - self.targets[masks]).abs()
        is_closer, is_less = gaps < self.gaps[masks], shares < targets
        closer, less, enough = masks[is_closer], masks[is_less], masks[~is_less]
        self.best[closer], self.gaps[closer] = counts[is_closer], gaps[is_closer]
        self.low[less], self.low_shares[less] = counts[is_less], shares[is_less]
        self.high[enough], self.high_shares[enough] = counts[~is_less], shares[~is_less]
        self.steps += 1


def matched_masks(
    parts: MaskedParts, masks: Tensor, fields: Tensor, *, on: str = "features"
) -> Tensor | None:
    """Return 0/1 masks of the largest bins of random fields, with the HEARD of given masks.

    The number of bins is searched for between one that lets too few bins come back and one that
    lets enough, until HEARD differs by at most :data:`TOLERANCE`, or until one bin more or less is
    on the other side. What is found for a mask does not depend on the other masks. A soft mask
    under which no audible bin comes back has an empty random mask.

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
    order = (-fields.flatten(1)).argsort(dim=1, stable=True)
    places = torch.arange(order.shape[1], device=order.device).expand_as(order)
    ranks = torch.empty_like(order).scatter_(1, order, places)

    def largest(numbers: Tensor, counts: Tensor) -> Tensor:
        is_chosen: Tensor = ranks[numbers] < counts.to(ranks.device)[:, None]
        return is_chosen.to(masks.dtype).view(-1, *masks.shape[1:])

    of_none = heard_under(parts, torch.zeros_like(masks[:1]), on=on)
    search = _Search.between(ranks.shape[1], of_none, targets)
    while len(numbers := search.open()):
        counts = search.next_counts(numbers)
        shares = heard_under(parts, largest(numbers, counts), on=on)
        search.narrow(numbers, counts, shares)
    return largest(torch.arange(len(masks)), search.best)
