"""What is computed for each clip and method."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..errors import ArgumentError, choose
from ..interpretation import NULLS, AnyMask, GivenMask, Mask, resolve_mask
from ..metrics import Metric, Scored
from ..model import OPTIMIZATIONS, Classifier
from ..util import FILLS
from .columns import COLUMNS
from .out_of_distribution import OutOfDistribution
from .part_outputs import ON
from .protocols import ScoringProtocol, protocol_name, protocol_of

TARGETS = ("predicted", "label", "present")
"""Which class of a clip is explained: the predicted one; its label, of which it must have one; or
each label that it has, for clips with several."""


@dataclass(frozen=True)
class Plan:
    """What is scored for each clip and method.

    Attributes:
        masks: names in ``MASKS``, also with other percentages, e.g. ``"topK_20"``; shares, e.g.
            0.2; masks themselves, ``(F, T)``; or functions from values ``(N, 1, F, T)`` to a mask
            of that shape in [0, 1]. None for all that the protocol defines.
        protocol: a name in ``PROTOCOLS``.
        on: names in ``ON``.
        fills: what removed bins become, names in :data:`~audiointerp.util.fills.FILLS`.
        nulls: names in ``NULLS``: what each mask is compared with; an empty list for nothing.
        curves: whether to compute the areas under the deletion and insertion curves.
        target: which class is explained, a name in :data:`TARGETS`.
        metrics: scores of your own by column, beside those of the protocol.
        reference: what the embeddings of the parts are compared with, if they are.
        optimize: how the network is made faster, a name in
            :data:`~audiointerp.model.OPTIMIZATIONS`.

    Raises:
        ArgumentError: a name is unknown, a list has a duplicate entry, ``masks``, ``on`` or
            ``fills`` is empty, or the protocol does not have the fill.

    >>> def loudest(values):
    ...     return values > 0
    >>> plan = Plan(masks=["bin", loudest])
    >>> plan.mask_names, plan.protocol
    (('bin', 'loudest'), 'corrected')
    """

    masks: Sequence[AnyMask] | None = None
    protocol: str = "corrected"
    on: Sequence[str] = ("features",)
    nulls: Sequence[str] = NULLS
    curves: bool = False
    target: str = "predicted"
    fills: Sequence[str] = ("silence",)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    reference: OutOfDistribution | None = None
    optimize: str = "folded"

    def __post_init__(self) -> None:
        # The record is frozen for its users; here the old name of a protocol is replaced, and a
        # known mask function by its name.
        object.__setattr__(self, "protocol", protocol_name(self.protocol))
        if self.masks is None:
            object.__setattr__(self, "masks", tuple(self.definitions.masks))
        _check_list("masks", self._given_masks)
        _check_list("on", self.on)
        for name in self.on:
            choose("on", name, ON)
        self._check_fills()
        choose("optimize", self.optimize, OPTIMIZATIONS)
        if self.reference is not None and not isinstance(self.reference, OutOfDistribution):
            raise ArgumentError(
                f"reference={self.reference!r:.60}: give what ood_reference(classifier, training "
                "clips, clean clips) returns"
            )
        is_list = isinstance(self.nulls, Sequence) and not isinstance(self.nulls, str)
        if not is_list or len(set(self.nulls)) < len(self.nulls):
            raise ArgumentError(f"nulls: a list of different names or none, not {self.nulls!r}")
        for name in self.nulls:
            choose("null", name, NULLS)
        # Their order changes nothing, so it must not change the fingerprint of a run either.
        nulls = tuple(name for name in NULLS if name in self.nulls)
        object.__setattr__(self, "nulls", nulls)
        choose("target", self.target, TARGETS)
        functions = self.mask_functions
        if len(functions) < len(self._given_masks):
            raise ArgumentError(f"mask: two masks have the same name ({', '.join(functions)})")
        known = self.definitions.masks
        masks = [
            name if isinstance(given, float) or known.get(name) is function else given
            for given, (name, function) in zip(self._given_masks, functions.items(), strict=True)
        ]
        object.__setattr__(self, "masks", tuple(masks))

    def _check_fills(self) -> None:
        _check_list("fill", self.fills)
        for name in self.fills:
            choose("fill", name, FILLS)
            if name not in self.definitions.fills:
                raise ArgumentError(
                    f"fill {name!r}: protocol {self.protocol!r} has only "
                    f"{', '.join(map(repr, self.definitions.fills))}; choose that, or another "
                    "protocol"
                )

    @property
    def _given_masks(self) -> Sequence[AnyMask]:
        # The field is None only until __post_init__ has replaced it.
        return () if self.masks is None else self.masks

    @property
    def definitions(self) -> ScoringProtocol:
        """The protocol's definitions of masks and scores."""
        return protocol_of(self.protocol)

    @property
    def mask_functions(self) -> Mapping[str, Mask]:
        """The functions of the masks by name, in order."""
        return dict(resolve_mask(mask, self.definitions.masks) for mask in self._given_masks)

    @property
    def mask_names(self) -> tuple[str, ...]:
        """The names of the masks, in order."""
        return tuple(self.mask_functions)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values; a mask that is a user's function is in it as it is."""
        return {
            "masks": [
                mask.mask if isinstance(mask, GivenMask) else mask for mask in self._given_masks
            ],
            "protocol": self.protocol,
            "on": list(self.on),
            "nulls": list(self.nulls),
            "curves": self.curves,
            "target": self.target,
            "fills": list(self.fills),
            "metrics": dict(self.metrics),
            "reference": self.reference and self.reference.clips_sha256,
            "optimize": self.optimize,
        }


