"""Hooks that others leave alone, since the code that made them removes them."""

from collections.abc import Callable
from typing import Any, TypeVar

Hook = TypeVar("Hook", bound=Callable[..., Any])


def owned(hook: Hook) -> Hook:
    """Mark a hook that its maker removes, whatever happens, and return it.

    Another thread may be at work in the same network, and removes what its method left there.

    >>> is_owned(owned(lambda *arguments: None)), is_owned(print)
    (True, False)
    """
    vars(hook)["_is_owned"] = True
    return hook


def is_owned(hook: Any) -> bool:
    """Return whether the maker of a hook removes it.

    Example: see :func:`owned`.
    """
    return getattr(hook, "_is_owned", False) is True
