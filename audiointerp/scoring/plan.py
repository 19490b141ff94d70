"""What is computed for each clip and method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError, choose
from ..interpretation import MASKS, Mask, resolve_mask
from .outcomes import ON
from .protocols import ScoringProtocol, protocol_name, protocol_of


@dataclass(frozen=True)
class Plan:
    """What is scored for each clip and method.

    Attributes:
        masks: names in ``MASKS``, also with other percentages, e.g. ``"topK_20"``, or functions
            from values ``(N, 1, F, T)`` to a mask of that shape in [0, 1].
        protocol: a name in ``PROTOCOLS``.
        on: names in ``ON``.
        baselines: whether to score random masks with the same values too, pixelwise and smooth.
        curves: whether to compute the areas under the deletion and insertion curves.

    Raises:
        ArgumentError: a name is unknown, or ``masks`` or ``on`` is empty or has a duplicate entry.

    >>> def loudest(values):
    ...     return values > 0
    >>> plan = Plan(masks=["bin", loudest])
    >>> plan.mask_names, plan.protocol
    (('bin', 'loudest'), 'corrected')
    """

    masks: Sequence[str | Mask] = tuple(MASKS)
    protocol: str = "corrected"
    on: Sequence[str] = ("features",)
    baselines: bool = True
    curves: bool = False

    def __post_init__(self) -> None:
        # The record is frozen for its users; here the old name of a protocol is replaced, and a
        # known mask function by its name.
        object.__setattr__(self, "protocol", protocol_name(self.protocol))
        _check_list("mask", self.masks)
        _check_list("on", self.on)
        for name in self.on:
            choose("on", name, ON)
        functions = self.mask_functions
        if len(functions) < len(self.masks):
            raise ArgumentError(f"mask: two masks have the same name ({', '.join(functions)})")
        known = self.definitions.masks
        masks = [
            name if known.get(name) is function else given
            for given, (name, function) in zip(self.masks, functions.items(), strict=True)
        ]
        object.__setattr__(self, "masks", tuple(masks))

    @property
    def definitions(self) -> ScoringProtocol:
        """The protocol's definitions of masks and scores."""
        return protocol_of(self.protocol)

    @property
    def mask_functions(self) -> Mapping[str, Mask]:
        """The functions of the masks by name, in order."""
        return dict(resolve_mask(mask, self.definitions.masks) for mask in self.masks)

    @property
    def mask_names(self) -> tuple[str, ...]:
        """The names of the masks, in order."""
        return tuple(self.mask_functions)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values; a mask that is a user's function is in it as it is."""
        return {
            "masks": list(self.masks),
            "protocol": self.protocol,
            "on": list(self.on),
            "baselines": self.baselines,
            "curves": self.curves,
        }


def _check_list(name: str, entries: Sequence[Any]) -> None:
    if isinstance(entries, str) or not entries or len(set(entries)) < len(entries):
        raise ArgumentError(f"{name}: a list of different names, at least one, not {entries!r}")
