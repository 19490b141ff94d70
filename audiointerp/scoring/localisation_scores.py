"""Scores of a map against the truth: pure functions, one value per clip.

Shapes: values ``(N, 1, F, T)`` are any map, of which a larger value says "rather the explained
sound"; truth ``(N, 1, F, T)`` is bool. All but :func:`relevance_mass` depend on the order of the
values alone. A score that is undefined is NaN: :func:`undefined_reason` says why.

Equal values are dealt with as scikit-learn does in :func:`auc` and :func:`average_precision`
(half a pair each; one step of the curve), and in :func:`iou` and :func:`pointing_game` in the
order of the top-k masks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..interpretation import is_constant, top


def auc(values: Tensor, truth: Tensor, among: Tensor | None = None) -> Tensor:
    """Return the probability that a bin of the truth has a larger value than another bin.

    It is the area under the ROC curve, in [0, 1]; 0.5 of a map that knows nothing. Of equal values
    a half counts (Mann and Whitney 1947).

    Args:
        values, truth: see above.
        among: bool ``(N, 1, F, T)``, the bins that count; all if None.

    Returns:
        ``(N,)`` float64; NaN where the truth has none of these bins, or all.

    >>> values, truth = torch.tensor([[[[1.0, 3.0, 2.0]]]]), torch.tensor([[[[False, True, True]]]])
    >>> auc(values, truth).tolist()
    [1.0]
    """
    return torch.stack(
        [
            _auc(clip[0][clip[2]], clip[1][clip[2]])
            for clip in zip(values, truth, _all_if_none(among, truth), strict=True)
        ]
    )


def _all_if_none(among: Tensor | None, truth: Tensor) -> Tensor:
    return torch.ones_like(truth) if among is None else among


def _auc(values: Tensor, truth: Tensor) -> Tensor:
    positive = int(truth.sum())
    negative = truth.numel() - positive
    if not (positive and negative):
        return torch.tensor(torch.nan, dtype=torch.float64)
    rank_sum = float(mean_ranks(values)[truth].sum())
    above = rank_sum - positive * (positive + 1) / 2
    return torch.tensor(above / (positive * negative), dtype=torch.float64)


def mean_ranks(values: Tensor) -> Tensor:
    """Return the ranks from 1, float64, of values ``(M,)``; equal ones get the mean of theirs.

    >>> mean_ranks(torch.tensor([5.0, 1.0, 5.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    # -0.0 + 0.0 = 0.0: the two zeros are equal.
    _, place, counts = (values + 0.0).unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = (last - (counts.double() - 1) / 2)[place]
    return ranks


def average_precision(values: Tensor, truth: Tensor) -> Tensor:
    """Return the mean precision over the bins of the truth, largest values first, in [0, 1].

    A map that knows nothing has about the truth's share of the bins.

    Returns:
        ``(N,)`` float64; NaN where there is no truth.

    >>> values, truth = torch.tensor([[[[1.0, 3.0, 2.0]]]]), torch.tensor([[[[False, True, True]]]])
    >>> average_precision(values, truth).tolist()
    [1.0]
    """
    clips = zip(values.flatten(1), truth.flatten(1), strict=True)
    return torch.stack([_average_precision(*clip) for clip in clips])


def _average_precision(values: Tensor, truth: Tensor) -> Tensor:
    if not truth.any():
        return torch.tensor(torch.nan, dtype=torch.float64)
    _, place, counts = (values + 0.0).unique(return_inverse=True, return_counts=True)
    true_counts = torch.zeros_like(counts).index_add_(0, place, truth.to(counts))
    # From the largest value down, all bins of one value at once.
    hits, taken = (each.flip(0).cumsum(0).double() for each in (true_counts, counts))
    gained = true_counts.flip(0).double() / truth.sum()
    precision: Tensor = (hits / taken * gained).sum()
    return precision.cpu()


def iou(values: Tensor, truth: Tensor) -> Tensor:
    """Return the intersection over union of the truth and as many of the largest values, in [0, 1].

    Returns:
        ``(N,)`` float64; NaN where there is no truth.

    >>> values, truth = torch.tensor([[[[1.0, 3.0, 2.0]]]]), torch.tensor([[[[True, True, False]]]])
    >>> round(iou(values, truth).item(), 3)
    0.333
    """
    shares = truth.flatten(1).double().mean(1)
    kept = torch.cat(
        [top(clip[None], float(share)) for clip, share in zip(values, shares, strict=True)]
    ).bool()
    both = (kept & truth).flatten(1).sum(1).double()
    # 0 / 0, without any truth, is NaN.
    return (both / (kept | truth).flatten(1).sum(1)).cpu()


def pointing_game(values: Tensor, truth: Tensor) -> Tensor:
    """Return 1 where the largest value lies in the truth, else 0 (Zhang et al., ECCV 2016).

    No bin beside the truth counts as a hit.

    Returns:
        ``(N,)`` float64; NaN where there is no truth.

    >>> values, truth = torch.tensor([[[[1.0, 3.0, 2.0]]]]), torch.tensor([[[[True, True, False]]]])
    >>> pointing_game(values, truth).tolist()
    [1.0]
    """
    one_bin = 1 / truth[0].numel()
    hits = (top(values, one_bin).bool() & truth).flatten(1).any(1)
    return torch.where(truth.flatten(1).any(1), hits.double(), torch.nan).cpu()


def relevance_mass(values: Tensor, truth: Tensor) -> Tensor:
    """Return the share of the positive values' sum that lies in the truth, in [0, 1].

    Arras, Osman and Samek, "CLEVR-XAI", Information Fusion 2022.

    Returns:
        ``(N,)`` float64; NaN where there is no truth, or no positive value.

    >>> values, truth = torch.tensor([[[[1.0, 3.0, -9.]]]]), torch.tensor([[[[True, False, True]]]])
    >>> relevance_mass(values, truth).tolist()
    [0.25]
    """
    positive = values.double().clamp_min(0).flatten(1)
    # Scaled, so that the sum of large values is finite.
    positive = positive / positive.amax(1, keepdim=True)
    inside = (positive * truth.flatten(1)).sum(1) / positive.sum(1)
    return torch.where(truth.flatten(1).any(1), inside, torch.nan).cpu()


@dataclass(frozen=True)
class LocalisationScore:
    """A score of a map against the truth; higher is better.

    Attributes:
        compute: from values, truth and the audible bins to one value per clip, ``(N,)``.
        title: the name in full, for tables.

    >>> LOCALISATION_SCORES["ap"].title
    'average precision'
    """

    compute: Callable[[Tensor, Tensor, Tensor], Tensor]
    title: str


def _of_all_bins(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Leave out the audible bins, which only the contrast needs."""
    return lambda values, truth, audible: score(values, truth)


LOCALISATION_SCORES: dict[str, LocalisationScore] = {
    "contrast": LocalisationScore(auc, "AUC over the bins where a source is audible"),
    "ap": LocalisationScore(_of_all_bins(average_precision), "average precision"),
    "iou": LocalisationScore(
        _of_all_bins(iou), "intersection over union of the truth and as many of the largest values"
    ),
    "pointing": LocalisationScore(
        _of_all_bins(pointing_game), "whether the largest value is in the truth"
    ),
    "auc": LocalisationScore(_of_all_bins(auc), "area under the ROC curve"),
    "mass": LocalisationScore(
        _of_all_bins(relevance_mass), "share of the positive values that is in the truth"
    ),
}
"""The scores by name, in the order of the tables."""


def undefined_reason(values: Tensor, truth: Tensor, audible: Tensor) -> str:
    """Return why a clip's scores, or some of them, say nothing; empty if all do.

    A constant map has an order only by the rule for ties, so none of its scores is given.

    Args:
        values, truth, audible: of one clip, ``(1, 1, F, T)``.

    >>> truth = torch.tensor([[[[True, False]]]])
    >>> undefined_reason(torch.zeros(1, 1, 1, 2), truth, truth)
    'constant map'
    """
    if not truth.any():
        return "no bin of truth"
    if is_constant(values):
        return "constant map"
    if not (audible & ~truth).any():
        return "only the explained source is audible"
    if not (values > 0).any():
        return "no positive value"
    return ""


def localisation_scores(values: Tensor, truth: Tensor, audible: Tensor) -> dict[str, float]:
    """Return all scores of one clip by name; NaN where undefined.

    Args:
        values, truth, audible: of one clip, ``(1, 1, F, T)``.

    >>> values, truth = torch.tensor([[[[3.0, 1.0, 2.0]]]]), torch.tensor([[[[True, False, True]]]])
    >>> localisation_scores(values, truth, torch.ones_like(truth))["contrast"]
    1.0
    """
    if is_constant(values):
        return dict.fromkeys(LOCALISATION_SCORES, float("nan"))
    return {
        name: float(score.compute(values, truth, audible))
        for name, score in LOCALISATION_SCORES.items()
    }
