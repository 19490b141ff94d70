"""The record of a table: numbers, what they are, which are best; and its cells as text, the same in every format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

BEST, WORST = "best", "worst"
UNDEFINED = "–"


@dataclass(frozen=True)
class Column:
    """What a column of a table holds.

    Attributes:
        head: its name, or that of several columns side by side.
        sub: its name below ``head``.
        decimals: of the mean; an interval has one less.
        signed: whether a plus is written.
        higher_is_better: the direction of the score; None where none is better.
    """

    head: str
    sub: str = ""
    decimals: int = 3
    signed: bool = False
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class Cell:
    """A cell as it is shown: a text, and ``"best"``, ``"worst"`` or ``""``."""

    text: str
    mark: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers with what every format needs to show it; made by :func:`table_of`.

    Attributes:
        name: of its files.
        title: one line.
        caption: a sentence or some.
        columns: what is shown, in order.
        frame: the numbers; the index is (block, row), the columns are (head, sub, part), part one of mean, low, high.
        marks: ``"best"``, ``"worst"`` or ``""``; the index is that of the frame, the columns are (head, sub).
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    frame: pd.DataFrame
    marks: pd.DataFrame

    def block(self, name: str) -> "Table":
        """The rows of one block, one method's masks say, as a table.

        Raises:
            KeyError: there is no such block.
        """
        kept = self.frame.index.get_level_values(0) == name
        if not kept.any():
            raise KeyError(name)
        return Table(
            f"{self.name}_{name}", f"{self.title}: {name}", self.caption, self.columns, self.frame[kept],
            self.marks[kept],
        )  # fmt: skip

    def rows(self) -> Iterator[tuple[str, str, list[Cell]]]:
        """Block, row and cells, as every format shows them."""
        texts = [self._texts(column) for column in self.columns]
        marks = [list(self.marks[column.head, column.sub]) for column in self.columns]
        for number, (block, row) in enumerate(self.frame.index):
            cells = [Cell(text[number], mark[number]) for text, mark in zip(texts, marks, strict=True)]
            yield one_line(block), one_line(row), cells

    def _texts(self, column: Column) -> list[str]:
        return [cell_text(column, *values) for values in self.numbers(column).to_numpy(float)]

    def numbers(self, column: Column) -> pd.DataFrame:
        """A column's mean, low and high, or its mean alone."""
        keys = [(column.head, column.sub, part) for part in ("mean", "low", "high")]
        kept = [key for key in keys if key in self.frame.columns]
        return self.frame[kept].set_axis([part for _, _, part in kept], axis=1)

    def _repr_markdown_(self) -> str:
        from .text import as_markdown

        return as_markdown(self)


def table_of(name: str, title: str, caption: str, filled: Sequence[tuple[Column, pd.DataFrame]]) -> Table:
    """A table of columns and their numbers, the best and the worst of each block found by the columns' own directions.

    A block whose values are all equal as they are shown, or that has only one, has neither.

    Args:
        name, title, caption: of the table.
        filled: each column with a frame whose index is (block, row), the same for all, and whose columns are mean, or
            mean, low and high.

    >>> index = pd.MultiIndex.from_product([["mel_clean"], ["lime", "shap"]])
    >>> means = pd.DataFrame({"mean": [9.0, 1.0]}, index)
    >>> table_of("x", "X", "", [(Column("AD", higher_is_better=False), means)]).marks["AD", ""].tolist()
    ['worst', 'best']
    """
    frame = pd.concat({(column.head, column.sub): part for column, part in filled}, axis=1)
    frame.columns.names = ["head", "sub", "part"]
    blocks, _ = pd.factorize(frame.index.get_level_values(0))
    marks = {
        (column.head, column.sub): _marks(part["mean"].reindex(frame.index).to_numpy(float), blocks, column)
        for column, part in filled
    }
    columns = tuple(column for column, _ in filled)
    return Table(name, title, caption, columns, frame, pd.DataFrame(marks, frame.index))


def _marks(means: np.ndarray, blocks: np.ndarray, column: Column) -> np.ndarray:
    """Of the numbers as they are shown, so that two that look equal are marked alike; blocks are numbers from 0."""
    marks = np.full(len(means), "", dtype=object)
    if column.higher_is_better is None:
        return marks
    shown = means.round(column.decimals)
    most, least = np.full((2, len(means)), np.nan)  # by block, of which there are no more than rows
    np.fmax.at(most, blocks, shown)
    np.fmin.at(least, blocks, shown)
    best, worst = (most, least) if column.higher_is_better else (least, most)
    for values, word in ((worst, WORST), (best, BEST)):
        marks[(most != least)[blocks] & (shown == values[blocks])] = word
    return marks


def cell_text(column: Column, mean: float, low: float = np.nan, high: float = np.nan) -> str:
    """A number, with its interval where it has one, as text.

    >>> cell_text(Column("FF"), 0.5, 0.25, 0.75), cell_text(Column("AD", decimals=2, signed=True), 3.0)
    ('0.500 [0.25, 0.75]', '+3.00')
    """
    if np.isnan(mean):
        return UNDEFINED
    sign = "+" if column.signed else ""
    text = f"{mean:{sign}z.{column.decimals}f}"
    if not np.isnan(low):
        ends = max(column.decimals - 1, 0)
        text += f" [{low:{sign}z.{ends}f}, {high:{sign}z.{ends}f}]"
    return text.replace("-", "−")


def one_line(text: object) -> str:
    """A name or a caption as one printable line, whatever a file of results may hold."""
    words = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(words.split())
