"""Reading and validating tables of clips, separated by commas, semicolons or tabs.

Every row must be complete, every file name must stay inside its folder, and no file may be listed
twice.
"""

import csv
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import DatasetError

LARGEST_TABLE = 2**26
"""The largest table in bytes; ESC-50's has 0.1e6."""
SEPARATORS = (",", ";", "\t")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Row:
    """One row of a table of clips.

    Attributes:
        cells: the values by column.
        table: the file.
        line: the line of the file on which the row ends, counted from 1.

    >>> row = Row({"filename": "a.wav", "fold": "2"}, Path("clips.csv"), 2)
    >>> row["filename"], row.number("fold")
    ('a.wav', 2)
    """

    cells: dict[str, str]
    table: Path
    line: int

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def error(self, text: str) -> DatasetError:
        """An error that names the table and the line."""
        return DatasetError(f"{self.table}, line {self.line}: {text}")

    def number(
        self, column: str, default: str = "1", least: int = 0, most: int = 999_999_999
    ) -> int:
        """The integer in a column; ``default`` if the column or its value is missing.

        Raises:
            DatasetError: the value is not an integer, or is outside ``least`` to ``most``.
        """
        text = (self.cells.get(column) or default).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            limits = f"from {least} to {most}" if most < 999_999_999 else f"of at least {least}"
            raise self.error(
                f"{column} is {text!r:.80} for {self['filename']!r:.80}, not an integer {limits}"
            )
        return int(text)


@dataclass(frozen=True)
class Table:
    """The cells of a table, as text.

    Attributes:
        path: the file, or its URL.
        header: the names of the columns.
        separator: between the cells: a comma, a semicolon or a tab.
        lines: the cells of each row, and the line of the file on which it ends.

    >>> Table(Path("clips.csv"), ("filename", "label"), ";", ((("a.wav", "dog"), 2),)).described
    "its columns are: filename, label (separated by ';')"
    """

    path: Path | str
    header: tuple[str, ...]
    separator: str
    lines: tuple[tuple[tuple[str, ...], int], ...]

    @property
    def described(self) -> str:
        """The columns and the separator, for messages."""
        columns = ", ".join(self.header) or "none"
        return f"its columns are: {columns:.400} (separated by {self.separator!r})"

    def rows(self, columns: Sequence[str]) -> list[Row]:
        """The rows, of which each must have as many cells as the header.

        Args:
            columns: those that must have a value in every row.

        Raises:
            DatasetError: a column is missing or duplicate, there are no rows, or a row has a wrong
                number of cells or lacks a required value.
        """
        missing = [column for column in columns if column not in self.header]
        if missing:
            raise DatasetError(
                f"{self.path}: the table has no column {', '.join(missing)}; {self.described}"
            )
        if len(set(self.header)) < len(self.header):
            raise DatasetError(f"{self.path}: the table has duplicate column names")
        if not self.lines:
            raise DatasetError(f"{self.path}: the table holds no clips")
        return [self._checked_row(cells, line, columns) for cells, line in self.lines]

    def _checked_row(self, cells: Sequence[str], line: int, columns: Sequence[str]) -> Row:
        row = Row(dict(zip(self.header, cells, strict=False)), Path(self.path), line)
        if len(cells) != len(self.header):
            raise row.error(
                f"{len(cells)} cells, but the header has {len(self.header)}; quote values with "
                f"{self.separator!r} in them"
            )
        empty = [column for column in columns if not row[column]]
        if empty:
            raise row.error(f"no value for {', '.join(empty)}")
        return row


def open_table(path: Path) -> Table:
    r"""Read a table whose cells are separated by commas, semicolons or tabs.

    The separator is the one that gives the header the most cells.

    Raises:
        DatasetError: the file is missing, too large, or not such a table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.tsv")
    ...     _ = path.write_text("filename\tlabel\na.wav\tdog\n")
    ...     open_table(path).header
    ('filename', 'label')
    """
    if not path.is_file():
        raise DatasetError(f"{path}: the table of clips is missing")
    size = path.stat().st_size
    if size > LARGEST_TABLE:
        raise DatasetError(f"{path}: the table has {size} bytes, the limit is {LARGEST_TABLE}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
        separator = separator_of(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = tuple(next(reader, ()))
        lines = tuple((tuple(cells), reader.line_num) for cells in reader if cells)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DatasetError(f"{path}: not a CSV table ({error})") from error
    return Table(path, header, separator, lines)


def separator_of(text: str) -> str:
    """Return the separator that gives the first row the most cells.

    >>> separator_of("filename;label;recording, if known")
    ';'
    """
    return max(SEPARATORS, key=lambda separator: len(_header(text, separator)))


def _header(text: str, separator: str) -> list[str]:
    """The first row by this separator; a single cell if it is not one."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error:
        return [""]


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    r"""Read the rows of a table, whose ``columns`` must have a value in every row.

    Raises:
        DatasetError: as for :func:`open_table` and :meth:`Table.rows`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.csv")
    ...     _ = path.write_text("filename,label\na.wav,dog\n")
    ...     read_table(path, ["filename", "label"])[0].cells
    {'filename': 'a.wav', 'label': 'dog'}
    """
    return open_table(path).rows(columns)


def check_unique_files(rows: Sequence[Row]) -> None:
    """Check that no file is listed twice.

    Raises:
        DatasetError: a file is; the error names both lines.

    >>> row = Row({"filename": "a.wav"}, Path("clips.csv"), 2)
    >>> check_unique_files([row, Row({"filename": "b.wav"}, row.table, 3)])
    """
    lines: dict[PurePosixPath, int] = {}
    for row in rows:
        first = lines.setdefault(PurePosixPath(row["filename"]), row.line)
        if first != row.line:
            raise DatasetError(
                f"{row.table}, lines {first} and {row.line}: duplicate entry "
                f"{row['filename']!r:.80}; delete one"
            )


def file_of_row(folder: Path, row: Row, *, bare: bool) -> Path:
    """The path of a row's file, in ``folder`` itself (``bare``) or anywhere below it.

    A bare name may be a link, since the owner of the folder created it.

    Raises:
        DatasetError: the name is not a relative path with forward slashes, names a subfolder
            although it must be bare, or leads out of the folder, even through a link.

    >>> row = Row({"filename": "dog/a.wav"}, Path("clips.csv"), 2)
    >>> file_of_row(Path("data"), row, bare=False).as_posix()
    'data/dog/a.wav'
    """
    name = row["filename"]
    parts = name.split("/")
    is_forbidden = CONTROL.search(name) or DRIVE.match(name) or "\\" in name or ".." in parts
    if is_forbidden or parts[0] == "" or parts[-1] in ("", "."):
        raise row.error(
            f"{name!r:.80} is not a file name below {folder}, with forward slashes only"
        )
    if bare:
        if len(parts) > 1:
            raise row.error(f"{name!r:.80} has a folder; the files must be in {folder} itself")
        return folder / name
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(folder / name)]) != root:
        raise row.error(f"{name!r:.80} leads out of {folder} through a link")
    return folder / name
