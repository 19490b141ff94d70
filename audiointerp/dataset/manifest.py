"""Manifests: tables of any number of clips that are read in parts, never as a whole.

A manifest is a CSV (or TSV) or a Parquet file, by path or URL, with the columns of a table of clips
(:mod:`~audiointerp.dataset.label_table`): a file name and a label in each row; ``recording`` and
``id`` (the clip's name in results, by default its file name) are optional. A file name is a path
below the manifest's folder, or a URL. It is opened by one pass through all rows, which checks
labels and names; of these it keeps 8 bytes per row while it runs, and little afterwards.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DatasetError
from ..util import encodable, open_binary
from .clip_table import Table
from .label_table import SEVERAL, labels_in_cell, names_of_columns
from .manifest_files import CsvFile, ManifestFile, ParquetFile

CHUNK = 1024
"""The rows that are read at a time."""
_BLOCK = 2**20


@dataclass(frozen=True)
class ManifestRow:
    """One clip of a manifest.

    Attributes:
        file: its file name, as it stands there.
        labels: its labels: one, or any number in a column ``labels``.
        recording: what it was cut from; empty if the manifest does not say.
        name: its name in results.

    >>> ManifestRow("dogs/a.wav", ("dog",), "", "dogs/a.wav").name
    'dogs/a.wav'
    """

    file: str
    labels: tuple[str, ...]
    recording: str
    name: str


@dataclass(frozen=True)
class Manifest:
    """A manifest that was opened and checked.

    Attributes:
        place: its path or URL.
        file: how its rows are read.
        columns: the names of the columns in it, by ``filename``, ``label``, ``recording`` and
            ``id``.
        rows: the number of clips.
        labels: the labels that occur, sorted.
        sha256: the hash of its bytes.
        names_sha256: the hash of the clips' names, in order.

    Example: :func:`open_manifest` opens one.
    """

    place: str
    file: ManifestFile
    columns: dict[str, str]
    rows: int
    labels: tuple[str, ...]
    sha256: str
    names_sha256: str

    @property
    def has_several(self) -> bool:
        """Whether a clip may have several labels."""
        return self.columns["label"] == SEVERAL

    def chunk(self, number: int) -> list[ManifestRow]:
        """Read the rows from ``number * CHUNK`` on, at most ``CHUNK`` of them.

        Raises:
            DatasetError: the manifest is no longer the one that was opened.
        """
        start = number * CHUNK
        stop = min(start + CHUNK, self.rows)
        cells = self.file.read(number, _used(self.columns))
        if len(cells) != stop - start:
            raise DatasetError(f"{self.place}: was changed while it was read; run it again")
        return [_row(self.place, self.columns, row, start + at) for at, row in enumerate(cells, 1)]


def open_manifest(place: str | Path, labels: Sequence[str] | None = None) -> Manifest:
    r"""Open a manifest, and check every row of it.

    Args:
        place: its path or URL; the ending ``.parquet`` says that it is a Parquet file.
        labels: the labels that may occur; any if None.

    Raises:
        DatasetError: it cannot be read, lacks a column, a row lacks a value or has an unknown
            label, or two clips have one name.
        AudioInterpError: the place cannot be opened, or Parquet cannot be read here.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.csv")
    ...     _ = path.write_text("path,label\na.wav,dog\nb.wav,cat\n")
    ...     manifest = open_manifest(path)
    ...     manifest.rows, manifest.labels, manifest.chunk(0)[1].name
    (2, ('cat', 'dog'), 'b.wav')
    """
    text = str(place)
    kind = ParquetFile if text.lower().endswith(".parquet") else CsvFile
    file = kind.open(text, CHUNK)
    columns = _columns(text, file.header)
    scanned = _scan(text, file, columns, labels)
    _check_names(text, file, columns, scanned.name_hashes)
    found_labels = tuple(sorted(scanned.labels))
    return Manifest(
        text, file, columns, scanned.rows, found_labels, _sha256(text), scanned.names.hexdigest()
    )


class _Scanned:
    """What a pass through all rows has gathered."""

    def __init__(self) -> None:
        self.rows = 0
        self.labels: set[str] = set()
        self.names = hashlib.sha256()
        self.name_hashes = array("Q")

    def add(self, row: ManifestRow) -> None:
        name = encodable(row.name).encode()
        self.names.update(b"\n" + name if self.rows else name)
        self.name_hashes.append(_short_hash(name))
        self.labels.update(row.labels)
        self.rows += 1


def _scan(
    place: str, file: ManifestFile, columns: dict[str, str], labels: Sequence[str] | None
) -> _Scanned:
    """Check each row, and gather what its chunks do not say."""
    known = None if labels is None else set(labels)
    scanned = _Scanned()
    for number, cells in enumerate(file.stream(_used(columns)), 1):
        row = _row(place, columns, cells, number)
        unknown = [] if known is None else [label for label in row.labels if label not in known]
        if unknown:
            raise DatasetError(
                f"{place}, row {number}: unknown label {unknown[0]!r:.80}; choose among: "
                f"{', '.join(labels or ()):.200}"
            )
        scanned.add(row)
    if not scanned.rows:
        raise DatasetError(f"{place}: the manifest holds no clips")
    return scanned


def _columns(place: str, header: tuple[str, ...]) -> dict[str, str]:
    columns = names_of_columns(Table(place, header, ",", ()), {})
    columns.pop("fold", None)
    if "id" in header:
        columns["id"] = "id"
    return columns


def _row(
    place: str, columns: dict[str, str], cells: Sequence[str | None], number: int
) -> ManifestRow:
    """Check the cells of a row, in the order of the columns that are used."""
    by_column = dict(zip(_used(columns), cells, strict=True))
    values = {name: by_column[column] or "" for name, column in columns.items()}
    label = values["label"]
    labels = labels_in_cell(label) if columns["label"] == SEVERAL else [label]
    if not (values["filename"] and all(labels)):
        empty = columns["label" if values["filename"] else "filename"]
        raise DatasetError(f"{place}, row {number}: no value for {empty}, or an empty one")
    name = values.get("id") or values["filename"]
    return ManifestRow(values["filename"], tuple(labels), values.get("recording", "").strip(), name)


def _used(columns: dict[str, str]) -> list[str]:
    return list(dict.fromkeys(columns.values()))


def _short_hash(name: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def _check_names(
    place: str, file: ManifestFile, columns: dict[str, str], hashes: "array[int]"
) -> None:
    """Refuse two clips of one name; where two hashes are equal, the names are compared."""
    values, counts = np.unique(np.frombuffer(hashes, dtype=np.uint64), return_counts=True)
    doubtful = set(values[counts > 1].tolist())
    if not doubtful:
        return
    used = _used(columns)
    first: dict[str, int] = {}
    for number, cells in enumerate(file.stream(used), 1):
        if int(hashes[number - 1]) not in doubtful:
            continue
        name = _row(place, columns, cells, number).name
        earlier = first.setdefault(name, number)
        if earlier != number:
            raise DatasetError(
                f"{place}, rows {earlier} and {number}: two clips are named {name!r:.80}; delete "
                "one, or give each its own name in a column id"
            )


def _sha256(place: str) -> str:
    digest = hashlib.sha256()
    with open_binary(place) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
