"""Random masks that let as many audible bins come back as the masks they are compared with."""

import torch
from torch import Tensor

from ..processing import Spectrogram
from .content import heard_under

TOLERANCE = 0.005
"""A random mask is matched if its HEARD differs by at most this from the mask's."""


def matched_masks(
    spectrogram: Spectrogram,
    masks: Tensor,
    fields: Tensor,
    *,
    on: str = "features",
    fill: str = "silence",
) -> Tensor | None:
    """Return 0/1 masks of the largest bins of random fields, with the HEARD of given masks.

    The number of bins is found by bisection, until HEARD differs by at most :data:`TOLERANCE`, or
    until one bin more or less is on the other side. A soft mask under which no audible bin comes
    back has an empty random mask.

    Args:
        spectrogram: the clip.
        masks: ``(M, 1, F, T)`` in [0, 1].
        fields: maps of the same shape; their order of bins is kept.
        on, fill: see :func:`~audiointerp.scoring.outcomes.classify_parts`.

    Returns:
        ``(M, 1, F, T)``; None for a clip without an audible bin.

    >>> from audiointerp import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> mask = torch.zeros_like(clip.db)
    >>> mask[..., :50] = 1
    >>> matched = matched_masks(clip, mask, torch.rand_like(clip.db))
    >>> abs((heard_under(clip, matched) - heard_under(clip, mask)).item()) <= TOLERANCE
    True
    """
    targets = heard_under(spectrogram, masks, on=on, fill=fill)
    if targets.isnan().any():
        return None
    ranks = (-fields.flatten(1)).argsort(dim=1, stable=True).argsort(dim=1)

    def largest(counts: Tensor) -> Tensor:
        is_chosen: Tensor = ranks < counts.to(ranks.device)[:, None]
        return is_chosen.to(masks.dtype).view(masks.shape)

    def shares(counts: Tensor) -> Tensor:
        return heard_under(spectrogram, largest(counts), on=on, fill=fill)

    low = torch.zeros(len(masks), dtype=torch.long)
    high = torch.full_like(low, ranks.shape[1])
    gaps_of_none, gaps_of_all = (shares(low) - targets).abs(), (1 - targets).abs()
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
