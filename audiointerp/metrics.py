"""The scores of an explanation: pure functions of probabilities and masks, one value per clip.

Shapes: p, p_in and p_out ``(N,)`` are the probabilities of the explained class for the clean clip,
the kept part and the removed part; probs ``(N, C)`` are those of all classes; a mask is
``(N, 1, F, T)`` in [0, 1]. All scores are computed in float64.

No score involves a listener. Faithfulness alone is misleading, since silencing a random half of the
bins changes almost any prediction: compare each score with those of the nulls.

These are the corrected definitions; ``scoring.PROTOCOLS`` also has the published ones.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

MASK_DIMENSIONS = 4
"""Those of a mask ``(N, 1, F, T)``."""
TOLERANCE = 1e-6
"""Smaller differences of a probability are rounding.

In float32, the batch that a clip is in changes its probability by 1e-7.
"""


def faithfulness(p: Tensor, p_out: Tensor) -> Tensor:
    """Return FF, the probability lost without the kept part: p - p_out, in [-1, 1].

    Parekh et al., NeurIPS 2022.

    >>> faithfulness(torch.tensor([0.75]), torch.tensor([0.5])).tolist()
    [0.25]
    """
    return p.double() - p_out.double()


def average_increase(p: Tensor, p_in: Tensor) -> Tensor:
    """Return AI in percent: 100 where the kept part is more probable than the clip, else 0.

    Chattopadhay et al., WACV 2018.

    >>> average_increase(torch.tensor([0.5, 0.5]), torch.tensor([0.6, 0.5])).tolist()
    [100.0, 0.0]
    """
    return 100 * (p_in.double() - p.double() > TOLERANCE).double()


def average_drop(p: Tensor, p_in: Tensor) -> Tensor:
    """Return AD in percent: 100 * max(0, p - p_in) / p, in [0, 100]; 0 where p is 0.

    Chattopadhay et al., WACV 2018.

    >>> average_drop(torch.tensor([0.5]), torch.tensor([0.25])).tolist()
    [50.0]
    """
    p, p_in = p.double(), p_in.double()
    drop = 100 * (p - p_in).clamp_min(0) / torch.where(p > 0, p, 1.0)
    # Rounding can make 100 * p / p larger than 100.
    return drop.clamp_max(100)


def average_gain(p: Tensor, p_in: Tensor) -> Tensor:
    """Return AG in percent: 100 * max(0, p_in - p) / (1 - p), in [0, 100]; 0 where 1 - p < 1e-6.

    Zhang et al., Opti-CAM.

    >>> average_gain(torch.tensor([0.5, 1.0]), torch.tensor([0.75, 1.0])).tolist()
    [50.0, 0.0]
    """
    p, p_in = p.double(), p_in.double()
    largest_gain = 1 - p
    gain = 100 * (p_in - p).clamp_min(0) / largest_gain.clamp_min(TOLERANCE)
    return torch.where(largest_gain < TOLERANCE, 0.0, gain.clamp_max(100))


def input_fidelity(probs: Tensor, probs_in: Tensor) -> Tensor:
    """Return FidIn: 1 where the kept part is predicted as the clip's class, else 0.

    The first of equal probabilities counts. If each class is decided by itself (multi-label, or
    against one other class), probs are ``[[p, 1 - p]]``. Paissan et al., ICML 2024.

    >>> input_fidelity(torch.tensor([[0.2, 0.8]]), torch.tensor([[0.4, 0.6]])).tolist()
    [1.0]
    """
    return (probs.argmax(-1) == probs_in.argmax(-1)).double()


def sparseness(mask: Tensor) -> Tensor:
    """Return SPS, the Gini index of the mask, in [0, 1); 0 if constant, NaN if all zero.

    For a 0/1 mask it is 1 - AREA. Chalasani et al., ICML 2020.

    >>> sparseness(torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])).tolist()
    [0.75]
    """
    ordered = mask.double().flatten(1).sort(1).values
    entries = ordered.shape[1]
    ranks = torch.arange(1, entries + 1, dtype=ordered.dtype, device=ordered.device)
    gini = ((2 * ranks - entries - 1) * ordered).sum(1) / (entries * ordered.sum(1))
    smallest, largest = ordered[:, 0], ordered[:, -1]
    gini_of_constant = torch.where(largest > 0, 0.0, torch.nan)
    return torch.where(smallest == largest, gini_of_constant, gini)


def complexity(mask: Tensor) -> Tensor:
    """Return COMP, the entropy of mask / sum(mask), in nats; ln(F T) if constant, NaN if all zero.

    For a 0/1 mask it is ln(AREA * F * T). Bhatt et al., IJCAI 2020.

    >>> complexity(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])).exp().round().tolist()
    [2.0]
    """
    flat = mask.double().flatten(1)
    share = flat / flat.sum(1, keepdim=True)
    entropy: Tensor = -torch.special.xlogy(share, share).sum(1)
    return entropy


def relative_complexity(mask: Tensor) -> Tensor:
    """Return nCOMP, COMP / ln(F T), in [0, 1]; 1 if constant, NaN if all zero.

    Unlike COMP, it can be compared between grids of different sizes.

    >>> relative_complexity(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])).tolist()
    [0.5]
    """
    entries = mask[0].numel()
    return complexity(mask) / math.log(entries) if entries > 1 else complexity(mask) + 1


def area(mask: Tensor) -> Tensor:
    """Return AREA, the mean of the mask, in [0, 1].

    >>> area(torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])).tolist()
    [0.25]
    """
    return mask.double().flatten(1).mean(1)


@dataclass(frozen=True)
class Scored:
    """The inputs of a metric, with the shapes given at the top of this module.

    >>> probs, target = torch.tensor([[0.25, 0.75]]), torch.tensor([1])
    >>> scored = Scored(probs, probs, probs, target, torch.ones(1, 1, 2, 2))
    >>> scored.of_target(scored.probs_in).tolist()
    [0.75]
    """

    probs: Tensor
    probs_in: Tensor
    probs_out: Tensor
    target: Tensor
    mask: Tensor

    def of_target(self, probs: Tensor) -> Tensor:
        """Return the probability of the explained class, ``(N,)``."""
        return probs.gather(1, self.target[:, None])[:, 0]


@dataclass(frozen=True)
class Metric:
    """A score by its function, direction and title; a metric of your own is one of these.

    Attributes:
        compute: from the inputs to one value per clip, ``(N,)``.
        higher_is_better: None if neither direction is better.
        title: the name in full, for tables.

    >>> kept = Metric(lambda scored: scored.of_target(scored.probs_in), True, "kept probability")
    >>> probs, target = torch.tensor([[0.25, 0.75]]), torch.tensor([1])
    >>> metrics = {**METRICS, "KEPT": kept}
    >>> evaluate(probs, probs, probs, target, torch.ones(1, 1, 2, 2), metrics)["KEPT"].tolist()
    [0.75]
    """

    compute: Callable[[Scored], Tensor]
    higher_is_better: bool | None
    title: str


def _faithfulness(scored: Scored) -> Tensor:
    return faithfulness(scored.of_target(scored.probs), scored.of_target(scored.probs_out))


def _on_kept_part(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Scored], Tensor]:
    """Apply a function of p and p_in."""
    return lambda scored: score(scored.of_target(scored.probs), scored.of_target(scored.probs_in))


def _on_mask(score: Callable[[Tensor], Tensor]) -> Callable[[Scored], Tensor]:
    return lambda scored: score(scored.mask)


METRICS: dict[str, Metric] = {
    "FF": Metric(_faithfulness, True, "faithfulness"),
    "AI": Metric(_on_kept_part(average_increase), True, "average increase, %"),
    "AD": Metric(_on_kept_part(average_drop), False, "average drop, %"),
    "AG": Metric(_on_kept_part(average_gain), True, "average gain, %"),
    "FidIn": Metric(
        lambda scored: input_fidelity(scored.probs, scored.probs_in), True, "input fidelity"
    ),
    "SPS": Metric(_on_mask(sparseness), True, "sparseness"),
    "COMP": Metric(_on_mask(complexity), False, "complexity, nats"),
    "nCOMP": Metric(_on_mask(relative_complexity), False, "complexity, share of the largest"),
    "AREA": Metric(_on_mask(area), None, "area"),
}
"""The metrics by name, in the order of the tables."""
RELATIVE = ("FF", "AI", "AD", "AG", "FidIn")
"""The scores that depend on the network; the others depend on the values of the mask only."""
PERCENT = ("AI", "AD", "AG")
"""The scores in percent, which tables show with fewer decimals."""
YES_OR_NO = ("AI", "FidIn")
"""The scores that are yes or no for one clip."""
FROM_AREA = ("SPS", "COMP", "nCOMP")
"""The scores of a mask alone; those of a 0/1 mask follow from its AREA, so pages leave them out."""


def evaluate(
    probs: Tensor,
    probs_in: Tensor,
    probs_out: Tensor,
    target: Tensor,
    mask: Tensor,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, Tensor]:
    """Compute every metric, each ``(N,)``; those of ``METRICS`` are float64.

    Args:
        probs: ``(N, C)`` of the clean clips.
        probs_in: ``(N, C)`` of the kept parts.
        probs_out: ``(N, C)`` of the removed parts.
        target: ``(N,)``, the explained classes.
        mask: ``(N, 1, F, T)`` in [0, 1].
        metrics: the metrics by name, see :class:`Metric`; ``PROTOCOLS["published"].metrics`` are
            the published ones.

    Raises:
        ValueError: a probability is outside [0, 1], or the mask has another shape.

    >>> probs = torch.tensor([[0.25, 0.75]])
    >>> scores = evaluate(probs, probs, probs, torch.tensor([1]), torch.ones(1, 1, 2, 2))
    >>> scores["AD"].item(), scores["FidIn"].item(), scores["SPS"].item()
    (0.0, 1.0, 0.0)
    """
    for name, given in (("probs", probs), ("probs_in", probs_in), ("probs_out", probs_out)):
        if bool(((given < -TOLERANCE) | (given > 1 + TOLERANCE)).any()):
            raise ValueError(
                f"{name}: from {given.min():g} to {given.max():g}; give probabilities in [0, 1], "
                "not percents or logits"
            )
    if mask.ndim != MASK_DIMENSIONS:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}; give (N, 1, F, T)")
    scored = Scored(probs, probs_in, probs_out, target, mask)
    return {name: metric.compute(scored) for name, metric in metrics.items()}
