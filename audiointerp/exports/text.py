"""Tables as CSV, Markdown and plain text."""

import re
from collections.abc import Sequence

import pandas as pd

from .record import BEST, WORST, Cell, Column, Table, one_line

_MARKDOWN = re.compile(r"([\\`*_|<>\[\]$])")


def as_csv(table: Table) -> str:
    """The numbers in full, an interval in columns of its own, and the marks: ``FF``, ``FF low``, ``FF high``, ``FF mark``.

    An undefined number is empty.
    """
    flat: dict[str, list[object]] = {}
    names = [str(name or level) for name, level in zip(table.frame.index.names, ("block", "row"), strict=True)]
    for number, name in enumerate(names):
        flat[name] = list(table.frame.index.get_level_values(number))
    for column in table.columns:
        head = heading(column)
        for part, values in table.numbers(column).items():
            flat[head if part == "mean" else f"{head} {part}"] = values.tolist()
        if column.higher_is_better is not None:
            flat[f"{head} mark"] = list(table.marks[column.head, column.sub])
    text: str = pd.DataFrame(flat).to_csv(index=False, lineterminator="\n")
    return text


def contents(tables: Sequence[Table]) -> str:
    """The names, titles and captions of tables as CSV."""
    rows = [{"name": table.name, "title": table.title, "caption": table.caption} for table in tables]
    text: str = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    return text


def heading(column: Column) -> str:
    """The name of a column in one line.

    >>> heading(Column("FF", "published"))
    'FF published'
    """
    return f"{column.head} {column.sub}".strip()


def as_markdown(table: Table) -> str:
    """A table in Markdown, the best bold, the worst italic; the name of a block in its first row alone."""
    heads = [*table.frame.index.names, *(heading(column) for column in table.columns)]
    lines = [f"**{_escaped(table.title)}.** {_escaped(table.caption)}", ""]
    lines += [_markdown_row([_escaped(str(head or "")) for head in heads]), _markdown_row(["---"] * len(heads))]
    before = None
    for block, row, cells in table.rows():
        shown = [_escaped(block) if block != before else "", _escaped(row)]
        lines.append(_markdown_row([*shown, *(_markdown_cell(cell) for cell in cells)]))
        before = block
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(cell: Cell) -> str:
    around = {BEST: "**", WORST: "*"}.get(cell.mark, "")
    return f"{around}{_escaped(cell.text)}{around}"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def as_plain_text(table: Table) -> str:
    """A table in columns of letters of one width; ``*`` after the best, ``†`` after the worst."""
    heads = ["", "", *(heading(column) for column in table.columns)]
    body, before = [heads], None
    for block, row, cells in table.rows():
        marked = [cell.text + {BEST: "*", WORST: "†"}.get(cell.mark, " ") for cell in cells]
        body.append([block if block != before else "", row, *marked])
        before = block
    widths = [max(len(line[number]) for line in body) for number in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) if number < 2 else cell.rjust(width)
                  for number, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in body
    ]  # fmt: skip
    return "\n".join([one_line(table.title), one_line(table.caption), "", *lines]) + "\n"
