"""Tables as one PDF of A4 pages in landscape, made by matplotlib alone: no LaTeX is needed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..files import replacing
from .record import BEST, WORST, Cell, Table, one_line
from .sheet import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Rule,
    Sheet,
    Word,
    drawable,
    drawn,
    put_lines,
    shortened,
    text_width,
    wrapped,
)  # fmt: skip

LARGEST = 8.0
"""Points of a table's letters; less where its columns need it."""
LEADING = 1.3
LABEL_WIDTH = 120.0
"""Points, at most, of the names of rows."""
CAPTION_SIZE = 8.5
TITLE_SIZE = 11.0
GAP, WITHIN = 1.6, 0.8
"""Between columns, and between those of one head, in the size of the letters."""
STYLE_OF = {BEST: "bold", WORST: "italic", "": "plain"}


def write_pdf(path: str | os.PathLike[str], tables: Sequence[Table], title: str, notes: Sequence[str]) -> int:
    """Write tables with a title page and a list of them; the number of pages. The same tables give the same bytes.

    Args:
        path: of the file, whole or not there.
        tables: in order.
        title: of the title page and of every page's foot.
        notes: paragraphs of the title page.

    Raises:
        AudioInterpError: the file cannot be written.
    """
    told = {"Title": one_line(title), "CreationDate": None}
    count = 0
    with replacing(path) as part, PdfPages(part, metadata=told) as pdf:
        for count, figure in enumerate(pages(tables, title, notes), 1):  # noqa: B007  # how many there were
            pdf.savefig(figure)
    return count


def pages(tables: Sequence[Table], title: str, notes: Sequence[str]) -> Iterator[Figure]:
    """The pages as figures, to be drawn in any format."""
    sheets = [Sheet()]
    starts = [_put_table(sheets, table) for table in tables]
    front = _front(tables, starts, title, notes)
    count = len(front) + len(sheets)
    for number, sheet in enumerate([*front, *sheets], 1):
        yield drawn(sheet, drawable(one_line(title)), number, count)


def _front(tables: Sequence[Table], starts: Sequence[int], title: str, notes: Sequence[str]) -> list[Sheet]:
    """The title page, and the list of tables with the pages where they begin."""
    size, width = 9.5, RIGHT - LEFT
    first = Sheet(TOP - 60)
    put_lines(first, wrapped(drawable(one_line(title)), width, 22, "bold"), 22, "bold")
    sheets = [first]
    for note in notes:
        lines = wrapped(drawable(one_line(note)), width * 0.75, size)
        _room(sheets, (len(lines) + 0.6) * size * 1.25)
        sheets[-1].y -= size * 0.6
        put_lines(sheets[-1], lines, size)
    sheets.append(Sheet())
    put_lines(sheets[-1], ["Tables"], TITLE_SIZE, "bold")
    lists = []
    for table, start in zip(tables, starts, strict=True):
        _room(sheets, size * 1.25)
        put_lines(sheets[-1], [shortened(drawable(one_line(table.title)), width - 60, size)], size)
        lists.append((sheets[-1], sheets[-1].y, start))
    for sheet, y, start in lists:  # now that the front's length is known
        sheet.words.append(Word(RIGHT, y, str(len(sheets) + start), size, right=True))
    return sheets


def _room(sheets: list[Sheet], height: float) -> None:
    """Begin a new page where the last has less than a height left."""
    if sheets[-1].y - height < BOTTOM and sheets[-1].y < TOP:
        sheets.append(Sheet())


@dataclass(frozen=True)
class _Form:
    """How a table is set: the size of its letters, the left edge of each column's heads, and the right end of each column."""

    size: float
    lefts: tuple[float, ...]
    ends: tuple[float, ...]

    @property
    def leading(self) -> float:
        return self.size * LEADING


def _put_table(sheets: list[Sheet], table: Table) -> int:
    """Set a table from where the pages have come; the number of the page on which it begins, from 1."""
    rows = [(drawable(block), drawable(row), cells) for block, row, cells in table.rows()]
    form = _form(table, rows)
    title = wrapped(drawable(one_line(table.title)), RIGHT - LEFT, TITLE_SIZE, "bold")
    caption = wrapped(drawable(one_line(table.caption)), RIGHT - LEFT, CAPTION_SIZE)
    blocks = [(block, [line[1:] for line in lines]) for block, lines in groupby(rows, lambda line: line[0])]
    above = 1.25 * (len(title) * TITLE_SIZE + len(caption) * CAPTION_SIZE) + _head_height(table, form)
    sheets[-1].y -= 14 if sheets[-1].y < TOP else 0
    _room(sheets, above + _block_height(blocks[0][1], form))
    start = len(sheets)
    put_lines(sheets[-1], title, TITLE_SIZE, "bold")
    put_lines(sheets[-1], caption, CAPTION_SIZE)
    _put_head(sheets[-1], table, form)
    for block, lines in blocks:
        height = _block_height(lines, form)
        whole_page = TOP - BOTTOM - _head_height(table, form) - 1.25 * TITLE_SIZE
        if sheets[-1].y - (height if height < whole_page else 3 * form.leading) < BOTTOM:
            _continue(sheets, table, form, title[0])
        _put_block_name(sheets[-1], block, form)
        for row, cells in lines:
            if sheets[-1].y - form.leading < BOTTOM:
                _continue(sheets, table, form, title[0])
                _put_block_name(sheets[-1], f"{block} (continued)", form)
            _put_row(sheets[-1], row, cells, form)
    _put_rule(sheets[-1], form, 0.8, form.size * 0.4)
    return start


