"""The scores of an interpretation: pure functions of probabilities and masks, one value a clip.

p, p_in and p_out ``(N,)`` are the probabilities of the explained class for the clean clip, the kept part and the removed
part; probs are ``(N, C)`` over all classes; a mask is ``(N, 1, F, T)`` in [0, 1]. Everything is computed in float64.

None of these scores asks a listener. Faithfulness alone misleads: silence scattered over half of the bins destroys any
prediction. Read each beside the same score of random masks of equal area.

These are the sound definitions; ``protocols`` has the published ones beside them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-6
"""Smaller differences of a probability are rounding: in float32 the batch that a clip is in moves it by 1e-7."""


def faithfulness(p: Tensor, p_out: Tensor) -> Tensor:
    """FF: the probability lost when only the removed part is left, p - p_out (Parekh et al., NeurIPS 2022).

    >>> faithfulness(torch.tensor([0.75]), torch.tensor([0.5])).tolist()
    [0.25]
    """
    return p.double() - p_out.double()


def average_increase(p: Tensor, p_in: Tensor) -> Tensor:
    """AI: 100 where the kept part is more probable than the clip, else 0 (Chattopadhay et al., WACV 2018), in percent.

    >>> average_increase(torch.tensor([0.5, 0.5]), torch.tensor([0.6, 0.5])).tolist()
    [100.0, 0.0]
    """
    return 100 * (p_in.double() - p.double() > TOLERANCE).double()


def average_drop(p: Tensor, p_in: Tensor) -> Tensor:
    """AD: 100 * max(0, p - p_in) / p (Chattopadhay et al., WACV 2018), in percent; 0 where p is 0.

    >>> average_drop(torch.tensor([0.5]), torch.tensor([0.25])).tolist()
    [50.0]
    """
    p, p_in = p.double(), p_in.double()
    drop = 100 * (p - p_in).clamp_min(0) / torch.where(p > 0, p, 1.0)
    return drop.clamp_max(100)  # rounding makes 100 * p / p more, now and then


def average_gain(p: Tensor, p_in: Tensor) -> Tensor:
    """AG: 100 * max(0, p_in - p) / (1 - p) (Zhang et al., Opti-CAM), in percent; 0 where 1 - p < 1e-6.

    >>> average_gain(torch.tensor([0.5, 1.0]), torch.tensor([0.75, 1.0])).tolist()
    [50.0, 0.0]
    """
    p, p_in = p.double(), p_in.double()
    room = 1 - p
    gain = 100 * (p_in - p).clamp_min(0) / room.clamp_min(TOLERANCE)
    return torch.where(room < TOLERANCE, 0.0, gain.clamp_max(100))


def input_fidelity(probs: Tensor, probs_in: Tensor) -> Tensor:
    """FidIn: 1 where the kept part is given the clip's class (Paissan et al., ICML 2024), else 0.

    Of equal probabilities the first class counts.
    Where a class is decided by itself (multi-label, or against one other class), probs are ``[[p, 1 - p]]``.

    >>> input_fidelity(torch.tensor([[0.2, 0.8]]), torch.tensor([[0.4, 0.6]])).tolist()
    [1.0]
    """
    return (probs.argmax(-1) == probs_in.argmax(-1)).double()


def sparseness(mask: Tensor) -> Tensor:
    """SPS: the Gini index of the mask (Chalasani et al., ICML 2020), in [0, 1); 0 if constant, NaN if all zero.

    For a 0/1 mask it is 1 - AREA.

    >>> sparseness(torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])).tolist()
    [0.75]
    """
    ordered = mask.double().flatten(1).sort(1).values
    entries = ordered.shape[1]
    ranks = torch.arange(1, entries + 1, dtype=ordered.dtype, device=ordered.device)
    gini = ((2 * ranks - entries - 1) * ordered).sum(1) / (entries * ordered.sum(1))
    return torch.where(ordered[:, 0] == ordered[:, -1], torch.where(ordered[:, -1] > 0, 0.0, torch.nan), gini)


def complexity(mask: Tensor) -> Tensor:
    """COMP: the entropy of mask / sum(mask), in nats (Bhatt et al., IJCAI 2020); ln(F T) if constant, NaN if all zero.

    For a 0/1 mask it is ln(AREA * F * T).

    >>> complexity(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])).exp().round().tolist()
    [2.0]
    """
    flat = mask.double().flatten(1)
    share = flat / flat.sum(1, keepdim=True)
    entropy: Tensor = -torch.special.xlogy(share, share).sum(1)
    return entropy


def relative_complexity(mask: Tensor) -> Tensor:
    """nCOMP: the complexity as a share of the largest possible, ln(F T), in [0, 1], so that grids of any size compare.

    1 if constant, NaN if all zero.

    >>> relative_complexity(torch.tensor([[[[0.0, 0.0, 1.0, 1.0]]]])).tolist()
    [0.5]
    """
    entries = mask[0].numel()
    return complexity(mask) / math.log(entries) if entries > 1 else complexity(mask) + 1


def area(mask: Tensor) -> Tensor:
    """AREA: the mean of the mask.

    >>> area(torch.tensor([[[[0.0, 0.0, 0.0, 1.0]]]])).tolist()
    [0.25]
    """
    return mask.double().flatten(1).mean(1)


@dataclass(frozen=True)
class Scored:
    """What the scores are functions of; the shapes are those at the head of this module."""

    probs: Tensor
    probs_in: Tensor
    probs_out: Tensor
    target: Tensor
    mask: Tensor

    def of_target(self, probs: Tensor) -> Tensor:
        """The probability of the explained class, ``(N,)``."""
        return probs.gather(1, self.target[:, None])[:, 0]


@dataclass(frozen=True)
class Metric:
    """A score: how it is computed, which direction is good (None: neither), what it is called in full."""

    compute: Callable[[Scored], Tensor]
    higher_is_better: bool | None
    title: str


METRICS: dict[str, Metric] = {
    "FF": Metric(lambda s: faithfulness(s.of_target(s.probs), s.of_target(s.probs_out)), True, "faithfulness"),
    "AI": Metric(
        lambda s: average_increase(s.of_target(s.probs), s.of_target(s.probs_in)), True, "average increase, %"
    ),
    "AD": Metric(lambda s: average_drop(s.of_target(s.probs), s.of_target(s.probs_in)), False, "average drop, %"),
    "AG": Metric(lambda s: average_gain(s.of_target(s.probs), s.of_target(s.probs_in)), True, "average gain, %"),
    "FidIn": Metric(lambda s: input_fidelity(s.probs, s.probs_in), True, "input fidelity"),
    "SPS": Metric(lambda s: sparseness(s.mask), True, "sparseness"),
    "COMP": Metric(lambda s: complexity(s.mask), False, "complexity, nats"),
    "nCOMP": Metric(lambda s: relative_complexity(s.mask), False, "complexity, share of the largest"),
    "AREA": Metric(lambda s: area(s.mask), None, "area"),
}
RELATIVE = ("FF", "AI", "AD", "AG", "FidIn")
"""The scores that ask the network; the others are of the mask alone, and equal for masks of the same values."""
PERCENT = ("AI", "AD", "AG")
"""The scores in percent, which are shown with fewer decimals."""


def evaluate(
    probs: Tensor,
    probs_in: Tensor,
    probs_out: Tensor,
    target: Tensor,
    mask: Tensor,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, Tensor]:
    """Every score, each ``(N,)`` float64.

    Args:
        probs, probs_in, probs_out: ``(N, C)``, of the clean clips, the kept and the removed parts.
        target: ``(N,)``, the explained classes.
        mask: ``(N, 1, F, T)`` in [0, 1].
        metrics: how each is computed; ``PROTOCOLS["published"].metrics`` are the published ones.

    >>> probs = torch.tensor([[0.25, 0.75]])
    >>> scores = evaluate(probs, probs, probs, torch.tensor([1]), torch.ones(1, 1, 2, 2))
    >>> scores["AD"].item(), scores["FidIn"].item(), scores["SPS"].item()
    (0.0, 1.0, 0.0)
    """
    scored = Scored(probs, probs_in, probs_out, target, mask)
    return {name: metric.compute(scored) for name, metric in metrics.items()}
