"""Numbers among the settings that a caller gives; those of NumPy and torch are numbers, too."""

import math
from numbers import Integral, Real
from typing import Any

from ..errors import ArgumentError


def whole_number(name: str, value: object, least: int) -> int:
    """Return a setting that must be a whole number; a truth value is none.

    Args:
        name: the setting, for the message.
        value: what was given.
        least: the smallest value allowed.

    Raises:
        ArgumentError: it is no whole number, too small, or 2**63 or more.

    >>> import numpy as np
    >>> whole_number("samples", np.int64(3), least=1)
    3
    >>> whole_number("samples", 2.5, least=1)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: samples=2.5: must be a whole number from 1 on
    """
    value = as_python(value)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ArgumentError(f"{name}={value!r:.80}: must be a whole number from {least} on")
    count = int(value)
    if count >= 2**63:
        raise ArgumentError(f"{name}={count!r:.80}: must be below 2**63")
    return count


def is_number(value: object) -> bool:
    """Whether a setting is a finite real number; a truth value is none.

    >>> import numpy as np
    >>> is_number(np.float32(0.5)), is_number(True), is_number("1"), is_number(float("nan"))
    (True, False, False, False)
    >>> is_number(10**400)
    False
    """
    value = as_python(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    # A whole number that is larger than any float.
    except OverflowError:
        return False


def as_python(value: Any) -> Any:
    """Return a number of NumPy or torch as one of Python, which JSON can hold; others as they are.

    >>> import numpy as np
    >>> as_python(np.float32(0.5)), as_python("0.5")
    (0.5, '0.5')
    """
    is_number_of_theirs = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return value.item() if is_number_of_theirs else value


def take_as_python(record: object, *names: str) -> None:
    """Make numbers of NumPy and torch in a new record, which may be frozen, Python's.

    Args:
        record: a dataclass, in its ``__post_init__``.
        names: its fields that hold numbers.

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass(frozen=True)
    ... class Bands:
    ...     count: int
    ...
    ...     def __post_init__(self):
    ...         take_as_python(self, "count")
    >>> Bands(np.int64(3))
    Bands(count=3)
    """
    for name in names:
        object.__setattr__(record, name, as_python(getattr(record, name)))
