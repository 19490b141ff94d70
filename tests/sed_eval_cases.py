"""What sed_eval counts in random events: expected values of test_event_agreement.py.

    python tests/sed_eval_cases.py

It needs sed_eval 0.2.1 (pip install --no-deps sed_eval dcase_util), which has not changed since
2018 and would bring a dozen packages with it, and writes tests/sed_eval_cases.json.
"""

import json
import random
from pathlib import Path

PATH = Path(__file__).with_suffix(".json")
LABELS = ["cat", "dog"]
CASES, MOST_EVENTS = 60, 6
COLLAR, SHARE, SEGMENT = 0.3, 0.5, 1.0


def random_events(generator):
    """Lists (start, end, label), in quarters of a second."""
    events = []
    for _ in range(generator.randint(1, MOST_EVENTS)):
        start = generator.randint(0, 40) / 4
        events.append([start, start + generator.randint(1, 12) / 4, generator.choice(LABELS)])
    return events


def near(events, generator):
    """Most of the events, with limits that differ a little."""
    moved = []
    for start, end, label in events:
        if generator.random() < 0.8:
            start += generator.choice([0, 0.25, 0.5])
            moved.append([start, max(end, start) + generator.choice([0.25, 0.5, 1]), label])
    return moved or random_events(generator)


def entries(events):
    """Events as sed_eval takes them."""
    return [
        {"event_label": label, "onset": start, "offset": end, "filename": "a"}
        for start, end, label in events
    ]


def counted(truth, events):
    """The numbers of matched, annotated and detected events, and of segments."""
    import sed_eval

    by_event = sed_eval.sound_event.EventBasedMetrics(
        event_label_list=LABELS,
        t_collar=COLLAR,
        percentage_of_length=SHARE,
        event_matching_type="optimal",
    )
    by_segment = sed_eval.sound_event.SegmentBasedMetrics(
        event_label_list=LABELS, time_resolution=SEGMENT
    )
    duration = max(end for _, end, _ in truth + events)
    by_event.evaluate(entries(truth), entries(events))
    by_segment.evaluate(entries(truth), entries(events), evaluated_length_seconds=duration)
    return numbers_of(by_event), numbers_of(by_segment)


def numbers_of(metric):
    """What is matched, annotated and detected."""
    return [int(metric.overall[name]) for name in ("Ntp", "Nref", "Nsys")]


def main():
    generator, lines = random.Random(0), []
    for number in range(CASES):
        truth = random_events(generator)
        events = near(truth, generator) if number % 2 else random_events(generator)
        case = {"truth": truth, "events": events}
        case["matched"], case["segments"] = counted(truth, events)
        lines.append(json.dumps(case))
    PATH.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
