"""The ``Table`` record and its text formats: CSV, Markdown and plain text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ..util import one_line
from .cells import BEST, WORST, Cell, Column, best_and_worst

PARTS = ("mean", "low", "high")


@dataclass(frozen=True, eq=False)
class Table:
    """A table of numbers with what every format needs to display it; see :func:`table_of`.

    Attributes:
        name: name of its files, without extension.
        title: one line.
        caption: one or more sentences.
        columns: the displayed columns, in order.
        frame: the numbers; its index is (block, row), its columns are (head, sub, part), where
            part is mean, low or high.
        marks: ``"best"``, ``"worst"`` or ``""``; index as in ``frame``, columns (head, sub).

    >>> index = pd.MultiIndex.from_product([["mel_clean"], ["lime", "shap"]])
    >>> means = pd.DataFrame({"mean": [0.5, 0.25]}, index)
    >>> table = table_of("ff", "Faithfulness", "", [(Column("FF"), means)])
    >>> [(block, row, cells[0].text) for block, row, cells in table.rows()]
    [('mel_clean', 'lime', '0.500'), ('mel_clean', 'shap', '0.250')]
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    frame: pd.DataFrame
    marks: pd.DataFrame

    def block(self, name: str) -> "Table":
        """Return the rows of one block as a table, e.g. all masks of one method.

        Raises:
            KeyError: there is no such block.
        """
        kept = self.frame.index.get_level_values(0) == name
        if not kept.any():
            raise KeyError(name)
        return replace(
            self,
            name=f"{self.name}_{name}",
            title=f"{self.title}: {name}",
            frame=self.frame[kept],
            marks=self.marks[kept],
        )

    def rows(self) -> Iterator[tuple[str, str, list[Cell]]]:
        """Iterate over (block, row, cells), the same in every format."""
        yield from self._rows

    # Cached because every format needs the same cells.
    @cached_property
    def _rows(self) -> list[tuple[str, str, list[Cell]]]:
        by_column = [self._cells(column) for column in self.columns]
        by_row = map(list, zip(*by_column, strict=True))
        return [
            (one_line(block), one_line(row), cells)
            for (block, row), cells in zip(self.frame.index, by_row, strict=True)
        ]

    def _cells(self, column: Column) -> list[Cell]:
        positions = list(self._positions_of(column).values())
        values = self.frame.iloc[:, positions].to_numpy(float)
        texts = [column.text(*parts) for parts in values.tolist()]
        return list(map(Cell, texts, self.marks[column.head, column.sub]))

    @cached_property
    def _positions(self) -> dict[tuple[str, ...], int]:
        """Positions of the frame's columns; pandas is slow to find columns of three levels."""
        return {tuple(key): position for position, key in enumerate(self.frame.columns)}

    def _positions_of(self, column: Column) -> dict[str, int]:
        keys = {part: (column.head, column.sub, part) for part in PARTS}
        positions = self._positions
        return {part: positions[key] for part, key in keys.items() if key in positions}

    def numbers(self, column: Column) -> pd.DataFrame:
        """Return the mean, low and high of a column, or its mean alone."""
        positions = self._positions_of(column)
        return self.frame.iloc[:, list(positions.values())].set_axis(list(positions), axis=1)

    def _repr_markdown_(self) -> str:
        return as_markdown(self)


def table_of(
    name: str, title: str, caption: str, filled: Sequence[tuple[Column, pd.DataFrame]]
) -> Table:
    """Make a table of columns and their numbers, with the best and the worst of each block marked.

    Args:
        name, title, caption: see :class:`Table`.
        filled: each column with a frame whose index is (block, row), the same for all, and whose
            columns are mean, or mean, low and high.

    >>> index = pd.MultiIndex.from_product([["mel_clean"], ["lime", "shap"]])
    >>> means = pd.DataFrame({"mean": [9.0, 1.0]}, index)
    >>> table = table_of("x", "X", "", [(Column("AD", higher_is_better=False), means)])
    >>> table.marks["AD", ""].tolist()
    ['worst', 'best']
    """
    frame = pd.concat({(column.head, column.sub): part for column, part in filled}, axis=1)
    frame.columns.names = ["head", "sub", "part"]
    blocks, _ = pd.factorize(frame.index.get_level_values(0))
    marks = {}
    for column, part in filled:
        means = part["mean"].reindex(frame.index).to_numpy(float)
        marks[column.head, column.sub] = best_and_worst(means, blocks, column)
    columns = tuple(column for column, _ in filled)
    return Table(name, title, caption, columns, frame, pd.DataFrame(marks, frame.index))


