"""Columns and cells of a table: numbers as text, and the best and worst of each block."""

from dataclasses import dataclass

import numpy as np

BEST, WORST = "best", "worst"
UNDEFINED = "–"
"""Text of an undefined number (NaN)."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, number format, and direction.

    Attributes:
        head: name of the column, or of several adjacent columns.
        sub: second heading, below ``head``.
        decimals: decimals of the mean; the ends of an interval have one fewer.
        signed: whether positive numbers have a plus sign.
        higher_is_better: direction of the score; None if it has none.

    >>> Column("FF", "published").heading, Column("FF").text(0.5, 0.25, 0.75)
    ('FF published', '0.500 [0.25, 0.75]')
    """

    head: str
    sub: str = ""
    decimals: int = 3
    signed: bool = False
    higher_is_better: bool | None = None

    @property
    def heading(self) -> str:
        """Both headings on one line."""
        return f"{self.head} {self.sub}".strip()

    def text(self, mean: float, low: float = np.nan, high: float = np.nan) -> str:
        """Format a number and, unless ``low`` is NaN, its interval; minus signs are U+2212."""
        flags = "+z" if self.signed else "z"
        end_decimals = max(self.decimals - 1, 0)
        text = format_interval(mean, low, high, self.decimals, end_decimals, flags)
        return text.replace("-", "−")


@dataclass(frozen=True)
class Cell:
    """A cell as displayed: its text, and its mark: ``"best"``, ``"worst"`` or ``""``.

    >>> Cell("0.500", "best").text
    '0.500'
    """

    text: str
    mark: str


def format_interval(
    mean: float, low: float, high: float, decimals: int, end_decimals: int, flags: str = ""
) -> str:
    """Format a mean and its interval; the mean alone if ``low`` is NaN.

    Args:
        mean, low, high: the numbers.
        decimals: decimals of the mean.
        end_decimals: decimals of ``low`` and ``high``.
        flags: of Python's number format: ``"+"`` writes plus signs, ``"z"`` no negative zeros.

    >>> format_interval(0.25, 0.2, 0.3, decimals=2, end_decimals=1, flags="+")
    '+0.25 [+0.2, +0.3]'
    """
    if np.isnan(mean):
        return UNDEFINED
    text = f"{mean:{flags}.{decimals}f}"
    if not np.isnan(low):
        text += f" [{low:{flags}.{end_decimals}f}, {high:{flags}.{end_decimals}f}]"
    return text


def best_and_worst(means: np.ndarray, blocks: np.ndarray, column: Column) -> np.ndarray:
    """Mark the best and the worst mean of each block, by the column's direction.

    Means are compared as displayed (rounded), so that means that look equal are marked alike. A
    block whose means are all equal, or that has one mean only, has no marks.

    Args:
        means: ``(n,)``; NaN is never marked.
        blocks: the block of each mean, ``(n,)`` integers from 0.
        column: gives the decimals and the direction.

    >>> column = Column("AD", higher_is_better=False)
    >>> best_and_worst(np.array([9.0, 1.0, 5.0]), np.array([0, 0, 1]), column).tolist()
    ['worst', 'best', '']
    """
    marks = np.full(len(means), "", dtype=object)
    if column.higher_is_better is None:
        return marks
    displayed = means.round(column.decimals)
    # Indexed by block; there are at most as many blocks as means.
    largest, smallest = np.full((2, len(means)), np.nan)
    np.fmax.at(largest, blocks, displayed)
    np.fmin.at(smallest, blocks, displayed)
    best, worst = (largest, smallest) if column.higher_is_better else (smallest, largest)
    differ = (largest != smallest)[blocks]
    for values, mark in ((worst, WORST), (best, BEST)):
        marks[differ & (displayed == values[blocks])] = mark
    return marks