def scored_on(
    classifier: Classifier, on: str | Sequence[str] | None, default: Sequence[str] = ("features",)
) -> tuple[str, ...]:
    """Return what is scored: the features, or the sounds of a model that takes sounds.

    Args:
        classifier: the classifier.
        on: a name or names in ``ON``; None for the default.
        default: of classifiers that take features; of the others it is ``"audio"``.

    Raises:
        ArgumentError: features are asked for, and the classifier takes sounds.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
    >>> scored_on(classifier, None), scored_on(classifier, "audio")
    (('features',), ('audio',))
    """
    if on is None:
        return ("audio",) if classifier.takes_sounds else tuple(default)
    names = _names("on", on)
    if classifier.takes_sounds and "features" in names:
        raise ArgumentError(
            "on='features': this classifier takes sounds, and has no features to score; "
            "leave on out, or give on='audio'"
        )
    return names


def fills_of(
    fill: str | Sequence[str] | None, protocol: str, default: Sequence[str]
) -> tuple[str, ...]:
    """Return what removed bins become.

    Args:
        fill: a name or names in :data:`~audiointerp.util.fills.FILLS`; None for the default.
        protocol: a name in ``PROTOCOLS``.
        default: the default; of it, only the fills that the protocol has.

    Raises:
        ArgumentError: the protocol is unknown.

    >>> both = ("background", "silence")
    >>> fills_of(None, "corrected", both), fills_of(None, "published", both)
    (('background', 'silence'), ('silence',))
    """
    if fill is None:
        known = protocol_of(protocol).fills
        return tuple(name for name in default if name in known) or tuple(known[:1])
    return _names("fill", fill)


def own_metrics(
    metrics: Mapping[str, Metric | Callable[[Scored], Tensor]],
) -> dict[str, Metric]:
    """Return scores of the user by column.

    Args:
        metrics: each a :class:`~audiointerp.metrics.Metric`, or its function.

    Raises:
        ArgumentError: a name is that of another column, or there are no names.

    >>> own_metrics({"P_IN": lambda scored: scored.of_target(scored.probs_in)})["P_IN"].title
    'P_IN'
    """
    if not isinstance(metrics, Mapping):
        raise ArgumentError(
            f"metrics={metrics!r:.60}: give each a name, e.g. metrics={{'P_IN': function}}"
        )
    for name in metrics:
        if name in COLUMNS:
            raise ArgumentError(f"metrics: {name} is a column of the results; use another name")
    return {
        name: metric if isinstance(metric, Metric) else Metric(metric, None, name)
        for name, metric in metrics.items()
    }


def nulls_of(nulls: Sequence[str], baselines: bool | None) -> Sequence[str]:
    """Return the nulls that a caller chose, perhaps by the deprecated keyword ``baselines``.

    Args:
        nulls: the value of ``nulls``.
        baselines: the value of ``baselines``: None if it was not given, True for all nulls, False
            for none.

    >>> nulls_of(["rolled"], None)
    ['rolled']
    """
    if baselines is None:
        return nulls
    warnings.warn(
        "baselines is deprecated: give nulls, e.g. nulls=[] for none or nulls=['pixelwise']",
        DeprecationWarning,
        stacklevel=3,
    )
    return NULLS if baselines else ()


def _names(argument: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    try:
        return (given,) if isinstance(given, str) else tuple(given)
    except TypeError:
        message = f"{argument}={given!r:.80}: give a name, or a list of names"
        raise ArgumentError(message) from None


def _check_list(name: str, entries: Any) -> None:
    is_one = isinstance(entries, str | float | Tensor)
    try:
        is_list = not is_one and 0 < len(entries) == len(set(entries))
    except TypeError:
        is_list = False
    if not is_list:
        example = f", e.g. {name}=[{entries!r:.80}]" if is_one and str(entries) else ""
        raise ArgumentError(
            f"{name}: a list of different names, at least one{example}, not {entries!r:.80}"
        )
