"""Scores of events against annotations: by hand, by their laws, and as sed_eval has them."""

import json
import math

import pytest
import sed_eval_cases
from hypothesis import given
from hypothesis import strategies as st

from audiointerp import Event, explain_events
from audiointerp.errors import ArgumentError
from audiointerp.events import (
    Agreement,
    box_iou,
    event_agreement,
    matched_events,
    points_at,
    segment_agreement,
    time_iou,
)


def test_events_by_hand():
    truth = [Event(1, 2, "dog"), Event(4, 8, "dog"), Event(1, 2, "cat")]
    events = [
        Event(1.2, 1.5, "dog"),  # begin and end within 0.2 s and half of 1 s
        Event(4.1, 6.1, "dog"),  # end within half of 4 s
        Event(1.3, 2.0, "cat"),  # the begin differs too much
    ]
    scores = event_agreement(truth, events)
    assert scores == Agreement(matched=2, annotated=3, detected=3)
    assert (scores.precision, scores.recall, scores.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert event_agreement(truth, events, collar=0.1).matched == 1
    assert event_agreement(truth, events, least_iou=0.6).matched == 1


def test_segments_by_hand():
    truth = [Event(0.5, 2.5, "dog"), Event(4, 5, "cat")]
    events = [Event(2.0, 4.0, "dog"), Event(4.2, 4.3, "cat")]
    # dog: annotated in segments 0, 1, 2, detected in 2, 3; cat: both in 4.
    assert segment_agreement(truth, events, duration=6) == Agreement(2, 4, 3)
    assert segment_agreement(truth, events, duration=6, segment=0.5).matched == 2


def test_each_event_is_matched_once_and_as_many_as_possible():
    """A greedy choice of the first would leave the second without a partner."""
    truth = [Event(0, 2, "dog"), Event(0, 1, "dog")]
    events = [Event(0, 1, "dog"), Event(0, 3, "dog")]
    close = [(0, 0), (0, 1), (1, 0)]
    pairs = matched_events(
        truth, events, lambda first, second: (truth.index(first), events.index(second)) in close
    )
    assert pairs == [(0, 1), (1, 0)]


def test_undefined_scores_are_nan():
    nothing = event_agreement([], [])
    assert math.isnan(nothing.f1)
    assert math.isnan(nothing.precision)
    assert math.isnan(nothing.recall)
    assert event_agreement([Event(0, 1, "dog")], []).f1 == 0
    for options in ({"collar": -1}, {"share": -1}, {"least_iou": 0}):
        with pytest.raises(ArgumentError, match="collar"):
            event_agreement([], [], **options)
    with pytest.raises(ArgumentError, match="segment=0"):
        segment_agreement([], [], 1, 0)


def test_boxes_by_hand():
    first = Event(0, 2, "dog", None, 0, 100)
    assert box_iou(first, Event(1, 3, "dog", None, 50, 150)) == pytest.approx(50 / 350)
    assert box_iou(first, Event(3, 4, "dog", None, 0, 100)) == 0
    assert time_iou(Event(1, 1, "dog"), Event(1, 1, "dog")) == 0
    with pytest.raises(ArgumentError, match="no band"):
        box_iou(first, Event(0, 2, "dog"))


TIMES = st.integers(0, 40).map(lambda number: number / 4)


@st.composite
def events_of(draw):
    events = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(TIMES)
        label = draw(st.sampled_from(["cat", "dog"]))
        events.append(Event(start, start + draw(st.integers(1, 12)) / 4, label))
    return events


@given(truth=events_of(), events=events_of())
def test_laws_of_agreement(truth, events):
    scores = event_agreement(truth, events, least_iou=0.3)
    swapped = event_agreement(events, truth, least_iou=0.3)
    assert scores.matched == swapped.matched <= min(len(truth), len(events))
    assert scores.matched <= event_agreement(truth, events, least_iou=0.1).matched
    assert event_agreement(truth, truth).matched == len(truth)
    segments = segment_agreement(truth, events, 20)
    assert segments.matched <= min(segments.annotated, segments.detected)


def test_pointing_at_the_tone():
    from test_events import tone_detector, with_tones

    wav = with_tones(6, [(3.0, 3.4, 1500, 0.3)])
    event = Event(2.5, 4, "tone")
    (explained,) = explain_events(tone_detector(), wav, [event], "occlusion", others=0)
    assert points_at(explained, Event(2.8, 3.6, "tone", None, 1000, 2000))
    assert points_at(explained, Event(2.8, 3.6, "tone"))
    assert not points_at(explained, Event(2.8, 3.6, "tone", None, 2500, 4000))
    assert not points_at(explained, Event(0, 2, "tone", None, 1000, 2000))


@pytest.mark.parametrize("number", range(sed_eval_cases.CASES))
def test_as_sed_eval_counts(number):
    case = json.loads(sed_eval_cases.PATH.read_text("utf-8"))[number]
    truth = [Event(*values) for values in case["truth"]]
    events = [Event(*values) for values in case["events"]]
    scores = event_agreement(
        truth, events, collar=sed_eval_cases.COLLAR, share=sed_eval_cases.SHARE
    )
    assert [scores.matched, scores.annotated, scores.detected] == case["matched"]
    duration = max(event.end for event in truth + events)
    segments = segment_agreement(truth, events, duration, sed_eval_cases.SEGMENT)
    assert [segments.matched, segments.annotated, segments.detected] == case["segments"]


def test_the_cases_of_sed_eval_have_matches_and_others():
    cases = json.loads(sed_eval_cases.PATH.read_text("utf-8"))
    assert len(cases) == sed_eval_cases.CASES
    assert sum(case["matched"][0] for case in cases) > 40
    assert sum(0 < case["matched"][0] < case["matched"][1] for case in cases) > 20
