"""Why a classifier hears the events of a recording: a map and a box for each."""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..model import Classifier, optimized
from ..processing import Spectrogram, Transform
from ..scoring import (
    Method,
    build_explainer,
    check_classifier,
    classify_parts,
    explain_clip,
    windows_per_forward,
)
from ..util import FILLS, Progress, is_number, show_progress, whole_number
from .boxes import Box, Trial, boxes_elsewhere, smallest_box
from .event import Event
from .explained_event import ExplainedEvent
from .listening import analysed, heard_in
from .pieces import Piece, blocks_of, chosen_pieces, in_batches

OTHERS = 19
"""Boxes of equal size elsewhere that a box is compared with."""


def explain_events(
    classifier: Classifier,
    recording: Any,
    events: Iterable[Event],
    method: Method = "gradcam",
    *,
    fill: str = "background",
    keep: float = 0.5,
    others: int = OTHERS,
    background: Tensor | None = None,
    device: str | torch.device | None = None,
    progress: Progress = None,
) -> list[ExplainedEvent]:
    """Explain events of a recording of any length, each in the window where p is the largest.

    Windows of digital silence are passed over, unless an event has no other.
    The box is the smallest that was found that keeps the decision, and whose removal loses it; see
    :mod:`~audiointerp.events.boxes`. A label counts as heard in a part where p is at least ``keep``
    times that of the window. The rank compares the box with boxes of equal size elsewhere in the
    window; since the box was chosen by the same p, it is no test of significance. The records hold
    about a megabyte per event.

    Args:
        classifier: the classifier.
        recording: as for :func:`~audiointerp.events.scanning.scan`.
        events: of :func:`~audiointerp.events.detection.detect`, or of a file.
        method: a name in ``METHODS``, an explainer class, or an explainer.
        fill: what removed bins become, a name in :data:`~audiointerp.util.fills.FILLS`.
        keep: the share of p that a box must keep, and its removal must fall below; in (0, 1].
        others: how many boxes elsewhere it is compared with.
        background: for SHAP, features of windows of training clips.
        device: where to compute; the classifier is moved there.
        progress: False for no bar; or a function of (events done, events).

    Returns:
        One record for each event, in their order.

    Raises:
        ArgumentError: a label, method or fill is unknown, a number is out of range, or an event
            begins after the end of the recording.
        AudioError: as for :func:`~audiointerp.events.scanning.scan`.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> wav = torch.randn(96000)
    >>> (explained,) = explain_events(classifier, wav, [Event(1.0, 2.0, "dog")], "saliency")
    >>> begin, end = explained.window
    >>> explained.box.label, begin <= explained.box.start < explained.box.end <= end
    ('dog', True)
    >>> sorted(explained.sounds), explained.sounds["box"].shape
    (['box', 'rest', 'window'], torch.Size([1, 1, 32000]))
    """
    check_classifier(classifier)
    choose("fill", fill, FILLS)
    _check(keep, others)
    events = list(events)
    targets = [classifier.target(event.label) for event in events]
    explainer = build_explainer(method, classifier.to(device), background)
    fast = optimized(classifier, "folded")
    strongest = strongest_pieces(fast, recording, events, targets)
    explained_events = []
    with show_progress("explaining", len(events), "event", progress) as advance:
        for event, target, piece in zip(events, targets, strongest, strict=True):
            spectrogram = analysed(classifier, piece.wav)
            attribution = explain_clip(classifier, spectrogram, explainer, target)
            hearing = _Hearing(fast, spectrogram, attribution.target, fill)
            least = keep * hearing.p
            trial = smallest_box(attribution.values[0, 0].cpu(), hearing.trials, least)
            shape = (spectrogram.db.shape[2], spectrogram.db.shape[3])
            other_boxes = boxes_elsewhere(trial.box, shape, others)
            margins = [other.margin for other in hearing.trials(other_boxes)]
            rank = 1 + sum(margin >= trial.margin for margin in margins)
            record = ExplainedEvent(
                event=event,
                box=_in_seconds_and_hertz(event, piece, trial.box, spectrogram, hearing.p),
                window=_seconds(piece, classifier.sample_rate),
                p=hearing.p,
                p_in=trial.p_in,
                p_out=trial.p_out,
                least=least,
                rank=rank if margins else None,
                others=len(margins),
                attribution=attribution,
                bins_and_frames=trial.box,
                wav=spectrogram.to_wav().cpu(),
                transform=classifier.transform,
                fill=fill,
            )
            explained_events.append(record)
            advance(1)
    return explained_events


def strongest_pieces(
    classifier: Classifier, recording: Any, events: Sequence[Event], targets: Sequence[int]
) -> list[Piece]:
    """Return, for each event, the window with its middle in the event where p is the largest.

    A window of digital silence is returned only if the event has no other: as in detection, p is
    0 there, whatever the classifier's answer to silence is.

    Args:
        classifier: the classifier.
        recording: as for :func:`~audiointerp.events.scanning.scan`.
        events: the events.
        targets: the class of each.

    Raises:
        ArgumentError: an event begins after the end of the recording.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> events = [Event(1.0, 1.2, "dog")]
    >>> strongest_pieces(classifier, torch.randn(96000), events, [1])[0].start
    19200
    """
    # A recording without events is not read again.
    if not events:
        return []
    length, rate = classifier.window_length, classifier.sample_rate
    wanted: dict[int, list[int]] = {}
    best: dict[int, tuple[tuple[bool, float], Piece]] = {}
    starts = _all_starts([_starts(event, length, rate) for event in events], wanted)
    pieces = chosen_pieces(blocks_of(recording, classifier), length, starts)
    for piece, p_of_labels in _heard(classifier, pieces):
        numbers = wanted.pop(piece.start, None)
        # What is shorter than a window has this one alone, whether an event wants its start or not.
        if numbers is None or piece.wav.shape[-1] < length:
            # The last window, for all events that go on after its middle or have no other.
            numbers = [
                number
                for number, event in enumerate(events)
                if number not in best or event.end * rate >= piece.start + length / 2
            ]
        has_sound = bool(piece.wav.any())
        for number in numbers:
            strength = (has_sound, p_of_labels[targets[number]])
            if number not in best or strength > best[number][0]:
                best[number] = (strength, piece)
    for number, event in enumerate(events):
        _, end = _seconds(best[number][1], classifier.sample_rate)
        if event.start > end:
            raise ArgumentError(
                f"{event.label} at {event.start:g} s is after the end of the recording ({end:g} s)"
            )
    return [best[number][1] for number in range(len(events))]


