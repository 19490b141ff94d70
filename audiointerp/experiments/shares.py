"""Numbers that several takers take one by one, each from a range of its own."""

from collections.abc import Iterator
from itertools import pairwise


class Shares:
    """Gives each taker numbers that follow one another, as long as there are some.

    One whose range is used up takes over the upper half of the longest range. So neighbours stay
    together, and no taker is idle before the last numbers.

    Args:
        numbers: the numbers.
        takers: how many take them.

    >>> shares = Shares(range(8), 2)
    >>> first, second = shares.of(0), shares.of(1)
    >>> next(first), next(second), next(first), list(second)
    (0, 4, 1, [5, 6, 7, 3, 2])
    """

    def __init__(self, numbers: range, takers: int) -> None:
        bounds = [len(numbers) * taker // takers for taker in range(takers + 1)]
        self._left = [numbers[start:stop] for start, stop in pairwise(bounds)]

    def of(self, taker: int) -> Iterator[int]:
        """Take the numbers of one taker, from 0, until nobody has any left."""
        while any(self._left):
            if not self._left[taker]:
                self._take_over(taker)
            number = self._left[taker][0]
            self._left[taker] = self._left[taker][1:]
            yield number

    def _take_over(self, taker: int) -> None:
        longest = max(self._left, key=len)
        owner = self._left.index(longest)
        half = len(longest) // 2
        self._left[owner], self._left[taker] = longest[:half], longest[half:]
