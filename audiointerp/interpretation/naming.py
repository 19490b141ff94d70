"""Names of methods and masks, which become folder names and words in tables."""

import re

from ..errors import ArgumentError

LONGEST_NAME = 100
"""Characters; file systems allow 255 bytes, and other parts are added to the name."""


def usable_name(name: object) -> str:
    """Return ``name`` if it can name a folder of results and stand in a table.

    Args:
        name: the name of an explainer or a mask.

    Raises:
        ArgumentError: it is empty, too long, does not start with a letter or a digit, or has
            characters other than letters, digits, ``-``, ``_`` and ``.``.

    >>> usable_name("my_method-2")
    'my_method-2'
    >>> usable_name("a/b")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: name='a/b' is no folder name; use letters, digits, -, _ and .
    """
    pattern = rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}"
    if not isinstance(name, str) or not re.fullmatch(pattern, name):
        raise ArgumentError(f"name={name!r:.80} is no folder name; use letters, digits, -, _ and .")
    return name
