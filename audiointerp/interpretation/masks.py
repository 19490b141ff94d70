"""The masks, which turn attributions ``(N, 1, F, T)`` into masks of that shape in [0, 1].

A is the attribution of one clip, and A+ = max(A, 0); each clip is masked by itself. The names are
the published ones. The definitions differ where the published code was wrong: a top-k mask keeps
exactly k entries, however many are equal. :func:`tie_share` says how many of them are arbitrary.

A mask of your own is any function from values to a mask; see ``resolve_mask``.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

from ..errors import ArgumentError
from .mask_names import NamedMasks


def binary(values: Tensor) -> Tensor:
    """Return 1 where A > 0.

    >>> binary(torch.tensor([[[[-1.0, 0.0, 2.0]]]])).flatten().tolist()
    [0.0, 0.0, 1.0]
    """
    return (checked(values) > 0).to(values)


def minmax(values: Tensor, positive: bool = False) -> Tensor:
    """Return (A - min A) / (max A - min A), or A+ / max A if ``positive``.

    The mask is 0 where the denominator is not positive.

    >>> minmax(torch.tensor([[[[-1.0, 0.0, 1.0]]]])).flatten().tolist()
    [0.0, 0.5, 1.0]
    >>> minmax(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), positive=True).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    values = checked(values)
    if positive:
        values = values.clamp_min(0)
        low = torch.zeros_like(values[:, :, :1, :1])
    else:
        low = values.amin((1, 2, 3), keepdim=True)
    # Large values are halved so that their span is finite; the smallest float has no half but 0.
    unit = torch.where(values.abs().amax((1, 2, 3), keepdim=True) > 1, 0.5, 1.0).to(values)
    span = values.amax((1, 2, 3), keepdim=True) * unit - low * unit
    scaled = (values * unit - low * unit) / torch.where(span > 0, span, 1.0)
    return torch.where(span > 0, scaled, 0.0).clamp(0, 1)


def sigmoid(values: Tensor, positive: bool = False) -> Tensor:
    """Return 1 / (1 + exp(-A)), or that of A+ if ``positive``, which is at least 0.5.

    >>> sigmoid(torch.zeros(1, 1, 1, 2)).flatten().tolist()
    [0.5, 0.5]
    """
    values = checked(values)
    return torch.sigmoid(values.clamp_min(0) if positive else values)


def threshold(values: Tensor, share: float) -> Tensor:
    """Return 1 where A+ / max A >= ``share``.

    Raises:
        ArgumentError: ``share`` is not in [0, 1].

    >>> threshold(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), 0.5).flatten().tolist()
    [0.0, 1.0, 1.0]
    """
    return (minmax(values, positive=True) >= _checked_share(share)).to(values)


def top(values: Tensor, share: float, positive: bool = False) -> Tensor:
    """Return 1 at exactly the floor(share * F * T + 1/2) largest entries.

    Of equal entries, those of earlier frames are kept first, and those of lower bins within a
    frame: the entries are sorted by (-value, frame, bin). Of a segment that the count cuts, the
    first frames are therefore kept in one piece, not bins scattered over it. If ``positive``,
    entries that are not above 0 are left out, so fewer may be kept.

    Raises:
        ArgumentError: ``share`` is not in [0, 1].

    >>> top(torch.zeros(1, 1, 2, 5), 0.3)
    tensor([[[[1., 1., 0., 0., 0.],
              [1., 0., 0., 0., 0.]]]])
    >>> top(torch.zeros(1, 1, 2, 5), 0.3, positive=True).sum().item()
    0.0
    """
    return top_at_shares(values, [share], positive)[0]


def top_at_shares(values: Tensor, shares: Sequence[float], positive: bool = False) -> Tensor:
    """Return the masks of :func:`top` at several shares ``(S, N, 1, F, T)``, by one sort.

    Raises:
        ArgumentError: a share is not in [0, 1].

    >>> top_at_shares(torch.tensor([[[[3.0, 9.0, 5.0, 1.0]]]]), [0.25, 0.75]).flatten(1).tolist()
    [[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]]
    """
    frame_by_frame = checked(values).transpose(2, 3)
    # -0.0 + 0.0 = 0.0: the two zeros are equal, but a sort of bits would tell them apart.
    flat = frame_by_frame.flatten(1) + 0.0
    order = flat.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    ranks = torch.empty_like(order).scatter_(1, order, places)
    masks = []
    for share in shares:
        is_kept = ranks < _kept_count(share, flat.shape[1])
        if positive:
            is_kept &= flat > 0
        mask = is_kept.to(flat).view(frame_by_frame.shape)
        masks.append(mask.transpose(2, 3).contiguous())
    return torch.stack(masks)


def tie_share(values: Tensor, share: float, positive: bool = False) -> Tensor:
    """Return the share of the entries kept by :func:`top` that only the order of ties chose.

    Attributions that are constant on segments (LIME, Kernel SHAP, occlusion) have many equal
    entries. If the count cuts through them, which of them are kept says nothing about the model.

    Args:
        values: attributions ``(N, 1, F, T)``.
        share: as for :func:`top`.
        positive: as for :func:`top`.

    Returns:
        ``(N,)`` float64 in [0, 1]: the kept entries of a value that others, not kept, have too,
        divided by the count; 0 if the mask is determined by the values alone.

    Raises:
        ArgumentError: ``share`` is not in [0, 1].

    >>> values = torch.tensor([[[[3.0, 1.0, 1.0, 1.0, 0.0]]]])
    >>> tie_share(values, 0.4).item(), tie_share(values, 0.8).item()
    (0.5, 0.0)
    """
    flat = checked(values).flatten(1)
    count = _kept_count(share, flat.shape[1])
    if count == 0:
        return torch.zeros(len(flat), dtype=torch.float64, device=flat.device)
    least_kept = flat.kthvalue(flat.shape[1] - count + 1, dim=1, keepdim=True).values
    larger, equal = (flat > least_kept).sum(1), (flat == least_kept).sum(1)
    cut = larger + equal > count
    if positive:
        cut &= least_kept[:, 0] > 0
    return torch.where(cut, count - larger, 0).double() / count


def _kept_count(share: float, entries: int) -> int:
    # The decimal that the share is written as: 0.29 * 50 + 0.5 is below 15 in floats.
    return int(Fraction(str(_checked_share(share))) * entries + Fraction(1, 2))


def _checked_share(share: float) -> float:
    if not 0 <= share <= 1:
        raise ArgumentError(f"share={share}: a share lies in [0, 1], e.g. 0.3 for 30 %")
    return float(share)


def checked(values: Tensor) -> Tensor:
    """Return the values unchanged if a mask can be made from them.

    Raises:
        ArgumentError: they are not a finite tensor ``(N, 1, F, T)``.

    >>> checked(torch.zeros(1, 1, 2, 3)).shape
    torch.Size([1, 1, 2, 3])
    """
    if not isinstance(values, Tensor):
        raise ArgumentError(
            f"a mask is made from values (N, 1, F, T), e.g. attribution.values, "
            f"not a {type(values).__name__}"
        )
    if values.ndim != 4:
        raise ArgumentError(f"attributions have the shape (N, 1, F, T), not {tuple(values.shape)}")
    if not values.isfinite().all():
        raise ArgumentError("the attribution contains NaN or infinite values; no mask can be made")
    return values


# An entry is all that finding a mask by its name needs. cli/options.py lists the names again, in
# the same order, so that --help need not import torch.
MASKS = NamedMasks(
    {
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
)
"""The masks by name; ``MASKS["topK_31"]`` is found, too, though not among those listed."""
