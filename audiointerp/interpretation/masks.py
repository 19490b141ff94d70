"""The masks, which turn attributions ``(N, 1, F, T)`` into masks of that shape in [0, 1].

A is the attribution of one clip, and A+ = max(A, 0); each clip is masked by itself. The names are
the published ones. The definitions differ where the published code was wrong: a top-k mask keeps
exactly k entries, however many are equal.

A mask of your own is any function from values to a mask; see :func:`resolve_mask`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from .naming import usable_name

Mask = Callable[[Tensor], Tensor]
"""A function from attribution values ``(N, 1, F, T)`` to a mask of that shape, in [0, 1]."""
TIE_SEED = 0


def binary(values: Tensor) -> Tensor:
    """Return 1 where A > 0.

    >>> binary(torch.tensor([[[[-1.0, 0.0, 2.0]]]])).flatten().tolist()
    [0.0, 0.0, 1.0]
    """
    return (checked(values) > 0).to(values)


def minmax(values: Tensor, positive: bool = False) -> Tensor:
    """Return (A - min A) / (max A - min A), or A+ / max A if ``positive``.

    The mask is 0 where the denominator is not positive.

    >>> minmax(torch.tensor([[[[-1.0, 0.0, 1.0]]]])).flatten().tolist()
    [0.0, 0.5, 1.0]
    >>> minmax(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), positive=True).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    values = checked(values)
    if positive:
        values = values.clamp_min(0)
        low = torch.zeros_like(values[:, :, :1, :1])
    else:
        low = values.amin((1, 2, 3), keepdim=True)
    # Large values are halved so that their span is finite; the smallest float has no half but 0.
    unit = torch.where(values.abs().amax((1, 2, 3), keepdim=True) > 1, 0.5, 1.0).to(values)
    span = values.amax((1, 2, 3), keepdim=True) * unit - low * unit
    scaled = (values * unit - low * unit) / torch.where(span > 0, span, 1.0)
    return torch.where(span > 0, scaled, 0.0).clamp(0, 1)


def sigmoid(values: Tensor, positive: bool = False) -> Tensor:
    """Return 1 / (1 + exp(-A)), or that of A+ if ``positive``, which is at least 0.5.

    >>> sigmoid(torch.zeros(1, 1, 1, 2)).flatten().tolist()
    [0.5, 0.5]
    """
    values = checked(values)
    return torch.sigmoid(values.clamp_min(0) if positive else values)


def threshold(values: Tensor, share: float) -> Tensor:
    """Return 1 where A+ / max A >= ``share``.

    >>> threshold(torch.tensor([[[[-1.0, 0.5, 1.0]]]]), 0.5).flatten().tolist()
    [0.0, 1.0, 1.0]
    """
    return (minmax(values, positive=True) >= share).to(values)


def top(values: Tensor, share: float, positive: bool = False) -> Tensor:
    """Return 1 at exactly the floor(share * F * T + 1/2) largest entries.

    A seeded permutation decides between equal entries. If ``positive``, entries that are not above
    0 are left out, so fewer may be kept.

    >>> top(torch.zeros(1, 1, 2, 5), 0.3).sum().item()
    3.0
    >>> top(torch.zeros(1, 1, 2, 5), 0.3, positive=True).sum().item()
    0.0
    """
    flat = checked(values).flatten(1)
    entries = flat.shape[1]
    count = int(share * entries + 0.5)
    generator = torch.Generator().manual_seed(TIE_SEED)
    tie_order = torch.randperm(entries, generator=generator).to(flat.device)
    ranking = flat[:, tie_order].argsort(dim=1, descending=True, stable=True)
    largest = tie_order[ranking[:, :count]]
    mask = torch.zeros_like(flat).scatter_(1, largest, 1.0)
    if positive:
        mask *= flat > 0
    return mask.view_as(values)


def checked(values: Tensor) -> Tensor:
    """Return the values unchanged if a mask can be made from them.

    Raises:
        ArgumentError: they are not a finite tensor ``(N, 1, F, T)``.

    >>> checked(torch.zeros(1, 1, 2, 3)).shape
    torch.Size([1, 1, 2, 3])
    """
    if not isinstance(values, Tensor):
        raise ArgumentError(
            f"a mask is made from values (N, 1, F, T), e.g. attribution.values, "
            f"not a {type(values).__name__}"
        )
    if values.ndim != 4:
        raise ArgumentError(f"attributions have the shape (N, 1, F, T), not {tuple(values.shape)}")
    if not values.isfinite().all():
        raise ArgumentError("the attribution contains NaN or infinite values; no mask can be made")
    return values


