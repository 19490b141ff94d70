"""Random sets of segments, as LIME and Kernel SHAP use them: what the network says, and a fit."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .segments import filling


@torch.no_grad()
def values_of_sets(
    explained: Callable[[Tensor], Tensor],
    db: Tensor,
    segments: Tensor,
    fill: str,
    kept: Tensor,
    batch: int,
    advance: Callable[[int], Any],
) -> Tensor:
    """Return the explained value of the clip for each set of segments that is kept, ``(K,)``.

    Args:
        explained: a function from features ``(K, 1, F, T)`` to values ``(K,)``.
        db: features ``(1, 1, F, T)`` of one clip.
        segments: the segment of each bin, from :func:`~.segments.segmented`.
        fill: replaces the other segments, see :func:`~.segments.filling`.
        kept: which segments each set keeps, ``(K, segments)`` bool.
        batch: sets whose levels are made at a time.
        advance: called with the number of sets just done.

    >>> db, segments = torch.tensor([[[[1.0, 2.0, 5.0]]]]), torch.tensor([[[[0, 0, 1]]]])
    >>> kept = torch.tensor([[True, True], [True, False]])
    >>> def sums(levels):
    ...     return levels.flatten(1).sum(1)
    >>> values_of_sets(sums, db, segments, "silence", kept, 16, print).tolist()
    2
    [8.0, -97.0]
    """
    filled = filling(db, segments, fill)
    bins = segments[0]
    values = []
    for sets in kept.to(db.device).split(batch):
        # One look-up makes all masks of the batch: (K, segments) by (1, F, T) is (K, 1, F, T).
        values.append(explained(torch.where(sets[:, bins], db, filled)))
        advance(len(sets))
    return torch.cat(values)


def weighted_fit(
    sets: Tensor, values: Tensor, weights: Tensor, penalty: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Fit a weighted linear model with an intercept, in float64 on the CPU.

    Args:
        sets: which segments each set keeps, ``(K, segments)``.
        values: of each set, ``(K,)``.
        weights: of each set, ``(K,)``.
        penalty: of the squared coefficients (ridge); with 0, of several solutions the smallest.

    Returns:
        The coefficient of each segment ``(segments,)``, and the weighted R², a scalar, at most 1
        (NaN if all values are equal).

    >>> sets = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]])
    >>> coefficients, fit = weighted_fit(sets, torch.tensor([6.0, 3.0, 4.0, 1.0]), torch.ones(4))
    >>> [round(value, 6) for value in coefficients.tolist()], round(fit.item(), 6)
    ([2.0, 3.0], 1.0)
    """
    x, y, weights = (tensor.detach().cpu().double() for tensor in (sets, values, weights))
    share = weights / weights.sum()
    x, y = x - share @ x, y - share @ y
    if penalty > 0:
        weighted = x.T * weights
        ridge = penalty * torch.eye(x.shape[1], dtype=x.dtype)
        coefficients = torch.linalg.solve(weighted @ x + ridge, weighted @ y)
    else:
        # Sets that are drawn can leave segments indistinguishable, so that solve would fail.
        root = weights.sqrt()
        solved = torch.linalg.lstsq(x * root[:, None], (y * root)[:, None], driver="gelsd")
        coefficients = solved.solution[:, 0]
    unexplained = share @ (y - x @ coefficients).square()
    variance = share @ y.square()
    return coefficients, torch.where(variance > 0, 1 - unexplained / variance, torch.nan)
