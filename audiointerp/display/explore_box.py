"""A box in time and frequency that a person draws on a clip: its mask, and what the page says."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError
from ..scoring import Verdict
from .clip_data import judged
from .encoding import packed

KEPT_BOX = "box"
REMOVED_BOX = "all but the box"


def box_mask(shape: tuple[int, int], bins: Sequence[int], frames: Sequence[int]) -> Tensor:
    """Return the mask that keeps a box of a clip's grid.

    Args:
        shape: the bins and frames of the grid, F and T.
        bins: the first bin, and the one after the last.
        frames: the first frame, and the one after the last.

    Returns:
        ``(1, 1, F, T)`` of 0 and 1.

    Raises:
        ArgumentError: the box is empty, lies outside, or is no pair of whole numbers.

    >>> box_mask((3, 4), (1, 3), (0, 2))[0, 0].tolist()
    [[0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    """
    first_bin, end_bin = _range("bins", bins, shape[0])
    first_frame, end_frame = _range("frames", frames, shape[1])
    mask = torch.zeros(1, 1, *shape)
    mask[..., first_bin:end_bin, first_frame:end_frame] = 1
    return mask


def _range(name: str, values: Any, count: int) -> tuple[int, int]:
    is_pair = isinstance(values, list | tuple) and len(values) == 2
    if not is_pair or not all(type(value) is int for value in values):
        raise ArgumentError(f"{name} of a box: two whole numbers, not {values!r:.80}")
    first, end = values
    if first >= end:
        raise ArgumentError(f"the box is empty: {name} {first} to {end}; draw it larger")
    if first < 0 or end > count:
        raise ArgumentError(f"the box lies outside: {name} {first} to {end} of 0 to {count}")
    return first, end


def box_entry(mask: Tensor, place: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Return a box as a page holds a mask that is no share of the slider.

    Args:
        mask: what is kept, ``(1, 1, F, T)`` of 0 and 1: the box, or all but the box.
        place: ``bins`` and ``frames`` of the box, and ``isKept``: whether the mask is the box.
        verdict: of the mask.

    >>> verdict = Verdict("dog", 0.9, 0.8, 0.1, (), True, True, False, 0.3, 0.6, 0.1)
    >>> place = {"bins": [1, 3], "frames": [0, 2], "isKept": True}
    >>> entry = box_entry(box_mask((3, 4), (1, 3), (0, 2)), place, verdict)
    >>> entry["name"], entry["pKept"], entry["verdict"]
    ('box', 0.8, 'Not compared: the kept 30 % alone is still "dog" (p .800).')
    """
    return {
        "name": KEPT_BOX if place["isKept"] else REMOVED_BOX,
        "kind": "binary",
        "map": packed(mask[0, 0].cpu().numpy().astype(np.uint8)),
        **judged(verdict),
        **place,
    }


def with_box(methods: Sequence[dict[str, Any]], number: int, entry: dict[str, Any]) -> None:
    """Put a box among the masks of one method of a page, in the place of the box before it.

    Args:
        methods: of the page's data, which are changed.
        number: the method on whose map the box was drawn.
        entry: of :func:`box_entry`.

    Raises:
        ArgumentError: there is no such method.

    >>> methods = [{"named": []}, {"named": [{"name": "box"}]}]
    >>> with_box(methods, 0, {"name": "all but the box"})
    >>> methods
    [{'named': [{'name': 'all but the box'}]}, {'named': []}]
    """
    if type(number) is not int or not 0 <= number < len(methods):
        raise ArgumentError(f"method {number!r:.80} of {len(methods)}: explain the clip first")
    for method in methods:
        others = (KEPT_BOX, REMOVED_BOX)
        method["named"] = [named for named in method["named"] if named["name"] not in others]
    methods[number]["named"].append(entry)
