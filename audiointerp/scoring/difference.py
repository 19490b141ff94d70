"""The record of a difference with its interval: a line of a forest plot."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One line of a forest plot.

    Attributes:
        panel: the panel, e.g. a score; its text stands above.
        row: the row, e.g. a method.
        group: the colour, e.g. how a mask is heard.
        mean: the difference; positive is better.
        low, high: the ends of its interval; NaN if there is none.
        is_certain: whether it differs from 0 after the correction for the number of comparisons.

    >>> Difference("FF", "gradcam", "on audio", 0.1, 0.05, 0.15, True).row
    'gradcam'
    """

    panel: str
    row: str
    group: str
    mean: float
    low: float
    high: float
    is_certain: bool
