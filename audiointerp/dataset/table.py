"""The gate for tables of clips: every row is whole, every name stays inside its folder, no file stands twice."""

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import DatasetError

LARGEST_TABLE = 2**26  # bytes; the table of ESC-50 has 0.1e6
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class Row:
    """A row of a table of clips.

    Attributes:
        cells: its values by column.
        table: the file.
        line: where in the file it ends, counted from 1.
    """

    cells: dict[str, str]
    table: Path
    line: int

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def fault(self, text: str) -> DatasetError:
        """An error that says where this row is."""
        return DatasetError(f"{self.table}, line {self.line}: {text}")

    def number(self, column: str, default: str = "1", least: int = 0, most: int = 999_999_999) -> int:
        """The whole number in a column; ``default`` where there is no such column or no value.

        Raises:
            DatasetError: it is no whole number, or lies outside ``least`` to ``most``.
        """
        text = (self.cells.get(column) or default).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            limits = f"from {least} to {most}" if most < 999_999_999 else f"of at least {least}"
            raise self.fault(f"{column} is {text!r:.80} for {self['filename']!r:.80}, not a whole number {limits}")
        return int(text)


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file that has at least these columns, none of them empty in any row.

    Raises:
        DatasetError: it is missing, too large, not a table, empty, lacks a column or has one twice, or a row has more or
            fewer cells than the head or an empty one.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: the table of clips is missing")
    if path.stat().st_size > LARGEST_TABLE:
        raise DatasetError(f"{path}: the table has {path.stat().st_size} bytes, the limit is {LARGEST_TABLE}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            head = next(reader, [])
            rows = [(cells, reader.line_num) for cells in reader if cells]
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise DatasetError(f"{path}: not a CSV table ({error})") from error
    missing = [column for column in columns if column not in head]
    if missing:
        raise DatasetError(f"{path}: the table has no column {', '.join(missing)}")
    if len(set(head)) < len(head):
        raise DatasetError(f"{path}: the table has two columns of one name")
    if not rows:
        raise DatasetError(f"{path}: the table holds no clips")
    return [_row(path, head, cells, line, columns) for cells, line in rows]


def _row(path: Path, head: Sequence[str], cells: Sequence[str], line: int, columns: Sequence[str]) -> Row:
    row = Row(dict(zip(head, cells, strict=False)), path, line)
    if len(cells) != len(head):
        raise row.fault(f"{len(cells)} cells under a head of {len(head)}; quote a value that holds a comma")
    if any(not row[column] for column in columns):
        raise row.fault(f"a value of {', '.join(columns)} is missing")
    return row


def no_file_twice(rows: Sequence[Row]) -> None:
    """Raise a DatasetError that names both lines where a file stands twice in a table."""
    lines: dict[PurePosixPath, int] = {}
    for row in rows:
        first = lines.setdefault(PurePosixPath(row["filename"]), row.line)
        if first != row.line:
            raise DatasetError(f"{row.table}, lines {first} and {row.line}: {row['filename']!r:.80} stands twice")


def file_in(folder: Path, row: Row, *, bare: bool) -> Path:
    """The file that a row names, in ``folder`` itself (``bare``) or anywhere below it.

    Raises:
        DatasetError: the name is not a relative path with ``/`` alone, has a folder where it must be bare, or leads out of the
            folder, perhaps through a link (a bare name may be a link: whoever keeps the folder put it there).
    """
    name = row["filename"]
    parts = name.split("/")
    if (
        CONTROL.search(name)
        or "\\" in name
        or DRIVE.match(name)
        or ".." in parts
        or parts[0] == ""
        or parts[-1] in ("", ".")
    ):
        raise row.fault(f"{name!r:.80} is not the name of a file below {folder}, written with / alone")
    if bare:
        if len(parts) > 1:
            raise row.fault(f"{name!r:.80} names a folder; the files are in {folder} itself")
        return folder / name
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(folder / name)]) != root:
        raise row.fault(f"{name!r:.80} leads out of {folder} through a link")
    return folder / name
