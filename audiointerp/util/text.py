"""Text that fits one line of a terminal, a table cell or a CSV field."""

import unicodedata
from collections.abc import Iterable

BAR = "|"
"""Between names that share a field."""


def encodable(text: str) -> str:
    r"""Return a text without control characters that can be written as UTF-8; others are escaped.

    A file name may hold line breaks, and bytes that are not UTF-8, which reach Python as lone
    surrogates.

    >>> encodable("d\udce9"), encodable("two\nlines")
    ('d\\udce9', 'two\\nlines')
    """
    letters = (
        letter.encode("unicode_escape").decode() if unicodedata.category(letter) == "Cc" else letter
        for letter in _without_surrogates(text)
    )
    return "".join(letters)


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def join_names(names: Iterable[str]) -> str:
    """Join names by bars; a bar within a name is written ``%7C``, and ``%`` itself ``%25``.

    >>> join_names(["cat", "dog|wolf"])
    'cat|dog%7Cwolf'
    """
    return BAR.join(name.replace("%", "%25").replace(BAR, "%7C") for name in names)


def split_names(text: str) -> list[str]:
    """Return the names that :func:`join_names` has joined.

    >>> split_names("cat|dog%7Cwolf")
    ['cat', 'dog|wolf']
    """
    return [name.replace("%7C", BAR).replace("%25", "%") for name in text.split(BAR)]


def one_line(message: object, limit: int | None = None) -> str:
    r"""Return a text, or the message of an error, as one printable line.

    Line breaks and control characters become spaces, so a terminal obeys none of them. An error
    without a message is named by its type.

    Args:
        message: an error, or anything with a ``str``.
        limit: the most characters to return; a longer line ends in "…".

    >>> one_line("two\n  lines\x1b")
    'two lines'
    >>> one_line(ValueError()), one_line("a long text", limit=7)
    ('ValueError', 'a long…')
    """
    text = "".join(
        letter if letter.isprintable() else " " for letter in _without_surrogates(str(message))
    )
    line = " ".join(text.split())
    if not line and isinstance(message, BaseException):
        line = type(message).__name__
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
