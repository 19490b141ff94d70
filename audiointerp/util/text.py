"""Text that fits one line of a terminal, a table cell or a CSV field."""

import unicodedata


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
