"""The 14 masks: attributions ``(N, 1, F, T)`` to masks of the same shape in [0, 1], clip by clip.

A is the attribution of one clip, A+ = max(A, 0). The names are the published ones; the definitions are sound where the
published code was not: a top-k mask keeps exactly k entries however many are equal.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..errors import ArgumentError

Mask = Callable[[Tensor], Tensor]
TIE_SEED = 0


def binary(values: Tensor) -> Tensor:
    """1 where A > 0.

    >>> binary(torch.tensor([[[[-1.0, 0.0, 2.0]]]])).flatten().tolist()
    [0.0, 0.0, 1.0]
    """
    return (checked(values) > 0).to(values)


def minmax(values: Tensor, positive: bool = False) -> Tensor:
    """(A - min A) / (max A - min A), or, if ``positive``, A+ / max A; 0 where the denominator is not above 0.

    >>> minmax(torch.tensor([[[[-1.0, 0.0, 1.0]]]])).flatten().tolist()
    [0.0, 0.5, 1.0]
    >>> minmax(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), positive=True).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    values = checked(values).clamp_min(0) if positive else checked(values)
    low = torch.zeros_like(values[:, :, :1, :1]) if positive else values.amin((1, 2, 3), keepdim=True)
    # Halves of large values, so that their span is finite; a half of the smallest value there is would be 0.
    unit = torch.where(values.abs().amax((1, 2, 3), keepdim=True) > 1, 0.5, 1.0).to(values)
    span = values.amax((1, 2, 3), keepdim=True) * unit - low * unit
    scaled = (values * unit - low * unit) / torch.where(span > 0, span, 1.0)
    return torch.where(span > 0, scaled, 0.0).clamp(0, 1)


def sigmoid(values: Tensor, positive: bool = False) -> Tensor:
    """1 / (1 + exp(-A)), or of A+ if ``positive``: then 0.5 at the least.

    >>> sigmoid(torch.zeros(1, 1, 1, 2)).flatten().tolist()
    [0.5, 0.5]
    """
    values = checked(values)
    return torch.sigmoid(values.clamp_min(0) if positive else values)


def threshold(values: Tensor, share: float) -> Tensor:
    """1 where A+ / max A >= ``share``.

    >>> threshold(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), 0.5).flatten().tolist()
    [0.0, 1.0, 1.0]
    """
    return (minmax(values, positive=True) >= share).to(values)


def top(values: Tensor, share: float, positive: bool = False) -> Tensor:
    """1 at the floor(share * F * T + 1/2) largest entries, exactly that many; ties fall by a seeded permutation.

    If ``positive``, entries that are not above 0 are left out, so fewer may be kept.

    >>> top(torch.zeros(1, 1, 2, 5), 0.3).sum().item()
    3.0
    >>> top(torch.zeros(1, 1, 2, 5), 0.3, positive=True).sum().item()
    0.0
    """
    flat = checked(values).flatten(1)
    entries = flat.shape[1]
    count = int(share * entries + 0.5)
    order = torch.randperm(entries, generator=torch.Generator().manual_seed(TIE_SEED)).to(flat.device)
    largest = order[flat[:, order].argsort(dim=1, descending=True, stable=True)[:, :count]]
    mask = torch.zeros_like(flat).scatter_(1, largest, 1.0)
    if positive:
        mask *= flat > 0
    return mask.view_as(values)


def checked(values: Tensor) -> Tensor:
    """The values, where a mask can be made of them.

    Raises:
        ArgumentError: they are no finite map of clips.
    """
    if not isinstance(values, Tensor):
        raise ArgumentError(
            f"a mask is made of values (N, 1, F, T), attribution.values say, not a {type(values).__name__}"
        )
    if values.ndim != 4:
        raise ArgumentError(f"attributions have the shape (N, 1, F, T), not {tuple(values.shape)}")
    if not values.isfinite().all():
        raise ArgumentError("the attribution holds NaN or infinite values; no mask can be made of it")
    return values


MASKS: dict[str, Mask] = {
    "bin": binary,
    "minmax": minmax,
    "sigmoid": sigmoid,
    "topK_5": partial(top, share=0.05),
    "topK_30": partial(top, share=0.30),
    "topK_50": partial(top, share=0.50),
    "minmax_pos": partial(minmax, positive=True),
    "sigmoid_pos": partial(sigmoid, positive=True),
    "pos_thresh_25": partial(threshold, share=0.25),
    "pos_thresh_50": partial(threshold, share=0.50),
    "pos_thresh_75": partial(threshold, share=0.75),
    "topK_5_pos": partial(top, share=0.05, positive=True),
    "topK_30_pos": partial(top, share=0.30, positive=True),
    "topK_50_pos": partial(top, share=0.50, positive=True),
}
