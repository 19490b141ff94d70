"""The rows of a CSV or Parquet file in parts: streamed once, then read from any part on."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO, Protocol

from ..errors import DatasetError
from ..util import open_binary
from .clip_table import separator_of

LONGEST_LINE = 2**20
"""Bytes of a line."""
BATCH = 65536
"""Rows of a Parquet file that are decoded at a time."""

Cells = Sequence[str | None]


class ManifestFile(Protocol):
    """A table whose rows can be streamed, and read in chunks of a number of rows.

    Example: :class:`CsvFile`, :class:`ParquetFile`.
    """

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""

    def stream(self, columns: Sequence[str]) -> Iterator[Cells]:
        """Give the cells of all rows, in the order of ``columns``."""

    def read(self, chunk: int, columns: Sequence[str]) -> list[Cells]:
        """Give the rows of one chunk, after a stream of all rows."""


@dataclass(frozen=True)
class CsvFile:
    r"""A CSV file; of its rows, the places at which chunks begin are kept.

    Attributes:
        place: its path or URL.
        header: the names of its columns.
        separator: between its cells.
        size: the rows of a chunk.
        starts: the byte at which each chunk begins; empty before the first stream.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.csv")
    ...     _ = path.write_text('name,label\na,"x\ny"\nb,y\nc,z\n')
    ...     file = CsvFile.open(str(path), 2)
    ...     rows = list(file.stream(["label"]))
    ...     file.read(1, ["label", "name"])
    [['z', 'c']]
    """

    place: str
    header: tuple[str, ...]
    separator: str
    size: int
    starts: list[int] = field(default_factory=list)

    @staticmethod
    def open(place: str, size: int) -> "CsvFile":
        """Read the header of a file.

        Raises:
            DatasetError: it is not a table.
        """
        with open_binary(place) as file:
            text = _decoded(place, file.readline(LONGEST_LINE), 1).removeprefix("\ufeff")
        separator = separator_of(text)
        try:
            header = tuple(next(csv.reader([text], delimiter=separator, strict=True), ()))
        except csv.Error as error:
            raise DatasetError(f"{place}: not a CSV table ({error})") from error
        if len(set(header)) < len(header):
            raise DatasetError(f"{place}: the table has duplicate column names")
        return CsvFile(place, header, separator, size)

    def stream(self, columns: Sequence[str]) -> Iterator[Cells]:
        """Give the cells of all rows; the places of the chunks are noted on the way."""
        self.starts.clear()
        with open_binary(self.place) as file:
            header = file.readline(LONGEST_LINE)
            for number, (start, cells) in enumerate(self._rows(file, len(header), columns)):
                if number % self.size == 0:
                    self.starts.append(start)
                yield cells

    def read(self, chunk: int, columns: Sequence[str]) -> list[Cells]:
        """Give the rows of one chunk."""
        start = self.starts[chunk]
        with open_binary(self.place) as file:
            file.seek(start)
            rows = self._rows(file, start, columns)
            return [cells for _, cells in islice(rows, self.size)]

    def _rows(
        self, file: BinaryIO, start: int, columns: Sequence[str]
    ) -> Iterator[tuple[int, Cells]]:
        """Give the byte at which each row begins, and its cells."""
        lines = _Lines(self.place, file, start)
        reader = csv.reader(lines, delimiter=self.separator, strict=True)
        numbers = [self.header.index(column) for column in columns]
        begins = lines.end
        try:
            for cells in reader:
                if cells:
                    if len(cells) != len(self.header):
                        raise DatasetError(
                            f"{self.place}, byte {begins}: {len(cells)} cells, but the header has "
                            f"{len(self.header)}; quote values with {self.separator!r} in them"
                        )
                    yield begins, [cells[number] for number in numbers]
                begins = lines.end
        except csv.Error as error:
            raise DatasetError(f"{self.place}, byte {begins}: not a CSV row ({error})") from error


class _Lines:
    """The lines of a file as text, and the byte at which the last one ends.

    The csv module reads a line only when it needs one, so a row begins where the last line ended.
    """

    def __init__(self, place: str, file: BinaryIO, start: int) -> None:
        self.end = start
        self._place, self._file = place, file

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        text = _decoded(self._place, line, self.end)
        self.end += len(line)
        return text


def _decoded(place: str, line: bytes, byte: int) -> str:
    if len(line) == LONGEST_LINE:
        raise DatasetError(f"{place}, byte {byte}: a line of more than {LONGEST_LINE} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{place}, byte {byte}: not UTF-8 ({error.reason})") from error


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, of which the number of rows of each row group is kept.

    Attributes:
        place: its path or URL.
        header: the names of its columns.
        size: the rows of a chunk.
        groups: the number of rows of each row group.

    Example: ``ParquetFile.open("s3://clips/manifest.parquet", 1024)``.
    """

    place: str
    header: tuple[str, ...]
    size: int
    groups: tuple[int, ...]

    @staticmethod
    def open(place: str, size: int) -> "ParquetFile":
        """Read the description of a file.

        Raises:
            DatasetError: it is not a Parquet file.
            AudioInterpError: pyarrow is missing.
        """
        with open_binary(place) as file:
            parquet = _parquet(place, file)
            metadata = parquet.metadata
            groups = (metadata.row_group(at).num_rows for at in range(metadata.num_row_groups))
            return ParquetFile(place, tuple(parquet.schema_arrow.names), size, tuple(groups))

    def stream(self, columns: Sequence[str]) -> Iterator[Cells]:
        """Give the cells of all rows, as text."""
        with open_binary(self.place) as file:
            for batch in _parquet(self.place, file).iter_batches(BATCH, columns=list(columns)):
                yield from _cells(self.place, batch, columns)

    def read(self, chunk: int, columns: Sequence[str]) -> list[Cells]:
        """Give the rows of one chunk."""
        start = chunk * self.size
        stop = start + self.size
        rows: list[Cells] = []
        begins = 0
        with open_binary(self.place) as file:
            parquet = _parquet(self.place, file)
            for number, count in enumerate(self.groups):
                if begins < stop and begins + count > start:
                    group = parquet.read_row_group(number, columns=list(columns))
                    first = max(start - begins, 0)
                    part = group.slice(first, min(stop - begins, count) - first)
                    rows += _cells(self.place, part, columns)
                begins += count
        return rows


def _parquet(place: str, file: BinaryIO) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DatasetError(
            f"{place}: Parquet needs pyarrow ({error}): pip install 'audiointerp[scale]'"
        ) from error
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{place}: not a Parquet file ({error})") from error


def _cells(place: str, table: Any, columns: Sequence[str]) -> Iterator[Cells]:
    by_column = [table.column(name).to_pylist() for name in columns]
    for name, values in zip(columns, by_column, strict=True):
        nested = next((value for value in values if isinstance(value, list | dict)), None)
        if nested is not None:
            raise DatasetError(
                f"{place}: a cell of column {name!r} holds a {type(nested).__name__}; write one "
                "text, several labels as 'siren; rain'"
            )
    for cells in zip(*by_column, strict=True):
        yield [None if cell is None else str(cell) for cell in cells]
