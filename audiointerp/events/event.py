"""The record of an event: what was heard, when, in which band, and how sure the model was."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import NamedTuple

from ..errors import ArgumentError
from ..util import take_as_python

MOST_NAMES = 5
"""How many recordings are named where a file has the events of several."""


@dataclass(frozen=True, order=True)
class Event:
    """A label that is heard from one time to another, in a band of frequencies.

    Attributes:
        start: seconds from the begin of the recording.
        end: the same, of its end.
        label: what is heard.
        p: the probability of the label; None of an annotation.
        low: the lower end of the band in Hz; None if it is not stated.
        high: its upper end.

    Raises:
        ArgumentError: a value is not finite, negative or above its counterpart, p is outside
            [0, 1], the label is empty, or only one end of the band is given.

    >>> Event(12.5, 14.0, "whale", 0.93).duration
    1.5
    """

    start: float
    end: float
    label: str
    p: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        take_as_python(self, "start", "end", "p", "low", "high")
        if not isinstance(self.label, str) or not self.label:
            raise ArgumentError(f"the label of an event is a text, not {self.label!r:.40}")
        _check_limits(self.label, "seconds", self.start, self.end)
        if (self.low is None) != (self.high is None):
            raise ArgumentError(
                f"{self.label}: low={self.low} and high={self.high} Hz: give both or none"
            )
        if self.low is not None and self.high is not None:
            _check_limits(self.label, "Hz", self.low, self.high)
        if self.p is not None and not (_is_finite(self.p) and 0 <= self.p <= 1):
            raise ArgumentError(f"{self.label}: p={self.p!r:.40} is no probability in [0, 1]")

    @property
    def duration(self) -> float:
        """The seconds from start to end."""
        return self.end - self.start


def _check_limits(label: str, unit: str, lowest: float, highest: float) -> None:
    if not (_is_finite(lowest) and _is_finite(highest) and 0 <= lowest <= highest):
        raise ArgumentError(
            f"{label}: from {lowest!r:.40} to {highest!r:.40} {unit}: give two finite numbers "
            "from 0 on, the smaller one first"
        )


class Row(NamedTuple):
    """An event of a file, and the recording that the file names for it.

    >>> Row("", Event(12.5, 14.0, "whale")).event.label
    'whale'
    """

    recording: str
    """The name or path as it stands there; empty if there is none."""
    event: Event


def of_one_recording(rows: Sequence[Row], recording: str | None, file: object) -> list[Event]:
    """Return the events of one recording.

    Args:
        rows: the events of a file.
        recording: its name, or its whole path; None if the file has the events of one alone.
        file: the file, for the message.

    Raises:
        ArgumentError: there are events of several, or none of this one.

    >>> rows = [Row(name, Event(0.0, 1.0, name)) for name in ("a", "b")]
    >>> [event.label for event in of_one_recording(rows, "b", "a.csv")]
    ['b']
    >>> of_one_recording(rows, None, "a.csv")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: a.csv: has events of 2 recordings ('a', 'b'); choose one ...
    """
    names = list(dict.fromkeys(row.recording for row in rows if row.recording))
    listed = ", ".join(map(repr, names[:MOST_NAMES])) + (", …" if len(names) > MOST_NAMES else "")
    if len(names) > 1 and not all(row.recording for row in rows):
        raise ArgumentError(
            f"{file}: has events of {len(names)} recordings ({listed}), and others that name none"
        )
    if recording is None:
        chosen = names
    else:
        # Windows' rules take both kinds of slashes.
        chosen = [name for name in names if recording in (name, PureWindowsPath(name).name)]
    if len(chosen) > 1:
        raise ArgumentError(
            f"{file}: has events of {len(names)} recordings ({listed}); choose one by recording="
        )
    if recording is not None and not chosen:
        raise ArgumentError(
            f"{file}: names no recording {recording!r:.80}; those that it names: {listed or 'none'}"
        )
    # Events without a name are of the only recording.
    return [row.event for row in rows if not row.recording or row.recording in chosen]


@contextmanager
def at_line(number: int) -> Iterator[None]:
    """Name the line of a file in the errors of the block.

    Raises:
        ArgumentError: the block raised a ValueError or a TypeError.

    >>> with at_line(2):
    ...     event = Event(float("1,5"), 2.0, "dog")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: line 2: could not convert string to float: '1,5'
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"line {number}: {error}") from error


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    # What is no number, or is larger than any float.
    except (TypeError, OverflowError):
        return False
