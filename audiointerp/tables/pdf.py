"""Tables as one PDF of A4 landscape pages, drawn with matplotlib; LaTeX is not needed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from ..util import atomic_write, one_line
from .cells import BEST, WORST, Cell
from .page_layout import (
    BOTTOM,
    LEADING,
    LEFT,
    RIGHT,
    TOP,
    Page,
    Rule,
    Word,
    draw,
    drawable,
    shortened,
    text_width,
    wrapped,
)
from .pdf_bookmarks import grouped_bookmarks, write_bookmarks
from .table import Table

LARGEST = 8.0
"""Largest font size of a table, in points; smaller if its columns need it."""
ROW_HEIGHT = 1.3
"""Height of a table row, relative to the font size."""
LABEL_WIDTH = 120.0
"""Largest width of the row names, in points."""
NOTE_SIZE, CAPTION_SIZE, TITLE_SIZE, DOCUMENT_TITLE_SIZE = 9.5, 8.5, 11.0, 22.0
GAP, GAP_UNDER_HEAD = 1.6, 0.8
"""Gap between columns, and between columns under one head, relative to the font size."""
STYLE_OF_MARK = {BEST: "bold", WORST: "italic", "": "plain"}
Rows = list[tuple[str, str, list[Cell]]]


def write_pdf(
    path: str | os.PathLike[str], tables: Sequence[Table], title: str, notes: Sequence[str]
) -> int:
    """Write tables to a PDF with a title page, a list of tables, and bookmarks.

    The same tables give the same bytes.

    Args:
        path: the file; it appears only when complete.
        tables: in order of appearance.
        title: on the title page and in the footer of every page.
        notes: paragraphs on the title page.

    Returns:
        The number of pages.

    Raises:
        AudioInterpError: the file cannot be written.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_pdf(pathlib.Path(folder) / "tables.pdf", [], "My tables", ["A note."])
    3
    """
    metadata = {"Title": one_line(title), "CreationDate": None}
    front, back, starts = _laid_out(tables, title, notes)
    titles = [one_line(table.title) for table in tables]
    marks = grouped_bookmarks(titles, [len(front) + start for start in starts])
    with atomic_write(path) as part, PdfPages(part, metadata=metadata) as pdf:
        for figure in _drawn([*front, *back], title):
            pdf.savefig(figure)
        # Matplotlib hands out its file in no other way.
        write_bookmarks(pdf._ensure_file(), marks)
    return len(front) + len(back)


def pages(tables: Sequence[Table], title: str, notes: Sequence[str]) -> Iterator[Figure]:
    """Draw the pages of :func:`write_pdf` as figures, one at a time.

    >>> len(list(pages([], "My tables", [])))
    3
    """
    front, back, _ = _laid_out(tables, title, notes)
    yield from _drawn([*front, *back], title)


def _laid_out(
    tables: Sequence[Table], title: str, notes: Sequence[str]
) -> tuple[list[Page], list[Page], list[int]]:
    """Return the front pages, those of the tables, and on which of these each table begins."""
    table_pages = [Page()]
    starts = [_add_table(table_pages, table) for table in tables]
    return _front_pages(tables, starts, title, notes), table_pages, starts


def _drawn(laid_out: Sequence[Page], title: str) -> Iterator[Figure]:
    for number, page in enumerate(laid_out, 1):
        yield draw(page, drawable(one_line(title)), number, len(laid_out))


def _front_pages(
    tables: Sequence[Table], starts: Sequence[int], title: str, notes: Sequence[str]
) -> list[Page]:
    """Lay out the title page and the list of tables with their page numbers."""
    width = RIGHT - LEFT
    front = [Page(TOP - 60)]
    lines = wrapped(drawable(one_line(title)), width, DOCUMENT_TITLE_SIZE, "bold")
    front[0].write_lines(lines, DOCUMENT_TITLE_SIZE, "bold")
    for note in notes:
        lines = wrapped(drawable(one_line(note)), width * 0.75, NOTE_SIZE)
        _make_room(front, (len(lines) + 0.6) * NOTE_SIZE * LEADING)
        front[-1].y -= NOTE_SIZE * 0.6
        front[-1].write_lines(lines, NOTE_SIZE)
    front.append(Page())
    front[-1].write_lines(["Tables"], TITLE_SIZE, "bold")
    entries = []
    for table, start in zip(tables, starts, strict=True):
        _make_room(front, NOTE_SIZE * LEADING)
        entry = shortened(drawable(one_line(table.title)), width - 60, NOTE_SIZE)
        front[-1].write_lines([entry], NOTE_SIZE)
        entries.append((front[-1], front[-1].y, start))
    # Page numbers come last, since they depend on the number of front pages.
    for page, y, start in entries:
        page.words.append(Word(RIGHT, y, str(len(front) + start), NOTE_SIZE, right=True))
    return front


def _make_room(pages: list[Page], height: float) -> None:
    """Start a new page if the last one has less than ``height`` left."""
    if pages[-1].y - height < BOTTOM and pages[-1].y < TOP:
        pages.append(Page())


@dataclass(frozen=True)
class _Layout:
    """Font size of a table, and the ends of its columns.

    ``lefts`` are the left ends of the headings, ``rights`` the right ends of headings and cells.
    """

    size: float
    lefts: tuple[float, ...]
    rights: tuple[float, ...]

    @property
    def row_height(self) -> float:
        return self.size * ROW_HEIGHT

    @property
    def label_width(self) -> float:
        return LABEL_WIDTH * self.size / LARGEST


def _add_table(pages: list[Page], table: Table) -> int:
    """Lay out a table below what is on the pages; return the number of its first page, from 1."""
    rows = [(drawable(block), drawable(row), cells) for block, row, cells in table.rows()]
    layout = _layout_of(table, rows)
    title = wrapped(drawable(one_line(table.title)), RIGHT - LEFT, TITLE_SIZE, "bold")
    caption = wrapped(drawable(one_line(table.caption)), RIGHT - LEFT, CAPTION_SIZE)
    blocks = [(name, list(lines)) for name, lines in groupby(rows, lambda line: line[0])]
    head_height = _head_height(table, layout)
    text_height = LEADING * (len(title) * TITLE_SIZE + len(caption) * CAPTION_SIZE)
    if pages[-1].y < TOP:
        pages[-1].y -= 14
    _make_room(pages, text_height + head_height + _block_height(blocks[0][1], layout))
    start = len(pages)
    pages[-1].write_lines(title, TITLE_SIZE, "bold")
    pages[-1].write_lines(caption, CAPTION_SIZE)
    _add_head(pages[-1], table, layout)
    page_height = TOP - BOTTOM - head_height - LEADING * TITLE_SIZE
    for name, lines in blocks:
        height = _block_height(lines, layout)
        # A block longer than a page may start with three rows at the foot of one.
        needed = height if height < page_height else 3 * layout.row_height
        if pages[-1].y - needed < BOTTOM:
            _continue_on_new_page(pages, table, layout, title[0])
        _add_block_name(pages[-1], name, layout)
        for _, row, cells in lines:
            if pages[-1].y - layout.row_height < BOTTOM:
                _continue_on_new_page(pages, table, layout, title[0])
                _add_block_name(pages[-1], f"{name} (continued)", layout)
            _add_row(pages[-1], row, cells, layout)
    _add_rule(pages[-1], layout, 0.8, layout.size * 0.4)
    return start


def _block_height(lines: Sequence[object], layout: _Layout) -> float:
    return (len(lines) + 1.3) * layout.row_height + layout.size * 0.4


def _has_subheads(table: Table) -> bool:
    return any(column.sub for column in table.columns)


def _head_height(table: Table, layout: _Layout) -> float:
    return (1 + _has_subheads(table)) * layout.row_height + layout.size * 1.6


def _continue_on_new_page(pages: list[Page], table: Table, layout: _Layout, title: str) -> None:
    """Close the table on the last page, and repeat its title and headings on a new one."""
    _add_rule(pages[-1], layout, 0.4, layout.size * 0.4)
    pages.append(Page())
    title = shortened(f"{title} (continued)", RIGHT - LEFT, TITLE_SIZE, "bold")
    pages[-1].write_lines([title], TITLE_SIZE, "bold")
    _add_head(pages[-1], table, layout)


def _layout_of(table: Table, rows: Rows) -> _Layout:
    """Choose the largest font size, up to ``LARGEST``, at which all columns fit the page."""
    labels = [*(row for _, row, _ in rows), *_index_names(table)]
    widest_label = max(text_width(text, 1) for text in labels)
    label = min(widest_label, LABEL_WIDTH / LARGEST)
    heads = [column.head for column in table.columns]
    gaps, widths = [], []
    for number, column in enumerate(table.columns):
        same_head = number > 0 and heads[number - 1] == column.head
        gaps.append(GAP_UNDER_HEAD if same_head else GAP)
        texts = {(cells[number].text, STYLE_OF_MARK[cells[number].mark]) for _, _, cells in rows}
        texts.add((column.sub, "plain"))
        # A head over several columns takes its room from all of them.
        if heads.count(column.head) == 1:
            texts.add((column.head, "plain"))
        widest = max(text_width(drawable(text), 1, style) for text, style in texts)
        widths.append(widest + gaps[-1])
    size = min(LARGEST, (RIGHT - LEFT) / (label + sum(widths)))
    rights = [LEFT + size * (label + sum(widths[: number + 1])) for number in range(len(widths))]
    columns = zip(rights, widths, gaps, strict=True)
    lefts = [right - size * (width - gap) for right, width, gap in columns]
    return _Layout(size, tuple(lefts), tuple(rights))


def _index_names(table: Table) -> list[str]:
    return [drawable(str(name or "")) for name in table.frame.index.names]


def _add_head(page: Page, table: Table, layout: _Layout) -> None:
    """Add the headings between two rules; one over several columns is underlined."""
    size = layout.size
    _add_rule(page, layout, 0.8, size * 0.5)
    top_line = page.y - layout.row_height
    page.y -= layout.row_height * (1 + _has_subheads(table))
    page.write(LEFT, _index_names(table)[1], size)
    first = 0
    for head, columns in groupby(table.columns, lambda column: column.head):
        last = first + len(list(columns)) - 1
        right = layout.rights[last]
        page.words.append(Word(right, top_line, head, size, right=True))
        if last > first:
            page.rules.append(Rule(layout.lefts[first], right, top_line - size * 0.3, 0.4))
        first = last + 1
    for right, column in zip(layout.rights, table.columns, strict=True):
        if column.sub:
            page.write(right, column.sub, size, right=True)
    _add_rule(page, layout, 0.5, size * 0.4)


def _add_block_name(page: Page, name: str, layout: _Layout) -> None:
    page.y -= layout.row_height * 1.3
    name = shortened(name, layout.rights[-1] - LEFT, layout.size, "bold")
    page.write(LEFT, name, layout.size, "bold")


def _add_row(page: Page, row: str, cells: Sequence[Cell], layout: _Layout) -> None:
    page.y -= layout.row_height
    page.write(LEFT, shortened(row, layout.label_width, layout.size), layout.size)
    for right, cell in zip(layout.rights, cells, strict=True):
        style = STYLE_OF_MARK[cell.mark]
        page.write(right, drawable(cell.text), layout.size, style, right=True)


def _add_rule(page: Page, layout: _Layout, thickness: float, space: float) -> None:
    page.y -= space
    page.rules.append(Rule(LEFT, layout.rights[-1], page.y, thickness))
