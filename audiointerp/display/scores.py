"""The scores of a report: a forest plot, one small table, and one table of everything."""

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from ..scoring import Difference
from .document import part
from .forest_svg import forest_svg
from .method_titles import METHOD_TITLES

ABOUT_FOREST = (
    "Each method minus its best random mask, so that 0 is chance; right of 0 is better. Lines are "
    "95 % intervals over recordings; filled marks differ from 0 after the correction for the "
    "number of comparisons."
)


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        heads: of its columns.
        rows: cells by row.
        names: the number of columns, from the left, that name a row.
        caption: one or more sentences.

    >>> Grid(("method", "FF"), (("lime", "0.5"),), 1, "Means.").rows
    (('lime', '0.5'),)
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int
    caption: str


def scores_section(
    lead: Grid,
    everything: Grid,
    exact: Grid,
    differences: Sequence[Difference] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the section of a page with scores.

    Args:
        lead: the table that everyone reads, a row for each method.
        everything: all scores, which a reader filters by the columns that name its rows.
        exact: the same, not rounded, to save.
        differences: of the forest plot; without any there is none.
        notes: sentences below everything.

    >>> grid = Grid(("method", "FF"), (("lime", "0.5"),), 1, "Means.")
    >>> scores_section(grid, grid, grid).count("<table")
    2
    """
    forest = ""
    if differences:
        forest = f"<p>{ABOUT_FOREST}</p>{forest_svg(differences, METHOD_TITLES)}"
    records = [dict(zip(exact.heads, row, strict=True)) for row in exact.rows]
    lines = [",".join(map(_csv_cell, row)) for row in (exact.heads, *exact.rows)]
    return Template(part("scores.html")).substitute(
        forest=forest,
        lead=f"<p>{html.escape(lead.caption)}</p>"
        f'<div class="scroll" tabindex="0" role="group" aria-label="Mean scores">'
        f"{_table(lead)}</div>",
        count=len(everything.rows),
        table=_table(everything, "data-all-scores "),
        notes=html.escape(" ".join((everything.caption, *notes))),
        csv=_address("text/csv", "\n".join(lines) + "\n"),
        json=_address("application/json", json.dumps(records, indent=1)),
    )


def _table(grid: Grid, marker: str = "") -> str:
    heads = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in grid.heads)
    rows = "".join(f"<tr>{_cells(row, grid.names)}</tr>" for row in grid.rows)
    return (
        f'<table {marker}data-names="{grid.names}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _cells(row: Sequence[str], names: int) -> str:
    cells = []
    for number, text in enumerate(row):
        title = METHOD_TITLES.get(text, text) if number < names else text
        value, bracket, interval = title.partition(" [")
        small = f"<small>[{html.escape(interval)}</small>" if bracket else ""
        tag = 'th scope="row"' if number == 0 else "td"
        cells.append(f"<{tag}>{html.escape(value)}{small}</{tag[:2]}>")
    return "".join(cells)


def _csv_cell(text: str) -> str:
    if any(letter in text for letter in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _address(kind: str, text: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"
