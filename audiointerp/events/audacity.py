r"""Events as a label track of Audacity: start, end and label between tabs.

The band of an event is a second line that begins with a backslash. Audacity has no place for p: it
is written behind the label, ``dog (p=0.93)``.
"""

import re
from collections.abc import Sequence

from ..errors import ArgumentError
from .event import Event, Row, at_line
from .raven import refuse_breaks

_P = re.compile(r" \(p=([0-9.e+-]+)\)$")


def audacity_text(events: Sequence[Event]) -> str:
    r"""Return a label track.

    Raises:
        ArgumentError: a label has a tab or a line break, or ends like one with its p.

    >>> audacity_text([Event(0.5, 1.0, "dog", 0.9, 100.0, 800.0)])
    '0.5\t1.0\tdog (p=0.9)\n\\\t100.0\t800.0\n'
    """
    lines = []
    for event in events:
        refuse_breaks(event.label)
        if event.p is None and _P.search(event.label):
            raise ArgumentError(
                f"label {event.label!r:.80}: it would be read as a label with its p; write CSV or "
                "JSON, or rename it"
            )
        label = event.label if event.p is None else f"{event.label} (p={event.p})"
        lines.append(f"{event.start}\t{event.end}\t{label}\n")
        if event.low is not None:
            lines.append(f"\\\t{event.low}\t{event.high}\n")
    return "".join(lines)


def audacity_rows(text: str) -> list[Row]:
    r"""Read a label track, which names no recording. An unlabelled event gets the label ``?``.

    A band that Audacity left open (-1) is none.

    Raises:
        ArgumentError: a line has another form.

    >>> audacity_rows("0.5\t1.0\tdog\n\\\t100\t800\n")[0].event
    Event(start=0.5, end=1.0, label='dog', p=None, low=100.0, high=800.0)
    """
    events: list[Event] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            with at_line(number):
                _read_line(line.removesuffix("\r"), events)
    return [Row("", event) for event in events]


def _read_line(line: str, events: list[Event]) -> None:
    """Append the event of a line, or give the last event its band."""
    fields = line.split("\t", 2)
    if len(fields) == 3 and fields[0] == "\\" and events:
        low, high = float(fields[1]), float(fields[2])
        event = events.pop()
        band = (low, high) if low >= 0 and high >= 0 else (None, None)
        events.append(Event(event.start, event.end, event.label, event.p, *band))
    elif len(fields) >= 2:
        events.append(_event_of(float(fields[0]), float(fields[1]), "".join(fields[2:])))
    else:
        raise ArgumentError("not start, end and label between tabs")


def _event_of(start: float, end: float, text: str) -> Event:
    match = _P.search(text)
    if match is None:
        return Event(start, end, text or "?")
    return Event(start, end, text[: match.start()], float(match[1]))
