"""Writes tables to files, in every format."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ArgumentError, choose
from ..util import make_folder, write_text
from .latex import as_latex, document
from .table import Table, as_csv, as_markdown, contents, table_as_text

FORMATS = ("csv", "latex", "markdown", "text", "pdf")


def write_tables(
    tables: Sequence[Table],
    folder: str | os.PathLike[str],
    formats: Sequence[str],
    title: str,
    notes: Sequence[str] = (),
) -> list[Path]:
    r"""Write tables to a folder; each file appears only when complete.

    - ``csv``: ``csv/NAME.csv`` with unrounded numbers, and ``csv/contents.csv`` with the names,
      titles and captions;
    - ``latex``: ``latex/NAME.tex`` for ``\input``, and ``latex/tables.tex``, a document of all;
    - ``markdown``, ``text``, ``pdf``: all tables in ``tables.md``, ``tables.txt``, ``tables.pdf``.

    Files of earlier tables with other names are kept; ``csv/contents.csv`` and
    ``latex/tables.tex`` list only the tables of this call.

    Args:
        tables: one or more, with different names.
        folder: created if it does not exist.
        formats: names in ``FORMATS``.
        title: title of the files that hold all tables.
        notes: paragraphs before the first table.

    Returns:
        The paths written: the folder for csv and latex, the file for the other formats.

    Raises:
        ArgumentError: there is no table, two have the same name, or a format is unknown.
        AudioInterpError: a file cannot be written.

    >>> import tempfile
    >>> import pandas as pd
    >>> from .cells import Column
    >>> from .table import table_of
    >>> index = pd.MultiIndex.from_product([["lime"], ["bin"]])
    >>> table = table_of("x", "X", "", [(Column("FF"), pd.DataFrame({"mean": [0.5]}, index))])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_tables([table], folder, ["csv", "text"], "My tables")]
    ['csv', 'tables.txt']
    """
    names = [table.name for table in tables]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"tables: give one or more tables with different names, not {names}")
    for name in formats:
        choose("format", name, FORMATS)
    folder = make_folder(folder)
    return [_write_format(name, tables, folder, title, notes) for name in formats]


def _write_format(
    name: str, tables: Sequence[Table], folder: Path, title: str, notes: Sequence[str]
) -> Path:
    """Write the tables in one format; return the folder or the file."""
    if name == "csv":
        files = _write_each(tables, folder / "csv", "csv", as_csv)
        write_text(files / "contents.csv", contents(tables))
        return files
    if name == "latex":
        files = _write_each(tables, folder / "latex", "tex", as_latex)
        names = [table.name for table in tables]
        write_text(files / "tables.tex", document(title, notes, names))
        return files
    if name == "pdf":
        # matplotlib takes half a second, and most commands write no PDF.
        from .pdf import write_pdf

        write_pdf(folder / "tables.pdf", tables, title, notes)
        return folder / "tables.pdf"
    if name == "markdown":
        path, heading, texts = folder / "tables.md", f"# {title}", map(as_markdown, tables)
    else:
        path, heading, texts = folder / "tables.txt", title, map(table_as_text, tables)
    write_text(path, "\n\n".join([heading, *notes, *texts]))
    return path


def _write_each(
    tables: Sequence[Table], folder: Path, extension: str, form: Callable[[Table], str]
) -> Path:
    """Write one file per table to a folder."""
    make_folder(folder)
    for table in tables:
        write_text(folder / f"{table.name}.{extension}", form(table))
    return folder
