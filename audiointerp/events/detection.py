"""Events from the probabilities of windows: thresholds with hysteresis, merging, least duration."""

from collections.abc import Iterable, Mapping

from ..errors import ArgumentError, unknown_name
from ..util import is_number
from .event import Event
from .scan_record import Scan

Threshold = float | Mapping[str, float]


def detect(
    scan: Scan,
    threshold: Threshold = 0.5,
    *,
    hold: float = 0.6,
    min_duration: float = 0.0,
    merge: float = 0.0,
    labels: Iterable[str] | None = None,
) -> list[Event]:
    """Return the events of a scan: where p of a label is high, from when to when.

    A window speaks for the time around its middle (``scan.limits``). An event is a stretch in which
    p stays at least ``hold`` times the threshold and reaches the threshold. Silent windows have no
    events. The band of an event is all that the classifier hears; ``explain_events`` narrows it.

    Args:
        scan: of :func:`~audiointerp.events.scan`.
        threshold: p at which an event begins; or by label, and then only these are detected.
        hold: the share of the threshold at which an event ends, in (0, 1]; 1 for no hysteresis.
        min_duration: shorter events are left out, after merging; in seconds.
        merge: events of one label are joined across gaps of up to so many seconds.
        labels: those to detect; by default all.

    Returns:
        The events in the order of their begin. Their p is the largest of their windows.

    Raises:
        ArgumentError: a label is unknown, or a number is out of range.

    >>> import torch
    >>> from audiointerp import Classifier, Cnn6, LogMel
    >>> from audiointerp.events.scanning import scan
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> events = detect(scan(classifier, torch.randn(96000)), {"dog": 1e-9})
    >>> [(event.label, event.start, event.end) for event in events]
    [('dog', 0.0, 3.0)]
    """
    thresholds = _thresholds(scan.labels, threshold, labels)
    _check(hold, min_duration, merge)
    limits = scan.limits.tolist()
    events: list[Event] = []
    for label, least in thresholds.items():
        p = scan.heard[:, scan.labels.index(label)].tolist()
        found_events = [
            Event(limits[first], limits[end], label, max(p[first:end]), 0.0, scan.sample_rate / 2)
            for first, end in _stretches(p, least, hold * least)
        ]
        events += [
            event for event in _merged(found_events, merge) if event.duration >= min_duration
        ]
    return sorted(events, key=lambda event: (event.start, event.end, event.label))


def _stretches(p: list[float], high: float, low: float) -> list[tuple[int, int]]:
    """Return the stretches with p >= low that reach high, as first window and the one after."""
    stretches, first = [], None
    for number, value in enumerate([*p, -1.0]):
        if value >= low and first is None:
            first = number
        elif value < low and first is not None:
            if max(p[first:number]) >= high:
                stretches.append((first, number))
            first = None
    return stretches


def _merged(events: list[Event], gap: float) -> list[Event]:
    """Join events of one label, which are in order, across gaps of up to ``gap`` seconds."""
    merged_events: list[Event] = []
    for event in events:
        if merged_events and event.start - merged_events[-1].end <= gap:
            last = merged_events.pop()
            p = max(last.p or 0.0, event.p or 0.0)
            event = Event(last.start, event.end, event.label, p, last.low, last.high)
        merged_events.append(event)
    return merged_events


def _thresholds(
    known: tuple[str, ...], threshold: Threshold, labels: Iterable[str] | None
) -> dict[str, float]:
    chosen = known if labels is None else tuple(labels)
    if isinstance(threshold, Mapping):
        by_label = dict(threshold)
        if labels is not None and set(by_label) != set(chosen):
            raise ArgumentError(
                "the thresholds are by label, and not those of labels=; give the one or the other"
            )
    else:
        by_label = dict.fromkeys(chosen, threshold)
    for label, value in by_label.items():
        if label not in known:
            raise ArgumentError(unknown_name("label", label, known))
        if not is_number(value) or not 0 < value <= 1:
            raise ArgumentError(f"threshold of {label}: {value!r:.40} is no probability in (0, 1]")
    return by_label


def _check(hold: float, min_duration: float, merge: float) -> None:
    if not is_number(hold) or not 0 < hold <= 1:
        raise ArgumentError(f"hold={hold!r:.40}: give a share of the threshold in (0, 1]")
    for name, value in (("min_duration", min_duration), ("merge", merge)):
        if not is_number(value) or value < 0:
            raise ArgumentError(f"{name}={value!r:.40}: give seconds from 0 on")
