"""The two sets of definitions of masks and scores: corrected, and published with its faults.

The published code takes "at least the (1 - k) quantile" for its top-k masks, so all entries equal
to the quantile are kept (everything, if most are zero). It adds small constants to denominators,
counts any rounding error as an increase, and gives a constant mask the complexity 0, the best
value. ``"published"`` reproduces this, only to compare with published figures.

The published scores are of masked levels in dB, but the published sounds are of masked powers.
Published removed bins are silent.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..errors import choose
from ..interpretation import MASKS, Mask, checked
from ..metrics import METRICS, Metric, Scored, complexity, sparseness
from ..processing import DOMAINS
from ..util import FILLS

MINMAX_EPSILON = 1e-8
RATIO_EPSILON = 1e-6
GINI_OFFSET = 1e-7


RENAMED = {"sound": "corrected"}
"""Protocols by their old names."""


@dataclass(frozen=True)
class ScoringProtocol:
    """A set of definitions: the masks of an attribution and the scores of a mask, by name.

    Attributes:
        name: its name in ``PROTOCOLS`` and in results.
        masks: the masks by name.
        metrics: the scores by name: at least those of ``METRICS``.
        listening_domain: the domain in which ``interpret`` masks what is heard, see
            :meth:`~audiointerp.processing.spectrogram.Spectrogram.masked`. Scores, also those on
            audio, are of masked levels in dB. The two differ for soft masks only.
        fills: what removed bins may become, names in :data:`~audiointerp.util.fills.FILLS`.
        default_fill, default_on: what ``score`` takes for ``fill`` and ``on`` if they are not
            given. Under silence on features FF does not put the loudest fifth of the true region
            ahead of random bins, over the background on audio it does (docs/fills.md).

    Raises:
        ArgumentError: the domain or a fill is unknown.

    Register your own in ``PROTOCOLS`` to use it by name; here AI also counts ties:

    >>> def ties_count(scored: Scored) -> Tensor:
    ...     p, p_in = scored.of_target(scored.probs), scored.of_target(scored.probs_in)
    ...     return 100 * (p_in >= p).double()
    >>> metrics = METRICS | {"AI": replace(METRICS["AI"], compute=ties_count)}
    >>> PROTOCOLS["ties"] = ScoringProtocol("ties", MASKS, metrics)
    >>> protocol_of("ties").name, PROTOCOLS.pop("ties").metrics["AI"].title
    ('ties', 'average increase, %')
    """

    name: str
    masks: Mapping[str, Mask]
    metrics: Mapping[str, Metric]
    listening_domain: str = "db"
    fills: Sequence[str] = tuple(FILLS)
    default_fill: str = "background"
    default_on: str = "audio"

    def __post_init__(self) -> None:
        choose("masking domain", self.listening_domain, DOMAINS)
        for fill in self.fills:
            choose("fill", fill, FILLS)


def _minmax(values: Tensor, positive: bool = False) -> Tensor:
    values = checked(values).clamp_min(0) if positive else checked(values)
    zero = torch.zeros_like(values[:, :1, :1, :1])
    low = zero if positive else values.amin((1, 2, 3), keepdim=True)
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
    # A mask that is neither changed nor listed here has no published definition.
    unchanged = {name: MASKS[name] for name in ("bin", "sigmoid", "sigmoid_pos")}
    definitions = unchanged | changed
    return {name: definitions[name] for name in MASKS if name in definitions}


def _published_metrics() -> dict[str, Metric]:
    changed = {
        "AI": _increase,
        "AD": _drop,
        "AG": _gain,
        "SPS": lambda scored: _sparseness(scored.mask),
        "COMP": lambda scored: _complexity(scored.mask),
        "nCOMP": lambda scored: _complexity(scored.mask) / math.log(scored.mask[0].numel()),
    }
    return {
        name: replace(metric, compute=changed.get(name, metric.compute))
        for name, metric in METRICS.items()
    }


PROTOCOLS: dict[str, ScoringProtocol] = {
    "corrected": ScoringProtocol("corrected", MASKS, METRICS),
    "published": ScoringProtocol(
        "published",
        _published_masks(),
        _published_metrics(),
        listening_domain="power",
        fills=("silence",),
        default_fill="silence",
        default_on="features",
    ),
}
"""The protocols by name."""


def protocol_name(name: str) -> str:
    """Return a protocol's name; the old name ``"sound"`` of ``"corrected"`` is deprecated.

    Raises:
        ArgumentError: the name is unknown.

    >>> protocol_name("published")
    'published'
    """
    if name in RENAMED:
        warnings.warn(
            f"protocol {name!r} is now called {RENAMED[name]!r}", DeprecationWarning, stacklevel=3
        )
        name = RENAMED[name]
    return choose("protocol", name, PROTOCOLS)


def protocol_of(name: str) -> ScoringProtocol:
    """Return the protocol with this name.

    Raises:
        ArgumentError: the name is unknown.

    >>> protocol_of("published").masks["topK_5_pos"](torch.zeros(1, 1, 2, 5)).sum().item()
    10.0
    """
    return PROTOCOLS[protocol_name(name)]