# cli/options.py lists these names again, so that --help need not import torch.
MASKS: dict[str, Mask] = {
    "bin": binary,
    "minmax": minmax,
    "sigmoid": sigmoid,
    "topK_5": partial(top, share=0.05),
    "topK_30": partial(top, share=0.30),
    "topK_50": partial(top, share=0.50),
    "minmax_pos": partial(minmax, positive=True),
    "sigmoid_pos": partial(sigmoid, positive=True),
    "pos_thresh_25": partial(threshold, share=0.25),
    "pos_thresh_50": partial(threshold, share=0.50),
    "pos_thresh_75": partial(threshold, share=0.75),
    "topK_5_pos": partial(top, share=0.05, positive=True),
    "topK_30_pos": partial(top, share=0.30, positive=True),
    "topK_50_pos": partial(top, share=0.50, positive=True),
}
"""The masks by name."""


@dataclass(frozen=True)
class CheckedMask:
    """A user's mask function, whose input and output are checked on every call.

    Attributes:
        name: the mask's name in results and messages.
        function: the user's function.

    Raises:
        ArgumentError: when called: the values are not finite, or the function does not return a
            finite tensor of their shape in [0, 1].

    >>> loud = CheckedMask("loud", lambda values: values > 1)
    >>> loud(torch.tensor([[[[0.5, 2.0]]]]))
    tensor([[[[0., 1.]]]])
    """

    name: str
    function: Mask

    def __call__(self, values: Tensor) -> Tensor:
        # The function gets a copy, so that it cannot change the attribution in place.
        mask = self.function(checked(values).clone())
        if not isinstance(mask, Tensor):
            raise ArgumentError(
                f"mask {self.name}: must return a tensor, not a {type(mask).__name__}"
            )
        if mask.shape != values.shape:
            shape, wanted = tuple(mask.shape), tuple(values.shape)
            raise ArgumentError(
                f"mask {self.name}: must return the shape of its values {wanted}, not {shape}"
            )
        mask = mask.to(values)
        if not mask.isfinite().all() or mask.min() < 0 or mask.max() > 1:
            raise ArgumentError(
                f"mask {self.name}: must be finite and in [0, 1]; "
                f"it has values from {float(mask.min()):g} to {float(mask.max()):g}"
            )
        return mask


def resolve_mask(mask: str | Mask, masks: Mapping[str, Mask] = MASKS) -> tuple[str, Mask]:
    """Return the name and the function of a mask.

    Args:
        mask: a name in ``masks``, or a function from values ``(N, 1, F, T)`` to a mask of that
            shape in [0, 1] (a boolean tensor will do). A function is named by its ``__name__``,
            a ``functools.partial`` by that of the function inside.
        masks: the masks that are known by name.

    Returns:
        The name, and the function; the output of a function that is not in ``masks`` is checked on
        every call, see :class:`CheckedMask`.

    Raises:
        ArgumentError: the name is unknown, or the function has no usable name of its own.

    >>> def above_mean(values):
    ...     return values > values.mean((1, 2, 3), keepdim=True)
    >>> name, mask = resolve_mask(above_mean)
    >>> name, mask(torch.tensor([[[[0.0, 1.0, 5.0]]]])).tolist()
    ('above_mean', [[[[0.0, 0.0, 1.0]]]])
    >>> resolve_mask("topK_30")[0]
    'topK_30'
    """
    if isinstance(mask, str):
        return choose("mask", mask, masks), masks[mask]
    if isinstance(mask, CheckedMask):
        return mask.name, mask
    if not callable(mask):
        raise ArgumentError(
            f"a mask is a name, e.g. 'topK_30', or a function of the values, "
            f"not a {type(mask).__name__}"
        )
    for name, known in masks.items():
        if mask is known:
            return name, mask
    name = _name_of_function(mask)
    if name in masks:
        raise ArgumentError(f"another mask is called {name}; rename your function")
    return name, CheckedMask(name, mask)


def _name_of_function(mask: Mask) -> str:
    function: Mask = mask
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    if name == "<lambda>":
        raise ArgumentError(
            "a lambda has no name for the results; give it one: def my_mask(values)"
        )
    return usable_name(re.sub("[^A-Za-z0-9._-]+", "_", name).strip("_"))
