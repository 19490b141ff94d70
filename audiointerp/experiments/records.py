"""The record of one clip and one method: its rows, and what they were computed from."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..scoring import COLUMNS
from ..util import read_json, write_text

STATUS, STAGE = COLUMNS.index("status"), COLUMNS.index("stage")
OTHER = COLUMNS.index("FF_other")
RECORDING = COLUMNS.index("recording")


@dataclass(frozen=True)
class ClipRecord:
    """The rows of one clip and one method, as they are kept in a JSON file.

    Attributes:
        fingerprint_sha256: SHA-256 of the run's fingerprint.
        clip_sha256: SHA-256 of the clip's name, label and samples.
        status: ``"ok"``, or ``"error"`` if the clip or one of its masks failed.
        seconds: the time that the computation took.
        threads: the number of torch threads that it used.
        rows: one list of cells per row, in the order of ``COLUMNS``; see :func:`cells`.

    >>> record = ClipRecord("f0", "c0", "ok", 1.5, 1, [])
    >>> record.status
    'ok'
    """

    fingerprint_sha256: str
    clip_sha256: str
    status: str
    seconds: float
    threads: int
    rows: list[list[Any]]

    @property
    def unread(self) -> bool:
        """Whether the clip could not be read, so that its digest is not that of a sound."""
        return bool(self.rows[0][STAGE] == "read")

    @property
    def recording(self) -> str:
        """What the clip was cut from."""
        return str(self.rows[0][RECORDING])

    @property
    def has_scores(self) -> bool:
        """Whether a row has scores; those of another mask may say an error."""
        return any(row[STATUS] == "ok" for row in self.rows)

    @property
    def has_other(self) -> bool:
        """Whether every row with scores has those of the null ``"other"``."""
        return all(row[OTHER] is not None for row in self.rows if row[STATUS] == "ok")


def cells(row: Mapping[str, Any]) -> list[Any]:
    """The values of a row in the order of ``COLUMNS``, as JSON can hold them.

    Words are text, numbers are numbers; NaN is None, an infinity is the text that CSV has for it.

    >>> row = dict.fromkeys(COLUMNS, "") | {"clip": "a.wav", "FF": 0.5, "AI": float("nan")}
    >>> cells(row)[COLUMNS.index("FF")], cells(row)[COLUMNS.index("AI")]
    (0.5, None)
    """
    return [_cell(row[name]) for name in COLUMNS]


def _cell(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def write_record(path: Path, record: ClipRecord) -> None:
    """Write a record, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_record(Path(folder) / "00000.json", ClipRecord("f0", "c0", "ok", 1.5, 1, []))
    """
    write_text(path, json.dumps(asdict(record), ensure_ascii=False, allow_nan=False) + "\n")


def read_record(path: Path, method: str, clip: str) -> ClipRecord | None:
    """The record of a clip and a method; None if it is missing, damaged or of another clip.

    >>> read_record(Path("no such file.json"), "random", "a.wav") is None
    True
    """
    try:
        record = ClipRecord(**read_json(path))
    except TypeError:
        return None
    valid = (
        isinstance(record.fingerprint_sha256, str)
        and isinstance(record.clip_sha256, str)
        and record.status in ("ok", "error")
        and type(record.seconds) in (int, float)
        and type(record.threads) is int
        and isinstance(record.rows, list)
        and len(record.rows) > 0
        and all(_is_row(row, method, clip) for row in record.rows)
        # A clip failed if one of its rows did: the rows of single masks can fail.
        and (record.status == "error") == any(row[STATUS] == "error" for row in record.rows)
    )
    return record if valid else None


def _is_row(row: Any, method: str, clip: str) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(COLUMNS)
        and all(cell is None or isinstance(cell, str | int | float) for cell in row)
        and row[:2] == [method, clip]
        and row[STATUS] in ("ok", "error")
    )


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    r"""Rows as CSV without a header: numbers to their last digit, None as an empty field.

    >>> csv_text([["a.wav", 0.1, None], ["b, c.wav", 1.0, True]])
    'a.wav,0.1,\n"b, c.wav",1.0,True\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
