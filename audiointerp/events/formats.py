"""Events as files that other programs open: Raven, Audacity, CSV and JSON; and back."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ..errors import ArgumentError, AudioInterpError, choose, unknown_name
from ..util import json_text, write_text
from .audacity import audacity_rows, audacity_text
from .event import Event, Row, at_line, of_one_recording
from .raven import raven_rows, raven_text

COLUMNS = ("start", "end", "label", "p", "low", "high")
"""The columns of CSV, in seconds, text, probability and Hz; an empty field is None."""
NUMBERS = tuple(name for name in COLUMNS if name != "label")
RECORDING = "recording"
"""The column of CSV, or the entry of JSON, that names the recording of an event."""


class Format(NamedTuple):
    """How events are written and read.

    >>> FORMATS["csv"].ending
    '.csv'
    """

    ending: str
    to_text: Callable[[Sequence[Event]], str]
    to_rows: Callable[[str], list[Row]]


def csv_text(events: Sequence[Event]) -> str:
    r"""Return events as CSV, numbers to their last digit.

    >>> csv_text([Event(0.5, 1.0, "dog, small", 0.9)])
    'start,end,label,p,low,high\r\n0.5,1.0,"dog, small",0.9,,\r\n'
    """
    return table_text(COLUMNS, map(asdict, events))


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    r"""Return rows as CSV; a column that a row lacks is empty.

    >>> table_text(("label", "p"), [{"label": "dog, small"}])
    'label,p\r\n"dog, small",\r\n'
    """
    text = io.StringIO()
    # With another end of the lines, a label with a carriage return would not be quoted.
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def csv_rows(text: str) -> list[Row]:
    r"""Read events from CSV, which may have a column ``recording``; others are ignored.

    Raises:
        ArgumentError: a column is missing, or a field is no number.

    >>> csv_rows("start,end,label\n0.5,1.0,dog\n")[0].event
    Event(start=0.5, end=1.0, label='dog', p=None, low=None, high=None)
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=_is_spaced(text))
    missing = [name for name in COLUMNS[:3] if name not in (reader.fieldnames or ())]
    if missing:
        raise ArgumentError(f"no column {missing[0]!r}; the columns are {', '.join(COLUMNS)}")
    rows = []
    for row in reader:
        with at_line(reader.line_num):
            rows.append(Row(row.get(RECORDING) or "", _event_of_row(row)))
    return rows


def _is_spaced(text: str) -> bool:
    """Whether a file has a space after each comma, which then belongs to no label."""
    rows = csv.reader(io.StringIO(text, newline=""))
    heads, values = next(rows, []), next(rows, [])
    if any(head.startswith(" ") and head.strip(" ") in COLUMNS for head in heads):
        return True
    # A label may be a number, and begin with a space of its own.
    numbers = [cell for head, cell in zip(heads, values, strict=False) if head in NUMBERS]
    return any(cell.startswith(" ") and _is_number(cell.strip(" ")) for cell in numbers)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _event_of_row(row: dict[str, str]) -> Event:
    optional = (float(row[name]) if row.get(name) else None for name in COLUMNS[3:])
    return Event(float(row["start"]), float(row["end"]), row["label"], *optional)


def json_rows(text: str) -> list[Row]:
    """Read events from JSON: a list, or the list under ``"events"``.

    Raises:
        ArgumentError: there is no list of events.

    >>> json_rows('{"events": [{"start": 0.5, "end": 1.0, "label": "dog"}]}')[0].event.label
    'dog'
    """
    content = json.loads(text)
    entries = content.get("events") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise ArgumentError('no list of events, or {"events": [...]}')
    names = ["" if entry.get(RECORDING) is None else str(entry[RECORDING]) for entry in entries]
    events = [Event(*map(entry.get, COLUMNS)) for entry in entries]
    return list(map(Row, names, events))


def _json_text(events: Sequence[Event]) -> str:
    return json_text({"events": list(map(asdict, events))})


FORMATS = {
    "raven": Format(".selections.txt", raven_text, raven_rows),
    "audacity": Format(".labels.txt", audacity_text, audacity_rows),
    "csv": Format(".csv", csv_text, csv_rows),
    "json": Format(".json", _json_text, json_rows),
}
"""The formats by name: Raven's selection tables, Audacity's label tracks, CSV and JSON."""


def write_events(
    path: str | os.PathLike[str], events: Iterable[Event] | Event, format: str | None = None
) -> None:
    """Write events to a file, completely or not at all.

    Args:
        path: the file.
        events: those of one recording.
        format: a name in :data:`FORMATS`; by default that of the ending: ``.csv``, ``.json``,
            ``.selections.txt`` (Raven) or ``.labels.txt`` (Audacity).

    Raises:
        ArgumentError: the format is not known, a label has a character that it cannot hold, or
            something else than events is given.
        AudioInterpError: the file cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_events(f"{folder}/a.labels.txt", [Event(0.5, 1.0, "dog", 0.9)])
    ...     read_events(f"{folder}/a.labels.txt")
    [Event(start=0.5, end=1.0, label='dog', p=0.9, low=None, high=None)]
    """
    name = _format_of(Path(path), format)
    listed = [events] if isinstance(events, Event) else list(events)
    others = [each for each in listed if not isinstance(each, Event)]
    if others:
        raise ArgumentError(
            f"{path}: a {type(others[0]).__name__} is no Event; of explained events give their "
            "boxes, e.g. [each.box for each in explained]"
        )
    write_text(path, FORMATS[name].to_text(listed))


def read_events(
    path: str | os.PathLike[str], format: str | None = None, *, recording: str | None = None
) -> list[Event]:
    """Read events of one recording, e.g. boxes that were drawn in Raven, or labels of Audacity.

    Args:
        path: the file.
        format: as for :func:`write_events`. A file ``.txt`` with another ending is Raven's if its
            first line has Raven's column ``Begin Time (s)``, else Audacity's.
        recording: of a file with the events of several: the one whose events are read, as the file
            names it (``recording`` in CSV and JSON, ``Begin Path`` or ``Begin File`` in Raven's).

    Raises:
        ArgumentError: the format is not known, the file has the events of several recordings, or
            it does not name this one.
        AudioInterpError: the file cannot be read, or is not of this format.

    Example: see :func:`write_events`.
    """
    path = Path(path)
    try:
        # As bytes, since reading as text would change line breaks inside of labels.
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AudioInterpError(f"{path}: cannot be read ({error})") from error
    if format is None and path.suffix.lower() == ".txt":
        is_raven = "Begin Time (s)" in text.partition("\n")[0]
        format = "raven" if is_raven else "audacity"
    name = _format_of(path, format)
    try:
        rows = FORMATS[name].to_rows(text)
    except (ValueError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        text = f"{path}: not a file of events in the format {name} ({error})"
        raise AudioInterpError(text) from error
    return of_one_recording(rows, recording, path)


def _format_of(path: Path, format: str | None) -> str:
    if format is not None:
        return choose("format", format, FORMATS)
    for name, known in FORMATS.items():
        if path.name.lower().endswith(known.ending):
            return name
    endings = [known.ending for known in FORMATS.values()]
    raise ArgumentError(
        unknown_name("ending of a file of events", path.name, endings, "; or give format=")
    )
