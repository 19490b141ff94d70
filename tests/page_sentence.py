"""A sentence of a page whose figures come from results; tests/figures.py has all of them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiointerp.display import METHOD_TITLES
from audiointerp.util import write_text

ROOT = Path(__file__).parents[1]
INTERVAL = r"[+−][\d.]+\s\[[+−][\d.]+,\s[+−][\d.]+\]"
TITLES = "|".join(map(re.escape, sorted(METHOD_TITLES.values(), key=len, reverse=True)))
VALUE = rf"{INTERVAL}|[+−]?[\d.]*\d|{TITLES}"
"""What a figure looks like: a number, with its interval; or the name of a method."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a page whose figures come from results.

    Attributes:
        page: the page, from the root of the repository.
        text: the sentence, or a part of it that the page has once; each ``{}`` is a figure.
        source: the file that the figures come from.
        figures: computes them, as they are printed.
        holds: whether what the words claim is true of the figures.
    """

    page: str
    text: str
    source: str
    figures: Callable[[], Sequence[str]]
    holds: Callable[[], bool] = lambda: True

    @property
    def pattern(self) -> re.Pattern[str]:
        """Find the sentence with any figures, however its lines are broken."""
        parts = [re.escape(part) for part in re.split(r"\s+", self.text)]
        return re.compile(r"\s+".join(parts).replace(r"\{\}", f"({VALUE})"))

    def printed(self) -> list[str]:
        """Return the figures that the page has.

        Raises:
            ValueError: the page does not have the sentence once.
        """
        found = self.pattern.findall((ROOT / self.page).read_text(encoding="utf-8"))
        if len(found) != 1:
            raise ValueError(f"{self.page}: has {len(found)} times, not once: {self.text!r}")
        figures = [found[0]] if isinstance(found[0], str) else found[0]
        return [" ".join(figure.split()) for figure in figures]

    def faults(self) -> list[str]:
        """Name what differs from the results, and a claim that they do not bear."""
        printed, computed = self.printed(), list(self.figures())
        faults = []
        if printed != computed:
            faults.append(f"{self.page}: {printed} should be {computed}, by {self.source}")
        if not self.holds():
            faults.append(f"{self.page}: no longer true by {self.source}: {self.text!r}")
        return faults

    def write(self) -> None:
        """Put the figures of the results into the page."""
        path = ROOT / self.page
        text = path.read_text(encoding="utf-8")
        (match,) = self.pattern.finditer(text)
        # From the last one, so that the places of the others stay.
        for number, figure in reversed(list(enumerate(self.figures(), 1))):
            text = text[: match.start(number)] + figure + text[match.end(number) :]
        write_text(path, text)
