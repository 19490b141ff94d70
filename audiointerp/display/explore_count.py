"""Counts of right answers, and the quiz: the kept part of a method, or of a random mask?"""

import random
from dataclasses import dataclass

from ..errors import ArgumentError, choose

QUIZ_PARTS = ("kept", "random")
"""What is played: the part that the method keeps, or that a random mask of its size keeps."""


@dataclass(frozen=True)
class Count:
    """How many of the answers were right.

    >>> Count().with_answer(True).with_answer(False)
    Count(right=1, asked=2)
    """

    right: int = 0
    asked: int = 0

    def with_answer(self, is_right: bool) -> "Count":
        """Return the count with one more answer.

        >>> Count(3, 4).with_answer(True)
        Count(right=4, asked=5)
        """
        return Count(self.right + is_right, self.asked + 1)


class Quiz:
    """Draws what is played, and counts the answers; each question is answered once.

    Args:
        seed: of the draws; None for other ones each time.

    >>> quiz = Quiz(seed=0)
    >>> part = quiz.ask()
    >>> quiz.answer(part) == part, quiz.count
    (True, Count(right=1, asked=1))
    """

    def __init__(self, seed: int | None = None) -> None:
        self.count = Count()
        self._draw = random.Random(seed)
        self._part: str | None = None

    def ask(self) -> str:
        """Draw what is played, and return it; a question that is open is asked again.

        >>> Quiz().ask() in QUIZ_PARTS
        True
        """
        if self._part is None:
            self._part = self._draw.choice(QUIZ_PARTS)
        return self._part

    def answer(self, part: str) -> str:
        """Count an answer, and return what was played.

        Raises:
            ArgumentError: nothing was asked, or it is no possible answer.

        >>> Quiz().answer("kept")
        Traceback (most recent call last):
        audiointerp.errors.ArgumentError: nothing was asked yet: play a sound of the quiz first
        """
        choose("answer", part, QUIZ_PARTS)
        if self._part is None:
            raise ArgumentError("nothing was asked yet: play a sound of the quiz first")
        played, self._part = self._part, None
        self.count = self.count.with_answer(part == played)
        return played

    def drop(self) -> None:
        """Forget an open question, since its sounds are gone.

        >>> Quiz().drop()
        """
        self._part = None