def _block_height(lines: Sequence[object], form: _Form) -> float:
    return (len(lines) + 1.3) * form.leading + form.size * 0.4


def _head_height(table: Table, form: _Form) -> float:
    return (2 if any(column.sub for column in table.columns) else 1) * form.leading + form.size * 1.6


def _continue(sheets: list[Sheet], table: Table, form: _Form, title: str) -> None:
    """Close the page below the table, and begin the next with its heads."""
    _put_rule(sheets[-1], form, 0.4, form.size * 0.4)
    sheets.append(Sheet())
    put_lines(sheets[-1], [shortened(f"{title} (continued)", RIGHT - LEFT, TITLE_SIZE, "bold")], TITLE_SIZE, "bold")
    _put_head(sheets[-1], table, form)


def _form(table: Table, rows: Sequence[tuple[str, str, list[Cell]]]) -> _Form:
    """The largest letters, up to ``LARGEST``, with which every column has its width."""
    label = min(
        max(text_width(text, 1) for text in (*(row for _, row, _ in rows), *_names(table))), LABEL_WIDTH / LARGEST
    )
    heads_before = [None, *(column.head for column in table.columns)]
    gaps = [
        WITHIN if column.head == before else GAP for column, before in zip(table.columns, heads_before, strict=False)
    ]
    widths = []
    for number, column in enumerate(table.columns):
        texts = {(cells[number].text, STYLE_OF[cells[number].mark]) for _, _, cells in rows}
        heads = {(column.sub, "plain")} | ({(column.head, "plain")} if _alone(table, number) else set())
        widths.append(max(text_width(drawable(text), 1, style) for text, style in texts | heads) + gaps[number])
    size = min(LARGEST, (RIGHT - LEFT) / (label + sum(widths)))
    ends = [LEFT + size * (label + sum(widths[: number + 1])) for number in range(len(widths))]
    lefts = [end - size * (width - gap) for end, width, gap in zip(ends, widths, gaps, strict=True)]
    return _Form(size, tuple(lefts), tuple(ends))


def _names(table: Table) -> list[str]:
    return [drawable(str(name or "")) for name in table.frame.index.names]


def _alone(table: Table, number: int) -> bool:
    """Whether a column has its head to itself."""
    return [column.head for column in table.columns].count(table.columns[number].head) == 1


def _put_head(sheet: Sheet, table: Table, form: _Form) -> None:
    _put_rule(sheet, form, 0.8, form.size * 0.5)
    below = any(column.sub for column in table.columns)
    first = sheet.y - form.leading
    sheet.y -= form.leading * (2 if below else 1)
    sheet.words.append(Word(LEFT, sheet.y, _names(table)[1], form.size))
    number = 0
    for head, columns in groupby(table.columns, lambda column: column.head):
        last = number + len(list(columns)) - 1
        sheet.words.append(Word(form.ends[last], first if below else sheet.y, head, form.size, right=True))
        if last > number:
            sheet.rules.append(Rule(form.lefts[number], form.ends[last], first - form.size * 0.3, 0.4))
        number = last + 1
    for end, column in zip(form.ends, table.columns, strict=True):
        if column.sub:
            sheet.words.append(Word(end, sheet.y, column.sub, form.size, right=True))
    _put_rule(sheet, form, 0.5, form.size * 0.4)


def _put_block_name(sheet: Sheet, name: str, form: _Form) -> None:
    sheet.y -= form.leading * 1.3
    sheet.words.append(Word(LEFT, sheet.y, shortened(name, form.ends[-1] - LEFT, form.size, "bold"), form.size, "bold"))


def _put_row(sheet: Sheet, row: str, cells: Sequence[Cell], form: _Form) -> None:
    sheet.y -= form.leading
    sheet.words.append(Word(LEFT, sheet.y, shortened(row, LABEL_WIDTH * form.size / LARGEST, form.size), form.size))
    for end, cell in zip(form.ends, cells, strict=True):
        sheet.words.append(Word(end, sheet.y, drawable(cell.text), form.size, STYLE_OF[cell.mark], right=True))


def _put_rule(sheet: Sheet, form: _Form, thickness: float, space: float) -> None:
    sheet.y -= space
    sheet.rules.append(Rule(LEFT, form.ends[-1], sheet.y, thickness))
