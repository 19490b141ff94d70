"""Masks by name, by pattern, by share, and a user's own functions and tensors, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real

from torch import Tensor

from ..errors import ArgumentError
from .given import GivenMask
from .mask_names import Mask, mask_called, with_percentage_of
from .masks import MASKS, checked
from .naming import usable_name


@dataclass(frozen=True)
class CheckedMask:
    """A user's mask function, whose input and output are checked on every call.

    Attributes:
        name: the mask's name in results and messages.
        function: the user's function.

    Raises:
        ArgumentError: when called: the values are not finite, or the function does not return a
            finite tensor of their shape in [0, 1].

    >>> import torch
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


AnyMask = str | float | Tensor | Mask
"""A name, the share of the bins to keep, a mask itself ``(F, T)``, or a function of the values."""


def resolve_mask(mask: AnyMask, masks: Mapping[str, Mask] = MASKS) -> tuple[str, Mask]:
    """Return the name and the function of a mask.

    Args:
        mask: a name in ``masks``, or one of these with another percentage k: ``topK_k``,
            ``topK_k_pos`` or ``pos_thresh_k``, 0 < k < 100, up to four decimals; a share between 0
            and 1, e.g. 0.3 for ``topK_30``; a mask itself, a tensor ``(F, T)`` or ``(1, 1, F, T)``
            in [0, 1], which is called ``given``; or a function from
            values ``(N, 1, F, T)`` to a mask of that shape in [0, 1] (a boolean tensor will do). A
            function is named by its ``__name__``, a ``functools.partial`` by that of the function
            inside.
        masks: the masks that are known by name. A name with another percentage has the definition
            that it has in these, e.g. the published one in a protocol's.

    Returns:
        The name, and the function; the output of a function that is not in ``masks`` is checked on
        every call, see :class:`CheckedMask`.

    Raises:
        ArgumentError: the name is unknown, the share or the tensor is out of range, or the
            function has no usable name of its own.

    >>> import torch
    >>> def above_mean(values):
    ...     return values > values.mean((1, 2, 3), keepdim=True)
    >>> name, mask = resolve_mask(above_mean)
    >>> name, mask(torch.tensor([[[[0.0, 1.0, 5.0]]]])).tolist()
    ('above_mean', [[[[0.0, 0.0, 1.0]]]])
    >>> name, mask = resolve_mask("topK_20")
    >>> name, mask(torch.tensor([[[[0.0, 1.0, 5.0, 2.0, 3.0]]]])).flatten().tolist()
    ('topK_20', [0.0, 0.0, 1.0, 0.0, 0.0])
    """
    if isinstance(mask, str):
        return mask, mask_called(mask, masks)
    if isinstance(mask, Tensor):
        mask = GivenMask(mask)
    if isinstance(mask, CheckedMask | GivenMask):
        return mask.name, mask
    if isinstance(mask, Real):
        name = name_of_share(mask)
        return name, mask_called(name, masks)
    if not callable(mask):
        raise ArgumentError(
            f"a mask is a name, e.g. 'topK_30', a share, e.g. 0.3, a tensor (F, T), or a function "
            f"of the values, not a {type(mask).__name__}"
        )
    for name, known in masks.items():
        if mask is known:
            return name, mask
    name = _name_of_function(mask)
    if name in masks or name in with_percentage_of(name, masks):
        raise ArgumentError(f"another mask is called {name}; rename your function")
    return name, CheckedMask(name, mask)


def name_of_share(share: float) -> str:
    """Return the name of the mask that keeps this share of the bins.

    Raises:
        ArgumentError: the share is not between 0 and 1.

    >>> name_of_share(0.3), name_of_share(0.125)
    ('topK_30', 'topK_12.5')
    """
    percentage = f"{float(share) * 100:.4f}".rstrip("0").rstrip(".")
    # Written so that NaN is refused, too.
    if isinstance(share, bool) or not 0 < share < 1 or not 0 < float(percentage) < 100:
        raise ArgumentError(
            f"mask {share!r}: a share of the bins lies between 0 and 1, e.g. 0.3 for topK_30"
        )
    return f"topK_{percentage}"


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
