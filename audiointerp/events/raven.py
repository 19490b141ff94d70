"""Events as a selection table of Raven: tab-separated, with the columns that Raven writes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ..errors import ArgumentError
from .event import Event, Row, at_line

START, END = "Begin Time (s)", "End Time (s)"
LOW, HIGH = "Low Freq (Hz)", "High Freq (Hz)"
LABELS = ("Annotation", "Species", "Label", "Common Name")
"""The columns that may hold the label; the first is written."""
SCORES = ("Score", "Confidence")
"""The columns that may hold p; the first is written."""
RECORDINGS = ("Begin Path", "Begin File")
"""The columns that may name the recording; a path tells files of one name in two folders apart."""
OFFSET = "File Offset (s)"
"""Where an event begins in its file; ``START`` counts from the first file that was open."""
HEADS = ("Selection", "View", "Channel", START, END, LOW, HIGH, LABELS[0], SCORES[0])
BREAKS = ("\t", "\n", "\r")
"""What a field between tabs cannot hold without quotes."""


def raven_text(events: Sequence[Event]) -> str:
    """Return a selection table.

    Raises:
        ArgumentError: a label has a tab or a line break.

    >>> print(raven_text([Event(0.5, 1.0, "dog", 0.9, 100.0, 800.0)]).splitlines()[1].split())
    ['1', 'Spectrogram', '1', '1', '0.5', '1.0', '100.0', '800.0', 'dog', '0.9']
    """
    rows: list[tuple[str, ...]] = [HEADS]
    for number, event in enumerate(events, 1):
        refuse_breaks(event.label)
        values = (event.start, event.end, event.low, event.high, event.label, event.p)
        texts = ("" if value is None else str(value) for value in values)
        rows.append((str(number), "Spectrogram 1", "1", *texts))
    return "".join("\t".join(row) + "\n" for row in rows)


def raven_rows(text: str) -> list[Row]:
    r"""Read a selection table, in any order of its columns.

    Raven lists a selection once for each of its views; it is read once. An event begins where the
    column ``File Offset (s)`` says, if it says so.

    Raises:
        ArgumentError: a column is missing, or a field is no number.

    >>> raven_rows("Begin Time (s)\tEnd Time (s)\tSpecies\n0.5\t1.0\tdog\n")[0].event.label
    'dog'
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    heads = lines[0].split("\t")
    columns = {name: number for number, name in enumerate(heads)}
    label_column = next((columns[name] for name in LABELS if name in columns), None)
    if START not in columns or END not in columns or label_column is None:
        raise ArgumentError(
            f"its columns are {heads}; a selection table has {START!r}, {END!r} and one of "
            f"{', '.join(LABELS)}"
        )
    rows: list[tuple[str, str, Row]] = []
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if not line.strip():
            continue
        fields += [""] * (len(heads) - len(fields))
        with at_line(number):
            row = Row(
                _first_of(fields, columns, RECORDINGS),
                _event_of(fields, columns, fields[label_column]),
            )
        selection = _first_of(fields, columns, ("Selection",))
        rows.append((selection, _first_of(fields, columns, ("View",)), row))
    return _each_once(rows)


def _each_once(rows: Sequence[tuple[str, str, Row]]) -> list[Row]:
    """Leave out what another view of the same selection says, with its band or without one.

    Args:
        rows: each with the number of its selection, or ``""``, and its view. Joined tables count
            from 1 again: the number alone does not tell selections apart.
    """
    with_band = defaultdict(set)
    for selection, view, row in rows:
        if row.event.low is not None:
            with_band[selection, _without_band(row)].add(view)
    kept, known = [], set()
    for selection, view, row in rows:
        other_views = with_band.get((selection, row), set()) - {view}
        if not selection or not (other_views or (selection, row) in known):
            kept.append(row)
        known.add((selection, row))
    return kept


def _without_band(row: Row) -> Row:
    return row._replace(event=replace(row.event, low=None, high=None))


def _event_of(fields: list[str], columns: dict[str, int], label: str) -> Event:
    numbers = {
        name: _number(fields, columns, names)
        for name, names in {"p": SCORES, "low": (LOW,), "high": (HIGH,)}.items()
    }
    start, end = float(fields[columns[START]]), float(fields[columns[END]])
    offset = _number(fields, columns, (OFFSET,))
    if offset is not None:
        start, end = offset, offset + (end - start)
    return Event(start, end, label, **numbers)


def _number(fields: list[str], columns: dict[str, int], names: Sequence[str]) -> float | None:
    text = _first_of(fields, columns, names)
    return float(text) if text else None


def _first_of(fields: list[str], columns: dict[str, int], names: Sequence[str]) -> str:
    """Return the first field that is not empty of several columns."""
    texts = (fields[columns[name]] for name in names if name in columns)
    return next(filter(None, texts), "")


def refuse_breaks(label: str) -> None:
    r"""Refuse a label that a line of fields between tabs cannot hold.

    Raises:
        ArgumentError: it has a tab or a line break.

    >>> refuse_breaks("a dog")
    """
    if any(character in label for character in BREAKS):
        raise ArgumentError(
            f"label {label!r:.80}: it has a tab or a line break, which this format cannot hold; "
            "write CSV or JSON, or rename it"
        )