def as_csv(table: Table) -> str:
    """Format as CSV: unrounded numbers, with intervals and marks in columns of their own.

    The columns of a score are e.g. ``FF``, ``FF low``, ``FF high`` and ``FF mark``. An undefined
    number is empty.

    >>> index = pd.MultiIndex.from_product([["lime"], ["bin"]], names=["method", "mask"])
    >>> table = table_of("x", "X", "", [(Column("FF"), pd.DataFrame({"mean": [0.123456]}, index))])
    >>> print(as_csv(table), end="")
    method,mask,FF
    lime,bin,0.123456
    """
    index = table.frame.index
    columns: dict[str, list[object]] = {}
    for level, default in enumerate(("block", "row")):
        columns[str(index.names[level] or default)] = list(index.get_level_values(level))
    for column in table.columns:
        for part, values in table.numbers(column).items():
            suffix = "" if part == "mean" else f" {part}"
            columns[column.heading + suffix] = values.tolist()
        if column.higher_is_better is not None:
            columns[f"{column.heading} mark"] = list(table.marks[column.head, column.sub])
    return _to_csv(pd.DataFrame(columns))


def contents(tables: Sequence[Table]) -> str:
    """Format the names, titles and captions of tables as CSV.

    >>> print(contents([Table("x", "A title", "", (), pd.DataFrame(), pd.DataFrame())]), end="")
    name,title,caption
    x,A title,
    """
    rows = [
        {"name": table.name, "title": table.title, "caption": table.caption} for table in tables
    ]
    return _to_csv(pd.DataFrame(rows))


def _to_csv(frame: pd.DataFrame) -> str:
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def as_markdown(table: Table) -> str:
    """Format as Markdown: best bold, worst italic, each block's name in its first row only.

    >>> index = pd.MultiIndex.from_product([["lime"], ["bin"]], names=["method", "mask"])
    >>> table = table_of("x", "X", "Y.", [(Column("FF"), pd.DataFrame({"mean": [0.5]}, index))])
    >>> print(as_markdown(table), end="")
    **X.** Y.
    <BLANKLINE>
    | method | mask | FF |
    | --- | --- | --- |
    | lime | bin | 0.500 |
    """
    headings = [
        *(str(name or "") for name in table.frame.index.names),
        *(column.heading for column in table.columns),
    ]
    lines = [
        f"**{_escape_markdown(table.title)}.** {_escape_markdown(table.caption)}",
        "",
        _markdown_row(map(_escape_markdown, headings)),
        _markdown_row(["---"] * len(headings)),
    ]
    for block, row, cells in _with_block_names_once(table):
        names = [_escape_markdown(block), _escape_markdown(row)]
        lines.append(_markdown_row([*names, *map(_markdown_cell, cells)]))
    return "\n".join(lines) + "\n"


def _with_block_names_once(table: Table) -> Iterator[tuple[str, str, list[Cell]]]:
    """Iterate over the rows, with an empty block name except in the first row of a block."""
    previous = None
    for block, row, cells in table.rows():
        yield ("" if block == previous else block), row, cells
        previous = block


def _markdown_row(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell) -> str:
    emphasis = {BEST: "**", WORST: "*"}.get(cell.mark, "")
    return f"{emphasis}{_escape_markdown(cell.text)}{emphasis}"


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]$])", r"\\\1", one_line(text))


def table_as_text(table: Table) -> str:
    r"""Format as plain text in aligned columns: ``*`` after the best, ``†`` after the worst.

    >>> index = pd.MultiIndex.from_product([["lime"], ["bin", "minmax"]])
    >>> means = pd.DataFrame({"mean": [0.5, 0.25]}, index)
    >>> table = table_of("x", "X", "Y.", [(Column("FF", higher_is_better=True), means)])
    >>> print(table_as_text(table).replace("\n\n", "\n"), end="")
    X
    Y.
                      FF
    lime  bin     0.500*
          minmax  0.250†
    """
    marks = {BEST: "*", WORST: "†"}
    lines = [["", "", *(column.heading for column in table.columns)]]
    for block, row, cells in _with_block_names_once(table):
        lines.append([block, row, *(cell.text + marks.get(cell.mark, " ") for cell in cells)])
    widths = np.array([list(map(len, line)) for line in lines]).max(0)
    aligned = [_align(line, widths) for line in lines]
    return "\n".join([one_line(table.title), one_line(table.caption), "", *aligned]) + "\n"


def _align(line: Sequence[str], widths: np.ndarray) -> str:
    """Pad a line's texts to the widths: the two names to the right, the numbers to the left."""
    names = map(str.ljust, line[:2], widths[:2])
    numbers = map(str.rjust, line[2:], widths[2:])
    return "  ".join([*names, *numbers]).rstrip()