def _starts(event: Event, length: int, sample_rate: int) -> Iterable[int]:
    """Return where windows begin whose middles are a quarter of a window apart in the event.

    Those of an event longer than two windows are multiples of this quarter, so that events at one
    time share them: however many events there are, the recording is heard four times at most.
    """
    first, last = event.start * sample_rate, event.end * sample_rate
    quarter = max(1, length // 4)
    if last - first > 2 * length:
        first_start = max(0, math.ceil((first - length / 2) / quarter) * quarter)
        # An annotation may end long after the recording: no list of all of them is made.
        return range(first_start, max(first_start, math.floor(last - length / 2)) + 1, quarter)
    # An odd number, so that one is in the middle.
    count = 1 + 2 * int((last - first) / quarter / 2)
    middles = (first + (last - first) * (number + 0.5) / count for number in range(count))
    return [max(0, round(middle - length / 2)) for middle in middles]


def _all_starts(by_event: list[Iterable[int]], wanted: dict[int, list[int]]) -> Iterator[int]:
    """Give the starts of all events in order, each once; ``wanted`` gets the events of each."""

    def numbered(number: int) -> Iterator[tuple[int, int]]:
        return ((start, number) for start in by_event[number])

    ordered = heapq.merge(*(numbered(number) for number in range(len(by_event))))
    for start, entries in groupby(ordered, key=itemgetter(0)):
        wanted[start] = [number for _, number in entries]
        yield start


def _heard(classifier: Classifier, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, list[float]]]:
    """Give each window with its probabilities."""
    for batch in in_batches(pieces, windows_per_forward(classifier)):
        yield from zip(batch, heard_in(classifier, batch).tolist(), strict=True)


class _Hearing:
    """Has boxes of a window heard by a classifier."""

    def __init__(
        self, classifier: Classifier, spectrogram: Spectrogram, target: Tensor, fill: str
    ) -> None:
        self._parts = (classifier, spectrogram, target, fill)
        self.p = self._heard(torch.ones_like(spectrogram.db))[0][0]

    def trials(self, boxes: Sequence[Box]) -> list[Trial]:
        if not boxes:
            return []
        db = self._parts[1].db
        _, p_in, p_out = self._heard(torch.cat([box.mask(db) for box in boxes]))
        return [Trial(*values) for values in zip(boxes, p_in, p_out, strict=True)]

    def _heard(self, masks: Tensor) -> list[list[float]]:
        """Return p of the window, of the kept and of the removed part under each mask."""
        classifier, spectrogram, target, fill = self._parts
        outcomes = classify_parts(classifier, spectrogram, target, masks, on="audio", fill=fill)
        p: list[list[float]] = outcomes.probs[:, :, outcomes.target].tolist()
        return p


def _in_seconds_and_hertz(
    event: Event, piece: Piece, box: Box, spectrogram: Spectrogram, p: float
) -> Event:
    transform = spectrogram.transform
    low, high = _band(transform, box)
    # A centred frame is around its time, another one around the middle of its samples.
    middle = 0 if transform.center else transform.n_fft / 2
    start, end = (
        min(max(0.0, (frame - 0.5) * transform.hop_length + middle), spectrogram.length)
        for frame in (box.first_frame, box.last_frame)
    )
    if box.first_frame == 0:
        start = 0.0
    if box.last_frame == spectrogram.db.shape[3]:
        end = spectrogram.length
    begin, rate = piece.start, transform.sample_rate
    return replace(
        event,
        start=(begin + start) / rate,
        end=(begin + end) / rate,
        p=p if event.p is None else event.p,
        low=low,
        high=high,
    )


def _band(transform: Transform, box: Box) -> tuple[float, float]:
    """Return the limits of a box in Hz, half-way between the centres of its bins and the next.

    The lowest band is heard down to 0 Hz, and the highest up to half the sample rate.
    """
    centres = transform.frequencies
    ends = torch.tensor([0.0, transform.sample_rate / 2], dtype=torch.float64)
    edges = torch.cat([ends[:1], (centres[1:] + centres[:-1]) / 2, ends[1:]])
    return float(edges[box.low_bin]), float(edges[box.high_bin])


def _seconds(piece: Piece, sample_rate: int) -> tuple[float, float]:
    return piece.start / sample_rate, (piece.start + piece.wav.shape[-1]) / sample_rate


def _check(keep: float, others: int) -> None:
    if not is_number(keep) or not 0 < keep <= 1:
        raise ArgumentError(f"keep={keep!r:.40}: give a share of p in (0, 1]")
    whole_number("others", others, least=0)
