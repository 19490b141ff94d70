"""The two sets of definitions of masks and scores: the sound one, and the published one with its faults.

The published code takes a quantile with >= for its top-k masks, so that entries that are equal to the quantile are all
kept (everything, where most are zero); it adds small constants to denominators, counts any rounding as an increase, and
writes 0, the best value, for the complexity of a constant mask. ``"published"`` reproduces that, to compare with published
figures and for nothing else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from .errors import choose
from .interpretation.masks import MASKS, Mask, checked
from .metrics import METRICS, Metric, Scored, complexity, sparseness

MINMAX_EPSILON = 1e-8
RATIO_EPSILON = 1e-6
GINI_OFFSET = 1e-7


@dataclass(frozen=True)
class Protocol:
    """How masks are made of attributions, and scores of probabilities and masks; both by name."""

    name: str
    masks: Mapping[str, Mask]
    metrics: Mapping[str, Metric]


def _minmax(values: Tensor, positive: bool = False) -> Tensor:
    values = checked(values).clamp_min(0) if positive else checked(values)
    low = torch.zeros_like(values[:, :1, :1, :1]) if positive else values.amin((1, 2, 3), keepdim=True)
    return (values - low) / (values.amax((1, 2, 3), keepdim=True) - low + MINMAX_EPSILON)


def _threshold(values: Tensor, share: float) -> Tensor:
    return (_minmax(values, positive=True) >= share).to(values)


def _top(values: Tensor, share: float, positive: bool = False) -> Tensor:
    flat = checked(values).flatten(1)
    flat = flat.clamp_min(0) if positive else flat
    return (flat >= flat.quantile(1 - share, dim=1, keepdim=True)).to(values).view_as(values)


def _constant(mask: Tensor) -> Tensor:
    low, high = mask.flatten(1).double().aminmax(dim=1)
    return high - low < 1e-8 + 1e-5 * high


def _sparseness(mask: Tensor) -> Tensor:
    mask = mask.double()
    gini = sparseness(mask / mask.amax((1, 2, 3), keepdim=True) + GINI_OFFSET)
    return torch.where(_constant(mask), 0.0, gini)


def _complexity(mask: Tensor) -> Tensor:
    return torch.where(_constant(mask), 0.0, complexity(mask))


def _increase(scored: Scored) -> Tensor:
    return 100 * (scored.of_target(scored.probs_in) > scored.of_target(scored.probs)).double()


def _drop(scored: Scored) -> Tensor:
    p, p_in = scored.of_target(scored.probs).double(), scored.of_target(scored.probs_in).double()
    return 100 * (p - p_in).clamp_min(0) / (p + RATIO_EPSILON)


def _gain(scored: Scored) -> Tensor:
    p, p_in = scored.of_target(scored.probs).double(), scored.of_target(scored.probs_in).double()
    return 100 * (p_in - p).clamp_min(0) / (1 - p + RATIO_EPSILON)


def _published_masks() -> dict[str, Mask]:
    changed: dict[str, Mask] = {"minmax": _minmax, "minmax_pos": partial(_minmax, positive=True)}
    for percent in (5, 30, 50):
        changed[f"topK_{percent}"] = partial(_top, share=percent / 100)
        changed[f"topK_{percent}_pos"] = partial(_top, share=percent / 100, positive=True)
    for percent in (25, 50, 75):
        changed[f"pos_thresh_{percent}"] = partial(_threshold, share=percent / 100)
    return {name: changed.get(name, mask) for name, mask in MASKS.items()}


def _published_metrics() -> dict[str, Metric]:
    changed = {
        "AI": _increase,
        "AD": _drop,
        "AG": _gain,
        "SPS": lambda scored: _sparseness(scored.mask),
        "COMP": lambda scored: _complexity(scored.mask),
        "nCOMP": lambda scored: _complexity(scored.mask) / math.log(scored.mask[0].numel()),
    }
    return {name: replace(metric, compute=changed.get(name, metric.compute)) for name, metric in METRICS.items()}


PROTOCOLS: dict[str, Protocol] = {
    "sound": Protocol("sound", MASKS, METRICS),
    "published": Protocol("published", _published_masks(), _published_metrics()),
}


def protocol_of(name: str) -> Protocol:
    """The protocol of a name.

    >>> protocol_of("published").masks["topK_5_pos"](torch.zeros(1, 1, 2, 5)).sum().item()
    10.0

    Raises:
        ArgumentError: it is unknown.
    """
    return PROTOCOLS[choose("protocol", name, PROTOCOLS)]
