"""Tables in every format: the record that all of them take, and the files that they write."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ArgumentError, choose
from ..files import make_folder, write_text
from .latex import as_latex, document
from .pdf import pages, write_pdf
from .record import Cell, Column, Table, table_of
from .text import as_csv, as_markdown, as_plain_text, contents

FORMATS = ("csv", "latex", "markdown", "text", "pdf")

__all__ = [
    "FORMATS", "Cell", "Column", "Table", "as_csv", "as_latex", "as_markdown", "as_plain_text", "pages", "table_of",
    "write_pdf", "write_tables",
]  # fmt: skip


def write_tables(
    tables: Sequence[Table],
    folder: str | os.PathLike[str],
    formats: Sequence[str],
    title: str,
    notes: Sequence[str] = (),
) -> list[Path]:
    """Write tables to a folder, which is made if it is missing; each file is whole or not there.

    Files of other tables that are in it stay; ``csv/contents.csv`` and ``latex/tables.tex`` name the ones of this call.

    - ``csv``: ``csv/NAME.csv`` with all numbers, and ``csv/contents.csv`` with names, titles and captions;
    - ``latex``: ``latex/NAME.tex`` to be input, and ``latex/tables.tex``, a document of them all;
    - ``markdown``, ``text``, ``pdf``: ``tables.md``, ``tables.txt``, ``tables.pdf`` with them all.

    Args:
        tables: at least one, of different names.
        folder: where.
        formats: names in ``FORMATS``.
        title: of what is in one file.
        notes: paragraphs before the first table.

    Returns:
        What was written: the folder of csv and of latex, the file of the others.

    Raises:
        ArgumentError: there is no table, two have one name, or a format is unknown.
        AudioInterpError: something cannot be written.
    """
    names = [table.name for table in tables]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"tables: give one or more of different names, not {names}")
    for name in formats:
        choose("format", name, FORMATS)
    folder = make_folder(folder)
    written = []
    for name in formats:
        if name == "csv":
            own = make_folder(folder / "csv")
            for table in tables:
                write_text(own / f"{table.name}.csv", as_csv(table))
            write_text(own / "contents.csv", contents(tables))
        elif name == "latex":
            own = make_folder(folder / "latex")
            for table in tables:
                write_text(own / f"{table.name}.tex", as_latex(table))
            write_text(own / "tables.tex", document(title, notes, names))
        elif name == "pdf":
            own = folder / "tables.pdf"
            write_pdf(own, tables, title, notes)
        else:
            show, own = (
                (as_markdown, folder / "tables.md") if name == "markdown" else (as_plain_text, folder / "tables.txt")
            )
            head = f"# {title}" if name == "markdown" else title
            write_text(own, "\n\n".join([head, *notes, *map(show, tables)]))
        written.append(own)
    return written
