"""Labels of sound files from a table: the names of its columns, its files and their labels.

=================  ===============================================================================
column             its names, the first of which is taken
=================  ===============================================================================
``filename``       ``filename``, ``slice_file_name``, ``fname``, ``file_name``, ``file``, ``path``
``label``          ``label``, ``labels``, ``class``, ``category``; a cell of ``labels`` may hold
                   several, separated by commas, semicolons or bars
``fold``           ``fold``
``recording``      ``recording``; ``fsID`` beside ``slice_file_name`` (UrbanSound8K), ``src_file``
                   beside ``category`` (ESC-50)
number of a label  ``classID`` beside ``class``, ``target`` beside ``category``
=================  ===============================================================================

Names without an ending are those of files with the ending of a sound (FSD50K). The files are in the
folder of the table or below it, or, as in the data sets above, in ``audio`` or the like beside it,
perhaps in a folder per fold. The first row's file decides for all.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import DatasetError
from .clip_table import Row, Table, file_of_row, open_table
from .folders import AUDIO_ENDINGS

NAMES = {
    "filename": ("filename", "slice_file_name", "fname", "file_name", "file", "path"),
    "label": ("label", "labels", "class", "category"),
}
RECORDINGS = {"slice_file_name": "fsID", "category": "src_file"}
NUMBERS = {"class": "classID", "category": "target"}
SEVERAL = "labels"
"""The column whose cells may hold several labels."""
_BETWEEN_LABELS = re.compile(r"[,;|]")


@dataclass(frozen=True)
class LabelledFile:
    """A file of a table, with all of its labels.

    >>> LabelledFile(Path("audio/a.wav"), "a.wav", ("dog", "cat"), 1, "").name
    'a.wav'
    """

    path: Path
    name: str
    labels: tuple[str, ...]
    fold: int
    recording: str


@dataclass(frozen=True)
class LabelTable:
    """The files of a table.

    Attributes:
        clips: the files, in the order of the table.
        labels: the class names: by their numbers if the table has these, else sorted.
        has_several: whether a file has several labels.

    >>> LabelTable((), ("cat", "dog"), has_several=False).labels
    ('cat', 'dog')
    """

    clips: tuple[LabelledFile, ...]
    labels: tuple[str, ...]
    has_several: bool


def read_labels(
    path: Path,
    *,
    audio: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> LabelTable:
    r"""Read a table of sound files and their labels.

    Args:
        path: the table.
        audio: the folder of the sound files; by default the table's, or one beside it.
        columns: the names of the columns in this table, by ``filename``, ``label``, ``fold`` and
            ``recording``.

    Raises:
        DatasetError: the table or a column is missing, a row is incomplete, a file is listed twice
            with one label or is outside the folder, or a label has two numbers.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "dev.csv")
    ...     _ = path.write_text("fname;labels\n64760;Bark,Dog\n16399;Rain\n")
    ...     table = read_labels(path)
    >>> table.labels, table.has_several, table.clips[0].labels
    (('Bark', 'Dog', 'Rain'), True, ('Bark', 'Dog'))
    """
    table = open_table(path)
    names = names_of_columns(table, columns or {})
    rows = [_renamed(row, names) for row in table.rows([names["filename"], names["label"]])]
    folder = _Folder.of(path, rows[0], None if audio is None else Path(audio))
    by_file: dict[PurePosixPath, list[Row]] = {}
    for row in rows:
        by_file.setdefault(PurePosixPath(row["filename"]), []).append(row)
    splits = names["label"] == SEVERAL
    clips = tuple(_labelled_file(folder, rows, splits, table) for rows in by_file.values())
    number_column = NUMBERS.get(names["label"])
    if number_column is not None and number_column in table.header:
        labels = list(category_names(path, rows, number_column, "label").values())
    else:
        labels = sorted({label for clip in clips for label in clip.labels})
    return LabelTable(clips, tuple(labels), any(len(clip.labels) > 1 for clip in clips))


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    """The row with its cells under the names that this module uses as well."""
    return replace(row, cells=row.cells | {name: row[column] for name, column in names.items()})


def names_of_columns(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """The name in a table of each column that it has, by ``filename``, ``label`` and so on.

    Raises:
        DatasetError: the table has no column of file names or of labels, or not a given one.

    >>> names_of_columns(Table("clips.csv", ("path", "class"), ",", ()), {})
    {'filename': 'path', 'label': 'class'}
    """
    unknown = [name for name in given if name not in (*NAMES, "fold", "recording")]
    missing = [column for column in given.values() if column not in table.header]
    if unknown or missing:
        raise DatasetError(
            f"{table.path}: columns={dict(given)!r:.200} does not fit: give names of this table "
            f"for filename, label, fold and recording; {table.described}"
        )
    names = dict(given)
    for name, candidates in NAMES.items():
        present = [column for column in candidates if column in table.header]
        if name not in names and not present:
            raise DatasetError(
                f"{table.path}: the table has no column {name} (or {', '.join(candidates[1:])}); "
                f"{table.described}; rename one, or give columns={{{name!r}: its name}}"
            )
        names.setdefault(name, *present[:1])
    recordings = ("recording", *(RECORDINGS.get(names[name], "recording") for name in NAMES))
    for name, candidates in (("fold", ("fold",)), ("recording", recordings)):
        present = [column for column in candidates if column in table.header]
        if present:
            names.setdefault(name, present[0])
    return names


def _labelled_file(
    folder: "_Folder", rows: Sequence[Row], splits: bool, table: Table
) -> LabelledFile:
    """One file, listed once for each of its labels, or with all of them in one cell."""
    first = rows[0]
    lines: dict[str, int] = {}
    for row in rows:
        for label in _labels_in(row, splits):
            if label in lines:
                raise DatasetError(
                    f"{row.table}, lines {lines[label]} and {row.line}: duplicate entry "
                    f"{row['filename']!r:.80} with the label {label!r:.80}; delete one; "
                    f"{table.described}"
                )
            lines[label] = row.line
        for column in ("fold", "recording"):
            if row.cells.get(column) != first.cells.get(column):
                raise row.error(
                    f"{column} of {row['filename']!r:.80} is {row[column]!r:.80}, but "
                    f"{first[column]!r:.80} in line {first.line}"
                )
    return LabelledFile(
        folder.path_of(first),
        first["filename"],
        tuple(lines),
        first.number("fold"),
        first.cells.get("recording", "").strip(),
    )


def _labels_in(row: Row, splits: bool) -> list[str]:
    if not splits:
        return [row["label"]]
    labels = labels_in_cell(row["label"])
    if not all(labels):
        raise row.error(f"labels is {row['label']!r:.80}, with an empty label")
    return labels


def labels_in_cell(cell: str) -> list[str]:
    """Return the labels in a cell of a column ``labels``.

    >>> labels_in_cell("Bark, Dog")
    ['Bark', 'Dog']
    """
    return [label.strip() for label in _BETWEEN_LABELS.split(cell)]


def category_names(
    table: Path, rows: Sequence[Row], numbers: str = "target", names: str = "category"
) -> dict[int, str]:
    """The name of each number in a table, in the order of the numbers.

    Args:
        table: the file, for messages.
        rows: its rows.
        numbers: the column of the numbers.
        names: the column of the names.

    Raises:
        DatasetError: a number has two labels, or a label two numbers.

    >>> row = Row({"filename": "a.wav", "category": "dog", "target": "3"}, Path("clips.csv"), 2)
    >>> category_names(row.table, [row])
    {3: 'dog'}
    """
    by_number: dict[int, str] = {}
    for row in rows:
        number, name = row.number(numbers), row[names]
        if by_number.setdefault(number, name) != name:
            raise DatasetError(
                f"{table}: {numbers} {number} is both {by_number[number]!r:.80} and {name!r:.80}"
            )
    if len(set(by_number.values())) < len(by_number):
        raise DatasetError(f"{table}: one category has two targets")
    return dict(sorted(by_number.items()))


@dataclass(frozen=True)
class _Folder:
    """Where the files of a table are."""

    root: Path
    by_fold: bool = False
    ending: str = ""

    @staticmethod
    def of(table: Path, row: Row, audio: Path | None) -> "_Folder":
        """The first place that has the file of this row; the table's folder if none has."""
        places = list(_Folder._places(table, row, audio))
        return next((place for place in places if os.path.isfile(place.path_of(row))), places[0])

    @staticmethod
    def _places(table: Path, row: Row, audio: Path | None) -> Iterator["_Folder"]:
        above = table.parent.parent
        beside = (above / "audio", table.parent / "audio", above / f"FSD50K.{table.stem}_audio")
        roots = (table.parent, *beside) if audio is None else (audio,)
        has_ending = PurePosixPath(row["filename"]).suffix.lower() in AUDIO_ENDINGS
        endings = ("",) if has_ending else ("", ".wav", *sorted(AUDIO_ENDINGS - {".wav"}))
        for root in roots:
            for by_fold in (False, True):
                for ending in endings:
                    yield _Folder(root, by_fold, ending)

    def path_of(self, row: Row) -> Path:
        """The path of a row's file, which must be inside the folder."""
        # The listed name must be a file name by itself, e.g. not begin with a slash.
        path = file_of_row(self.root, row, bare=False)
        if not self.by_fold and not self.ending:
            return path
        below = f"fold{row.number('fold')}/" if self.by_fold else ""
        cells = row.cells | {"filename": f"{below}{row['filename']}{self.ending}"}
        return file_of_row(self.root, replace(row, cells=cells), bare=False)
