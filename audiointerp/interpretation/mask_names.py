"""Names of masks, also with another percentage than those of a table of masks."""

import re
from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from ..errors import ArgumentError, unknown_name

Mask = Callable[[Tensor], Tensor]
"""A function from attribution values ``(N, 1, F, T)`` to a mask of that shape, in [0, 1]."""
WITH_PERCENTAGE = re.compile(r"(topK_|pos_thresh_)([0-9]+(?:\.[0-9]+)?)((?:_pos)?)", re.IGNORECASE)
"""The names with a percentage: what is before it, the percentage, what is after it."""


def mask_called(name: str, masks: Mapping[str, Mask]) -> Mask:
    """Return the mask of a name, also of a name of ``masks`` with another percentage.

    Raises:
        ArgumentError: the name is unknown.

    >>> from audiointerp.interpretation import MASKS
    >>> mask_called("topK_20", MASKS).keywords
    {'share': 0.2}
    """
    if name in masks:
        return masks[name]
    if not isinstance(name, str):
        raise ArgumentError(unknown_name("mask", name, masks, _patterns(masks)))
    with_percentage = with_percentage_of(name, masks)
    if name in with_percentage:
        return with_percentage[name]
    # The known name of the most similar spelling has another percentage: topK_50 for topK_5.0.
    meant = list(with_percentage) if WITH_PERCENTAGE.fullmatch(name) else None
    raise ArgumentError(unknown_name("mask", name, masks, _patterns(masks), meant))


def _families(masks: Mapping[str, Mask]) -> dict[str, partial[Tensor]]:
    """Return one mask of each kind that has a percentage, by its name with ``{}`` in place of it.

    Its ``share`` is a keyword, so the same definition serves all percentages.
    """
    families: dict[str, partial[Tensor]] = {}
    for name, mask in masks.items():
        match = WITH_PERCENTAGE.fullmatch(name)
        if match and isinstance(mask, partial) and "share" in mask.keywords:
            families[f"{match[1]}{{}}{match[3]}"] = mask
    return families


def with_percentage_of(name: str, masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """Return the mask that a name with a percentage means, under its exact name, or nothing.

    The exact name differs from ``name`` in case or in zeros, as ``topK_20`` from ``topk_020``: one
    mask has one name.

    >>> from audiointerp.interpretation import MASKS
    >>> list(with_percentage_of("topk_020", MASKS))
    ['topK_20']
    """
    match = WITH_PERCENTAGE.fullmatch(name)
    if not match:
        return {}
    percentage = f"{float(match[2]):.4f}".rstrip("0").rstrip(".")
    if not 0 < float(percentage) < 100:
        return {}
    pattern = f"{match[1]}{{}}{match[3]}".casefold()
    return {
        family.format(percentage): partial(mask, share=float(f"{percentage}e-2"))
        for family, mask in _families(masks).items()
        if family.casefold() == pattern
    }


def _patterns(masks: Mapping[str, Mask]) -> str:
    patterns = [family.format("k") for family in _families(masks)]
    return f"; or {', '.join(patterns)} with 0 < k < 100" if patterns else ""


class NamedMasks(dict[str, Mask]):
    """Masks by name; one with another percentage is found, but is not counted among them.

    Raises:
        ArgumentError: on looking up an unknown name.

    >>> from audiointerp.interpretation import MASKS
    >>> MASKS["topK_31"].keywords, len(MASKS), "topK_31" in MASKS
    ({'share': 0.31}, 14, False)
    """

    def __missing__(self, name: str) -> Mask:
        return mask_called(name, self)
