"""Events against annotations: F1 of events and of segments, IoU in time and of boxes, pointing."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..errors import ArgumentError
from .event import Event
from .explained_event import ExplainedEvent


@dataclass(frozen=True)
class Agreement:
    """How many of the annotated and of the detected events (or segments) agree.

    Precision, recall and F1 are NaN where they are not defined, e.g. F1 without any event.

    >>> Agreement(matched=1, annotated=2, detected=1).f1
    0.6666666666666666
    """

    matched: int
    annotated: int
    detected: int

    @property
    def precision(self) -> float:
        """The share of what was detected that is annotated."""
        return self.matched / self.detected if self.detected else math.nan

    @property
    def recall(self) -> float:
        """The share of what is annotated that was detected."""
        return self.matched / self.annotated if self.annotated else math.nan

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        count = self.annotated + self.detected
        return 2 * self.matched / count if count else math.nan


def event_agreement(
    annotated: Iterable[Event],
    detected: Iterable[Event],
    *,
    collar: float = 0.2,
    share: float = 0.5,
    least_iou: float | None = None,
) -> Agreement:
    """Count the detected events that agree with an annotated one of the same label.

    Each event agrees with one at most; as many pairs are made as possible. Two events agree if
    their begins differ by at most the collar, and their ends by at most the larger of the collar
    and a share of the annotated duration, as in ``sed_eval``; or by their IoU in time.

    Args:
        annotated, detected: the events of one recording.
        collar: in seconds.
        share: of the annotated duration.
        least_iou: if given, two events agree whose IoU in time is at least this.

    Raises:
        ArgumentError: a number is negative, or the IoU above 1.

    >>> truth = [Event(1.0, 2.0, "dog"), Event(5.0, 6.0, "dog")]
    >>> event_agreement(truth, [Event(1.1, 2.4, "dog")])
    Agreement(matched=1, annotated=2, detected=1)
    """
    if not (collar >= 0 and share >= 0 and (least_iou is None or 0 < least_iou <= 1)):
        raise ArgumentError(
            f"collar={collar}, share={share}, least_iou={least_iou}: give numbers from 0 on, and "
            "an IoU above 0, at most 1"
        )

    def agree(truth: Event, event: Event) -> bool:
        if truth.label != event.label:
            return False
        if least_iou is not None:
            return time_iou(truth, event) >= least_iou
        allowed = max(collar, share * truth.duration)
        begins_agree = abs(truth.start - event.start) <= collar
        return begins_agree and abs(truth.end - event.end) <= allowed

    annotated, detected = list(annotated), list(detected)
    pairs = matched_events(annotated, detected, agree)
    return Agreement(len(pairs), len(annotated), len(detected))


def segment_agreement(
    annotated: Sequence[Event],
    detected: Sequence[Event],
    duration: float,
    segment: float = 1.0,
) -> Agreement:
    """Count the segments and labels in which an annotated and a detected event agree.

    A label is in each segment that one of its events overlaps, as in ``sed_eval``.

    Args:
        annotated, detected: the events of one recording.
        duration: of the recording, in seconds.
        segment: the seconds of a segment.

    Raises:
        ArgumentError: a number is not above 0.

    >>> segment_agreement([Event(0.5, 2.0, "dog")], [Event(1.0, 3.0, "dog")], duration=3)
    Agreement(matched=1, annotated=2, detected=2)
    """
    if not (0 < segment < math.inf and 0 < duration < math.inf):
        raise ArgumentError(f"duration={duration}, segment={segment}: give seconds above 0")

    def active(events: Sequence[Event]) -> set[tuple[str, int]]:
        last = math.ceil(duration / segment)
        return {
            (event.label, number)
            for event in events
            for number in range(
                math.floor(event.start / segment), min(last, math.ceil(event.end / segment))
            )
        }

    truth, found_segments = active(annotated), active(detected)
    return Agreement(len(truth & found_segments), len(truth), len(found_segments))


def matched_events(
    annotated: Sequence[Event],
    detected: Sequence[Event],
    agree: Callable[[Event, Event], bool],
) -> list[tuple[int, int]]:
    """Pair annotated with detected events that agree: as many pairs as possible, each event once.

    Args:
        annotated, detected: the events.
        agree: whether two events agree.

    Returns:
        The numbers of the events of each pair, in the order of the annotated ones.

    >>> events = [Event(0, 1, "dog"), Event(0, 2, "dog")]
    >>> matched_events(events, events[::-1], lambda truth, event: truth == event)
    [(0, 1), (1, 0)]
    """
    possible: list[list[int]] = []
    for truth_event in annotated:
        possible.append([i for i, event in enumerate(detected) if agree(truth_event, event)])
    partner: dict[int, int] = {}
    for truth in range(len(annotated)):
        _give_a_partner(truth, possible, partner)
    return sorted((truth, number) for number, truth in partner.items())


def _give_a_partner(truth: int, possible: list[list[int]], partner: dict[int, int]) -> None:
    """Pair an annotated event, if others can change their partners so that one is free.

    Args:
        truth: its number.
        possible: the detected events that agree with each annotated one.
        partner: the annotated event of each detected one that is paired; is changed.
    """
    # A search in breadth: a recursion as deep as there are events would fail.
    asked_by: dict[int, tuple[int, int | None]] = {}
    waiting: deque[tuple[int, int | None]] = deque([(truth, None)])
    while waiting:
        asking, held = waiting.popleft()
        for number in possible[asking]:
            if number in asked_by:
                continue
            asked_by[number] = (asking, held)
            if number not in partner:
                _hand_over(number, asked_by, partner)
                return
            waiting.append((partner[number], number))


def _hand_over(
    free: int, asked_by: dict[int, tuple[int, int | None]], partner: dict[int, int]
) -> None:
    """Give the free detected event to the one that asked for it, what that held to the next."""
    number: int | None = free
    while number is not None:
        partner[number], held = asked_by[number]
        number = held


def time_iou(first: Event, second: Event) -> float:
    """Return the seconds that two events share over the seconds of either; labels do not count.

    >>> time_iou(Event(0, 2, "dog"), Event(1, 3, "dog"))
    0.3333333333333333
    """
    return _shared_over_union(_shared_seconds(first, second), first.duration, second.duration)


def box_iou(first: Event, second: Event) -> float:
    """Return the area, in seconds times Hz, that two events share over the area of either.

    Raises:
        ArgumentError: one of them has no band.

    >>> box_iou(Event(0, 2, "dog", None, 0, 100), Event(0, 2, "dog", None, 50, 150))
    0.3333333333333333
    """
    bands = []
    for event in (first, second):
        if event.low is None or event.high is None:
            raise ArgumentError(f"{event.label} at {event.start:g} s has no band in Hz")
        bands.append((event.low, event.high))
    (low, high), (other_low, other_high) = bands
    shared_band = max(0.0, min(high, other_high) - max(low, other_low))
    areas = (first.duration * (high - low), second.duration * (other_high - other_low))
    return _shared_over_union(_shared_seconds(first, second) * shared_band, *areas)


def points_at(explained: ExplainedEvent, truth: Event) -> bool:
    """Tell whether the largest value of an event's map lies in an annotated box: pointing game.

    Without a band, the box has all frequencies.

    Args:
        explained: of ``explain_events``.
        truth: the annotated event.

    Example: see ``docs/recordings.md``.
    """
    seconds, hertz = explained.peak
    low, high = (0.0, math.inf) if truth.low is None else (truth.low, truth.high or 0.0)
    return truth.start <= seconds <= truth.end and low <= hertz <= high


def _shared_seconds(first: Event, second: Event) -> float:
    return max(0.0, min(first.end, second.end) - max(first.start, second.start))


def _shared_over_union(shared: float, first: float, second: float) -> float:
    union = first + second - shared
    return shared / union if union else 0.0
