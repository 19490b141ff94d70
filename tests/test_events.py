"""Recordings in windows, events by cases made by hand, and files that come back equal."""

import csv
import json
import weakref
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from conftest import noise
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp import (
    AudioError,
    AudioInterpError,
    Classifier,
    Event,
    Scan,
    detect,
    explain_events,
    load_audio,
    read_events,
    scan,
    write_events,
)
from audiointerp.cli.scan_page import _clock, _picture, write_events_page
from audiointerp.errors import ArgumentError, AudioWarning
from audiointerp.events import (
    FORMATS,
    ScanSettings,
    explaining,
    scan_recording,
    scanning,
    write_recording,
)
from audiointerp.events.boxes import Box, boxes_elsewhere, first_boxes
from audiointerp.events.explaining import strongest_pieces
from audiointerp.events.listening import heard_in
from audiointerp.events.pieces import chosen_pieces, regular_pieces
from audiointerp.model import whole_clip_probabilities
from audiointerp.processing import reading
from audiointerp.scoring import windows_per_forward


def made_scan(p, *, hop=1.0, window=2.0, silent=None):
    """A scan with p of the label "dog", at 100 Hz."""
    p = torch.tensor(p, dtype=torch.float64)
    count = len(p)
    return Scan(
        recording="made.wav",
        sample_rate=100,
        length=round(100 * (window + hop * (count - 1))),
        window_length=round(100 * window),
        hop_length=round(100 * hop),
        labels=("cat", "dog"),
        starts=torch.arange(count) * round(100 * hop),
        probabilities=torch.stack([1 - p, p], 1),
        silent=torch.tensor(silent or [False] * count),
    )


def limits_of(events):
    return [(event.label, event.start, event.end) for event in events]


@given(
    length=st.integers(1, 300),
    size=st.integers(1, 60),
    window=st.integers(1, 80),
    hop_share=st.floats(0.02, 1),
)
def test_windows_of_blocks_are_those_of_the_whole(length, size, window, hop_share):
    hop = max(1, round(hop_share * window))
    wav = torch.arange(float(length)).view(1, 1, -1)
    pieces = list(regular_pieces(wav.split(size, -1), window, hop))
    last = max(0, length - window)
    assert [piece.start for piece in pieces] == [*range(0, last, hop), last]
    assert all(piece.wav.equal(wav[..., piece.start :][..., :window]) for piece in pieces)


@given(
    length=st.integers(1, 200),
    size=st.integers(1, 60),
    window=st.integers(1, 80),
    starts=st.lists(st.integers(0, 250), max_size=8),
)
def test_chosen_windows_are_those_of_the_whole(length, size, window, starts):
    wav = torch.arange(float(length)).view(1, 1, -1)
    pieces = list(chosen_pieces(wav.split(size, -1), window, sorted(starts)))
    past = [start for start in starts if start + window > length]
    assert len(pieces) == len(starts) - max(0, len(past) - 1)
    for start, piece in zip(sorted(starts), pieces, strict=False):
        begin = max(0, min(start, length - window))
        assert piece.wav.equal(wav[..., begin:][..., :window])


def test_p_of_a_window_is_that_of_the_clip(classifier, tmp_path, monkeypatch):
    """A file in small blocks, at another rate, in two channels: a window is a clip of its own."""
    monkeypatch.setattr(reading, "BLOCK", 30000)
    samples = (
        np.random.default_rng(0).normal(0, 0.1, (5 * 44100, 2)) * np.linspace(0, 1, 220500)[:, None]
    )
    soundfile.write(tmp_path / "a.wav", samples, 44100, subtype="FLOAT")
    result = scan(classifier, tmp_path / "a.wav", hop=0.7, optimize="none")
    whole = load_audio(tmp_path / "a.wav", 32000, normalize="none")
    assert result.recording == "a.wav"
    assert (result.length, result.duration) == (160000, 5.0)
    assert result.starts.tolist() == [0, 22400, 44800, 67200, 89600, 112000, 128000]
    clips = [whole[..., start : start + 32000] for start in result.starts]
    clips = [clip / clip.abs().max() for clip in clips]
    expected = whole_clip_probabilities(classifier, clips)
    assert torch.allclose(result.probabilities, expected, atol=1e-5)
    folded = scan(classifier, tmp_path / "a.wav", hop=0.7)
    assert torch.allclose(folded.probabilities, expected, atol=2e-5)


def test_a_recording_shorter_than_a_window_is_one_window(classifier):
    wav = noise(0.4)
    expected = whole_clip_probabilities(classifier, [wav / wav.abs().max()])
    result = scan(classifier, wav / wav.abs().max(), optimize="none")
    assert torch.allclose(result.probabilities, expected, atol=1e-6)
    assert (result.duration, result.limits.tolist()) == (0.4, [0.0, 0.4])


def test_a_model_of_sounds_is_scanned(tmp_path):
    def louder_half(wavs):
        energy = (wavs.reshape(len(wavs), 2, -1) ** 2).sum(2) + 1e-9
        return energy / energy.sum(1, keepdims=True)

    classifier = Classifier.from_function(
        louder_half, ["first", "second"], sample_rate=8000, duration=1.0, normalize="none"
    )
    wav = torch.zeros(24000)
    wav[9000:10000] = 0.5
    result = scan(classifier, wav)
    assert result.to_frame().round(2)["first"].tolist() == [0.5, 0.0, 1.0, 0.5, 0.5]
    assert result.silent.tolist() == [True, False, False, True, True]
    assert limits_of(detect(result, {"second": 0.9})) == [("second", 0.75, 1.25)]


@pytest.mark.parametrize("work", ["scan", "explain"])
def test_the_memory_does_not_grow_with_the_recording(work, monkeypatch):
    """Of all blocks, and of all windows that were cut from them, few are held at any time."""
    alive, most = weakref.WeakSet(), []

    def counted(tensors):
        for tensor in tensors:
            alive.add(tensor)
            most.append(len(alive))
            yield tensor

    def blocks(recording, classifier):
        return counted(noise(1, RATE, seed) for seed in range(200))

    def pieces_of(cut):
        def pieces(*arguments):
            for piece in cut(*arguments):
                alive.add(piece.wav)
                yield piece

        return pieces

    for module in (scanning, explaining):
        monkeypatch.setattr(module, "blocks_of", blocks)
    monkeypatch.setattr(scanning, "regular_pieces", pieces_of(regular_pieces))
    monkeypatch.setattr(explaining, "chosen_pieces", pieces_of(chosen_pieces))
    if work == "scan":
        assert len(scan(tone_detector(), "made").starts) == 199
    else:
        events = [Event(0, 200, "tone"), Event(50, 180, "tone")]
        strongest_pieces(tone_detector(), "made", events, [1, 1])
    assert len(most) == 200
    # A batch and the one before, the two blocks at hand, and the strongest windows.
    assert max(most) <= 2 * windows_per_forward(tone_detector()) + 6


def test_no_tensor_of_a_batch_is_kept(monkeypatch):
    """It would split the space that a forward has freed, so that the next one needs new memory.

    The peak of a scan of ten hours grew by 30 MiB an hour.
    """
    alive, most = weakref.WeakSet(), []

    def heard(classifier, batch):
        p = heard_in(classifier, batch)
        alive.add(p)
        most.append(len(alive))
        return p

    monkeypatch.setattr(scanning, "heard_in", heard)
    result = scan(tone_detector(), noise(200, RATE))
    # 199 windows of 2 s, ten at a time.
    assert len(most) == 20
    assert max(most) <= 2
    assert result.probabilities.isfinite().all()
    assert len(result.probabilities) == len(result.starts)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (192000, 1), (48000, 8)])
def test_recordings_of_any_rate_and_channels(classifier, tmp_path, rate, channels):
    samples = np.random.default_rng(1).normal(0, 0.1, (2 * rate, channels))
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="PCM_24")
    result = scan(classifier, tmp_path / "a.wav", optimize="none")
    clip = load_audio(tmp_path / "a.wav", 32000, normalize="none")[..., 16000:48000]
    expected = whole_clip_probabilities(classifier, [clip / clip.abs().max()])
    assert torch.allclose(result.probabilities[1], expected[0], atol=1e-5)


def test_truncated_silent_and_cancelling_recordings_are_told(classifier, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 64000)
    soundfile.write(tmp_path / "cut.wav", samples, 32000, subtype="PCM_16")
    whole = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError, match=r"cut\.wav.*truncated"):
        scan(classifier, tmp_path / "cut.wav")
    soundfile.write(tmp_path / "side.wav", np.stack([samples, -samples], 1), 32000)
    with pytest.raises(AudioError, match="cancel"):
        scan(classifier, tmp_path / "side.wav")
    soundfile.write(tmp_path / "silent.wav", 0 * samples, 32000)
    with pytest.warns(AudioWarning, match=r"silent\.wav: the whole recording is silent"):
        result = scan(classifier, tmp_path / "silent.wav")
    assert result.silent.all()
    assert detect(result, 1e-9) == []
    assert set(result.pooled("max").p.values()) == {0.0}


@pytest.mark.parametrize("hop", [0, -1, 1.5, float("nan"), float("inf"), "half", True])
def test_a_hop_that_leaves_samples_out_is_refused(classifier, hop):
    with pytest.raises(ArgumentError, match="hop"):
        scan(classifier, noise(2), hop=hop)


def test_a_scan_is_a_table_and_a_picture():
    result = made_scan([0.1, 0.9, 0.2])
    assert result.to_frame().index.tolist() == [0.0, 1.0, 2.0]
    assert result.to_frame()["dog"].tolist() == [0.1, 0.9, 0.2]
    assert result.limits.tolist() == [0.0, 1.5, 2.5, 4.0]
    image = result.plot()
    # Parts of 1.5, 1 and 1.5 s: half-seconds would be exact, and seconds are the picture's columns.
    assert image.get_array().shape == (2, 4)
    assert image.get_array()[1].tolist() == [0.1, 0.9, 0.9, 0.2]
    html = result._repr_html_()
    assert "dog 0.900" in html
    assert "data:image/png;base64," in html


def test_pooling_by_hand():
    result = made_scan([0.5, 0.5, 0.0])
    assert result.pooled("mean").p["dog"] == pytest.approx(1 / 3)
    assert result.pooled("max").p["dog"] == 0.5
    assert result.pooled("noisy_or").p["dog"] == pytest.approx(0.75)
    assert (result.pooled("noisy_or").pooling, result.pooled().windows) == ("noisy_or", 3)
    with pytest.raises(ArgumentError, match="did you mean 'mean'"):
        result.pooled("means")


def test_events_by_hand():
    #              0-1.5  -2.5 -3.5 -4.5 -5.5 -6.5 -8
    result = made_scan([0.1, 0.6, 0.4, 0.2, 0.7, 0.1, 0.3])
    assert limits_of(detect(result, {"dog": 0.5})) == [("dog", 1.5, 3.5), ("dog", 4.5, 5.5)]
    no_hysteresis = detect(result, {"dog": 0.5}, hold=1)
    assert limits_of(no_hysteresis) == [("dog", 1.5, 2.5), ("dog", 4.5, 5.5)]
    (joined,) = detect(result, {"dog": 0.5}, merge=1)
    assert (joined.start, joined.end, joined.p, joined.low, joined.high) == (1.5, 5.5, 0.7, 0, 50)
    assert limits_of(detect(result, {"dog": 0.5}, min_duration=1.5)) == [("dog", 1.5, 3.5)]
    assert detect(result, {"dog": 0.71}) == []


def test_a_threshold_by_label_and_the_order():
    result = made_scan([0.1, 0.9, 0.1])
    events = detect(result, {"dog": 0.8, "cat": 0.9})
    assert limits_of(events) == [("cat", 0.0, 1.5), ("dog", 1.5, 2.5), ("cat", 2.5, 4.0)]
    assert limits_of(detect(result, 0.8, labels=["dog"])) == [("dog", 1.5, 2.5)]
    assert detect(made_scan([0.9], silent=[True])) == []


@given(
    p=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    threshold=st.floats(0.01, 1),
    hold=st.floats(0.01, 1),
    merge=st.floats(0, 4),
)
def test_laws_of_detection(p, threshold, hold, merge):
    result = made_scan(p)
    events = detect(result, {"dog": threshold}, hold=hold)
    limits = result.limits.tolist()
    for number, value in enumerate(p):
        begin, end = limits[number : number + 2]
        is_covered = any(event.start <= begin and end <= event.end for event in events)
        assert is_covered or value < threshold
        assert not is_covered or value >= hold * threshold
    assert all(first.end < second.start for first, second in pairwise(events))
    assert all(threshold <= event.p <= 1 for event in events)
    merged = detect(result, {"dog": threshold}, hold=hold, merge=merge)
    assert all(second.start - first.end > merge for first, second in pairwise(merged))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": {"Dog": 0.5}}, "did you mean 'dog'"),
        ({"labels": ["cow"]}, "unknown label 'cow'"),
        ({"threshold": {"dog": 0.5}, "labels": ["cat"]}, "by label"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"hold": 0}, "hold"),
        ({"hold": 1.1}, "hold"),
        ({"merge": -1}, "merge"),
        ({"min_duration": float("nan")}, "min_duration"),
    ],
)
def test_wrong_settings_of_detection_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        detect(made_scan([0.5]), **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (2.0, 1.0, "dog"),
        (-1.0, 1.0, "dog"),
        (0.0, float("nan"), "dog"),
        (0.0, 1.0, ""),
        (0.0, 1.0, None),
        (0.0, 1.0, "dog", 1.5),
        (0.0, 1.0, "dog", float("nan")),
        (0.0, 1.0, "dog", 0.5, 100.0),
        (0.0, 1.0, "dog", 0.5, 100.0, 50.0),
    ],
)
def test_an_event_that_cannot_be_is_refused(arguments):
    with pytest.raises(ArgumentError):
        Event(*arguments)


POSITIVE = st.floats(0, 1e7, allow_subnormal=False)
# Labels that every format holds: of one line, without tabs.
PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda text: not text.endswith(")")
)
ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@st.composite
def event_of(draw, labels):
    start, end = sorted((draw(POSITIVE), draw(POSITIVE)))
    low, high = draw(st.one_of(st.just((None, None)), st.tuples(POSITIVE, POSITIVE).map(sorted)))
    p = draw(st.none() | st.floats(0, 1))
    return Event(start, end, draw(labels), p, low, high)


@pytest.mark.parametrize("name", FORMATS)
def test_events_come_back_equal(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("formats")
    labels = ANY if name in ("csv", "json") else PLAIN

    @given(events=st.lists(event_of(labels), max_size=6))
    @settings(max_examples=150)
    def law(events):
        path = folder / f"a{FORMATS[name].ending}"
        write_events(path, events)
        assert read_events(path) == events

    law()


def test_labels_that_a_format_cannot_hold_are_refused(tmp_path):
    for label in ("a\tb", "a\nb", "a\rb"):
        for name in ("raven", "audacity"):
            with pytest.raises(ArgumentError, match="line break"):
                write_events(tmp_path / "a.txt", [Event(0, 1, label)], name)
    with pytest.raises(ArgumentError, match="rename"):
        write_events(tmp_path / "a.labels.txt", [Event(0, 1, "dog (p=0.5)")])
    write_events(tmp_path / "a.labels.txt", [Event(0, 1, "dog (p=0.5)", 0.25)])
    assert read_events(tmp_path / "a.labels.txt")[0].label == "dog (p=0.5)"
    with pytest.raises(ArgumentError, match="ending"):
        write_events(tmp_path / "a.xls", [])


RAVEN_DRAWN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
    "Delta Time (s)\tSpecies\r\n"
    "1\tWaveform 1\t1\t1.25\t2.5\t200.0\t1200.5\t1.25\twhale\r\n"
    "1\tSpectrogram 1\t1\t1.25\t2.5\t200.0\t1200.5\t1.25\twhale\r\n"
    "2\tSpectrogram 1\t1\t7\t8\t0\t16000\t1\tship\r\n"
)


def test_boxes_drawn_in_raven_and_labels_of_audacity_are_read(tmp_path):
    (tmp_path / "drawn.Table.1.selections.txt").write_bytes(RAVEN_DRAWN.encode())
    (tmp_path / "boxes.txt").write_bytes(RAVEN_DRAWN.encode())
    boxes = [Event(1.25, 2.5, "whale", None, 200.0, 1200.5), Event(7, 8, "ship", None, 0, 16000)]
    assert read_events(tmp_path / "drawn.Table.1.selections.txt") == boxes
    assert read_events(tmp_path / "boxes.txt") == boxes
    text = "1.0\t2.0\twhale song\n\\\t-1.000000\t-1.000000\n3.0\t3.0\t\n"
    (tmp_path / "labels.txt").write_text(text)
    assert read_events(tmp_path / "labels.txt") == [Event(1, 2, "whale song"), Event(3, 3, "?")]


OF_TWO = {
    "a.csv": "recording,start,end,label\na.wav,1,2,dog\nb.wav,1,2,dog\nb.wav,5,6,cat\n",
    "a.json": json.dumps(
        [
            {"recording": name, "start": start, "end": start + 1, "label": label}
            for name, start, label in (
                ("a.wav", 1, "dog"),
                ("b.wav", 1, "dog"),
                ("b.wav", 5, "cat"),
            )
        ]
    ),
    # Joined tables, whose selections have equal numbers.
    "joined.txt": "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tBegin File\n"
    "1\t1\t2\tdog\ta.wav\n1\t1\t2\tdog\tb.wav\n2\t5\t6\tcat\tb.wav\n",
    # Two files of 60 s that were open together: the times go on.
    "together.txt": "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\tBegin File\t"
    "File Offset (s)\n1\t1\t2\tdog\ta.wav\t1\n2\t61\t62\tdog\tb.wav\t1\n"
    "3\t65\t66\tcat\tb.wav\t5\n",
    # Files of one name in two folders.
    "paths.txt": "Begin Time (s)\tEnd Time (s)\tCommon Name\tBegin Path\tBegin File\n"
    "1\t2\tdog\ta.wav\tx.wav\n1\t2\tdog\tb.wav\tx.wav\n5\t6\tcat\tb.wav\tx.wav\n",
}


@pytest.mark.parametrize("name", OF_TWO)
def test_events_of_several_recordings_are_not_taken_for_those_of_one(tmp_path, name):
    path = tmp_path / name
    path.write_text(OF_TWO[name])
    with pytest.raises(ArgumentError, match=rf"{name}: has events of 2 .*'a.wav', 'b.wav'.*choose"):
        read_events(path)
    assert read_events(path, recording="a.wav") == [Event(1, 2, "dog")]
    assert read_events(path, recording="b.wav") == [Event(1, 2, "dog"), Event(5, 6, "cat")]
    with pytest.raises(ArgumentError, match=r"no recording 'c.wav'.*: 'a.wav', 'b.wav'"):
        read_events(path, recording="c.wav")


def read_table(tmp_path, *lines, **options):
    heads = "Begin Time (s)\tEnd Time (s)\tSpecies\tBegin Path\tBegin File\tFile Offset (s)"
    path = tmp_path / "table.selections.txt"
    path.write_text("\n".join([heads, *lines, ""]))
    return [(event.start, event.end) for event in read_events(path, **options)]


def test_an_event_begins_at_its_offset_in_the_file(tmp_path):
    """Also if the file was opened as the second, and only where the offset is known."""
    assert read_table(tmp_path, "61\t62\tdog\t\tb.wav\t1") == [(1, 2)]
    lines = ("1\t2\tdog\t\ta.wav\t", "61\t62\tdog\t\tb.wav\t1")
    assert read_table(tmp_path, *lines, recording="a.wav") == [(1, 2)]
    assert read_table(tmp_path, *lines, recording="b.wav") == [(1, 2)]


def test_a_recording_is_chosen_by_its_name_or_its_path(tmp_path):
    lines = ("1\t2\tdog\tC:\\x\\a.wav\ta.wav\t1", "3\t4\tdog\tC:\\x\\b.wav\tb.wav\t3")
    for recording in ("b.wav", "C:\\x\\b.wav"):
        assert read_table(tmp_path, *lines, recording=recording) == [(3, 4)]
    of_two_folders = (lines[0], lines[0].replace("x", "y"))
    with pytest.raises(ArgumentError, match=r"of 2 recordings .*choose one"):
        read_table(tmp_path, *of_two_folders, recording="a.wav")


def test_events_that_name_no_recording_are_of_the_only_one(tmp_path):
    lines = ("1\t2\tdog\t\ta.wav\t1", "3\t4\tdog")
    assert read_table(tmp_path, *lines) == [(1, 2), (3, 4)]
    assert read_table(tmp_path, *lines, recording="a.wav") == [(1, 2), (3, 4)]
    with pytest.raises(ArgumentError, match=r"of 2 recordings .*others that name none"):
        read_table(tmp_path, *lines, "5\t6\tdog\t\tb.wav\t5", recording="a.wav")


def test_a_name_in_json_may_be_a_number(tmp_path):
    path = tmp_path / "events.json"
    path.write_text('[{"start": 0, "end": 1, "label": "dog", "recording": {"id": 1}}]')
    assert len(read_events(path)) == 1
    path.write_text('[{"start": 0, "end": 1, "label": "dog", "recording": 1}]')
    assert len(read_events(path, recording="1")) == 1


def test_a_file_that_names_one_recording_or_none(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("recording,start,end,label\na.wav,1,2,dog\na.wav,3,4,dog\n")
    assert read_events(path) == read_events(path, recording="a.wav")
    assert len(read_events(path)) == 2
    for file in FORMATS.values():
        write_events(tmp_path / f"a{file.ending}", EVENTS)
        with pytest.raises(ArgumentError, match=r"names no recording 'a.wav'; .*: none"):
            read_events(tmp_path / f"a{file.ending}", recording="a.wav")
    many = "".join(f"{number}.wav,1,2,dog\n" for number in range(100))
    path.write_text("recording,start,end,label\n" + many)
    with pytest.raises(ArgumentError, match=r"100 recordings \('0.wav', .*'4.wav', …\)"):
        read_events(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "start,end\n0,1\n"),
        ("a.csv", "start,end,label\n0,one,dog\n"),
        ("a.csv", "start,end,label\n2,1,dog\n"),
        ("a.json", "{"),
        ("a.json", '{"boxes": []}'),
        ("a.json", '{"events": [3]}'),
        ("a.labels.txt", "dog at noon\n"),
        ("a.selections.txt", "Selection\tView\n1\tWaveform 1\n"),
        ("a.selections.txt", "Begin Time (s)\tEnd Time (s)\tLabel\nx\t1\tdog\n"),
    ],
)
def test_files_of_another_content_are_named(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(AudioInterpError, match=name):
        read_events(tmp_path / name)
    with pytest.raises(AudioInterpError, match="cannot be read"):
        read_events(tmp_path / "missing" / name)


EVENTS = [
    Event(0.5, 1.25, "dog", 0.875, 100.5, 800.0),
    Event(2.0, 3.0, 'a "cat", big', 0.1, 0.0, 50.0),
]


def test_pandas_reads_our_tables(tmp_path):
    write_events(tmp_path / "a.csv", EVENTS)
    write_events(tmp_path / "a.selections.txt", EVENTS)
    table = pd.read_csv(tmp_path / "a.csv")
    assert [Event(*row) for row in table.itertuples(index=False)] == EVENTS
    raven = pd.read_csv(tmp_path / "a.selections.txt", sep="\t", quoting=csv.QUOTE_NONE)
    assert raven["Begin Time (s)"].tolist() == [0.5, 2.0]
    assert raven["Annotation"].tolist() == ["dog", 'a "cat", big']
    assert raven["Selection"].tolist() == [1, 2]


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_crowsetta_reads_our_selection_table(tmp_path):
    crowsetta = pytest.importorskip("crowsetta", reason="pip install --no-deps crowsetta")
    write_events(tmp_path / "a.selections.txt", [EVENTS[0]])
    raven = crowsetta.formats.bbox.Raven.from_file(tmp_path / "a.selections.txt")
    (box,) = raven.to_bbox()
    read = Event(box.onset, box.offset, box.label, None, box.low_freq, box.high_freq)
    assert read == Event(0.5, 1.25, "dog", None, 100.5, 800.0)


RATE = 8000


def tone_detector():
    """p of "tone" is 1 where the power at 1 to 2 kHz exceeds that of a quiet tone of 0.2 s."""

    def predict(wavs):
        power = np.abs(np.fft.rfft(wavs, axis=-1)) ** 2
        hertz = np.fft.rfftfreq(wavs.shape[-1], 1 / RATE)
        share = power[:, (hertz >= 1000) & (hertz < 2000)].sum(1) / 2e4
        p = share / (1 + share)
        return np.stack([1 - p, p], 1)

    return Classifier.from_function(
        predict, ["rest", "tone"], sample_rate=RATE, duration=2.0, normalize="none"
    )


def with_tones(seconds, tones, level=0.001):
    """Quiet noise with tones (start, end, Hz, level)."""
    wav = level / 0.1 * noise(seconds, RATE)
    time = torch.arange(wav.shape[-1]) / RATE
    for start, end, hertz, amplitude in tones:
        wav += amplitude * ((time >= start) & (time < end)) * torch.sin(2 * torch.pi * hertz * time)
    return wav


def test_the_box_is_where_the_sound_is():
    """The low tone is louder, but is not what the detector hears."""
    wav = with_tones(10, [(6.2, 6.6, 1500, 0.3), (6.0, 8.0, 300, 0.6)])
    classifier = tone_detector()
    (event,) = detect(scan(classifier, wav, hop=0.5), {"tone": 0.5})
    assert event.start < 6.2 < 6.6 < event.end
    (explained,) = explain_events(classifier, wav, [event], "occlusion")
    begin, end = explained.window
    assert begin <= 6.2 < 6.6 <= end
    assert explained.p > 0.9
    assert explained.p_in >= explained.p / 2 > explained.p_out
    assert explained.loses
    assert (explained.rank, explained.others) == (1, 19)
    box = explained.box
    assert 6.1 < box.start < box.end < 6.7
    assert 900 < box.low < 1500 < box.high < 2100
    # What is played is what was classified.
    sounds = explained.sounds.items()
    heard = {name: float(classifier.probabilities(sound)[0, 1]) for name, sound in sounds}
    assert heard["box"] == pytest.approx(explained.p_in, abs=1e-4)
    assert heard["rest"] == pytest.approx(explained.p_out, abs=1e-4)
    assert heard["window"] == pytest.approx(explained.p, abs=1e-4)
    assert "rank 1 among 20" in explained.verdict
    assert "Why tone?" in explained._repr_html_()


def test_a_steady_sound_has_no_box():
    """Its background is the sound itself, which is heard without any box."""
    wav = with_tones(6, [(0, 6, 1500, 0.3)])
    (explained,) = explain_events(tone_detector(), wav, [Event(2, 4, "tone")], "occlusion")
    assert not explained.loses
    assert explained.rank is None
    assert (explained.box.low, explained.box.high) == (0, RATE / 2)
    assert explained.verdict.startswith("no box: ")
    for text in (repr(explained), explained._repr_html_()):
        assert "no box" in text
        assert "4000 Hz" not in text


def test_the_strongest_window_of_a_long_event_is_explained():
    tones = [(1.0, 1.1, 1500, 0.05), (7.0, 7.3, 1500, 0.3), (12.0, 12.1, 1500, 0.05)]
    wav = with_tones(14, tones)
    events = [Event(0.5, 13, "tone", 0.9), Event(0.9, 1.2, "tone")]
    explained = explain_events(tone_detector(), wav, events, "occlusion", others=3)
    assert [record.event for record in explained] == events
    assert explained[0].window[0] <= 7.0 < 7.3 <= explained[0].window[1]
    assert explained[1].window[0] <= 1.0 < 1.1 <= explained[1].window[1]
    assert explained[0].box.p == 0.9
    assert explained[1].box.p == explained[1].p


def sure_of_silence():
    """p of "rest" is 1 for silence, and 0.5 for all else."""

    def predict(wavs):
        p = np.where(wavs.reshape(len(wavs), -1).any(1), 0.5, 1.0)
        return np.stack([p, 1 - p], 1)

    labels = ["rest", "tone"]
    return Classifier.from_function(
        predict, labels, sample_rate=RATE, duration=2.0, normalize="none"
    )


def test_silence_is_explained_only_if_there_is_nothing_else():
    """Detection takes silence as p = 0, however sure the network is of it."""
    wav = torch.zeros(1, 1, 20 * RATE)
    wav[..., : 3 * RATE] = noise(3, RATE)
    wav[..., -3 * RATE :] = noise(3, RATE)
    (event,) = detect(scan(sure_of_silence(), wav), {"rest": 0.4}, merge=20)
    assert (event.start, event.end, event.p) == (0.0, 20.0, 0.5)
    events = [event, Event(9, 11, "rest")]
    of_sound, of_silence = strongest_pieces(sure_of_silence(), wav, events, [0, 0])
    assert of_sound.wav.any()
    assert not of_silence.wav.any()
    assert 8 * RATE <= of_silence.start <= 10 * RATE


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.0])
def test_all_events_of_a_recording_of_one_window_are_explained(seconds):
    """Wherever their middles are: the only window serves them all."""
    wav = noise(seconds, RATE)
    begins = [0.1, 0.6 * seconds, 0.95 * seconds]
    events = [Event(begin, begin + 0.02, "tone") for begin in begins]
    for chosen in (events, events[2:], events[::-1]):
        pieces = strongest_pieces(tone_detector(), wav, chosen, [1] * len(chosen))
        assert all(piece.start == 0 and piece.wav.equal(wav) for piece in pieces)
    with pytest.raises(ArgumentError, match=r"tone at 3 s is after the end of the recording"):
        strongest_pieces(tone_detector(), wav, [events[0], Event(3, 4, "tone")], [1, 1])


@pytest.mark.parametrize("end", [30, 1e12])
def test_long_events_share_their_windows(end, monkeypatch):
    """However many events there are, or wherever they end: four windows per duration at most."""
    heard = []

    def counted(classifier, pieces):
        heard.extend(piece.start for piece in pieces)
        return heard_in(classifier, pieces)

    monkeypatch.setattr(explaining, "heard_in", counted)
    wav = with_tones(30, [(21.0, 21.3, 1500, 0.3)])
    events = [Event(start, end, "tone") for start in (0, 1, 2.5)]
    pieces = strongest_pieces(tone_detector(), wav, events, [1, 1, 1])
    assert len(heard) <= 4 * 30 / 2 + 1
    for piece in pieces:
        assert piece.start <= 21 * RATE < 21.3 * RATE <= piece.start + 2 * RATE


def test_without_events_the_recording_is_not_read(tmp_path):
    assert explain_events(tone_detector(), tmp_path / "gone.wav", [], "occlusion") == []


def test_an_event_of_a_file_is_explained_as_that_of_its_samples(tmp_path):
    wav = with_tones(6, [(3.0, 3.4, 1500, 0.3)])
    soundfile.write(tmp_path / "a.wav", wav.flatten().numpy(), RATE, subtype="FLOAT")
    event = Event(2.5, 4, "tone")
    (of_file,) = explain_events(tone_detector(), tmp_path / "a.wav", [event], "occlusion", others=0)
    (of_samples,) = explain_events(tone_detector(), wav, [event], "occlusion", others=0)
    assert of_file.box == of_samples.box
    assert of_file.attribution.values.equal(of_samples.attribution.values)


@pytest.mark.parametrize(
    ("event", "options", "message"),
    [
        (Event(0, 1, "Tone"), {}, "did you mean 'tone'"),
        (Event(9, 10, "tone"), {}, "after the end of the recording"),
        (Event(0, 1, "tone"), {"fill": "silense"}, "did you mean 'silence'"),
        (Event(0, 1, "tone"), {"keep": 0}, "keep"),
        (Event(0, 1, "tone"), {"others": -1}, "others"),
    ],
)
def test_what_cannot_be_explained_is_named(event, options, message):
    with pytest.raises(ArgumentError, match=message):
        explain_events(tone_detector(), with_tones(4, []), [event], "occlusion", **options)


@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    count=st.integers(0, 30),
)
def test_boxes_elsewhere_have_the_size_and_lie_elsewhere(shape, corner, count):
    low, high = sorted(round(share * shape[0]) for share in corner[:2])
    first, last = sorted(round(share * shape[1]) for share in corner[2:])
    if low == high or first == last:
        return
    box = Box(low, high, first, last)
    others = boxes_elsewhere(box, shape, count)
    assert len(set(others)) == len(others) <= count
    for other in others:
        assert (other.bins, other.frames) == (box.bins, box.frames)
        assert other.low_bin >= 0
        assert other.high_bin <= shape[0]
        assert other.first_frame >= 0
        assert other.last_frame <= shape[1]
        assert box.iou(other) <= 0.5
    places = (shape[0] - box.bins + 1) * (shape[1] - box.frames + 1)
    assert len(others) == count or len(others) < places


@given(seed=st.integers(0, 1000), bins=st.integers(1, 20), frames=st.integers(1, 30))
def test_first_boxes_hold_the_most_of_the_map(seed, bins, frames):
    values = torch.randn(bins, frames, generator=torch.Generator().manual_seed(seed))
    boxes = first_boxes(values)
    assert boxes[-1] == Box(0, bins, 0, frames)
    positive = values.double().clamp_min(0)
    masses = [
        float(positive[box.low_bin : box.high_bin, box.first_frame : box.last_frame].sum())
        for box in boxes
    ]
    assert masses == sorted(masses)
    areas = [box.area for box in boxes]
    assert areas == sorted(areas)


@pytest.fixture(scope="module")
def a_box_and_none(tmp_path_factory):
    """A recording with a tone that has a box, and one of a steady tone, each with its folder."""
    folder = tmp_path_factory.mktemp("boxes")
    sounds = {
        "box": with_tones(6, [(3.2, 3.6, 1500, 0.3)]),
        "steady": with_tones(6, [(0, 6, 1500, 0.3)]),
    }
    written = {}
    for name, wav in sounds.items():
        soundfile.write(folder / f"{name}.wav", wav[0, 0].numpy(), RATE)
        for explain in (0, 1):
            settings = ScanSettings(threshold={"tone": 0.5}, method="occlusion", explain=explain)
            scanned = scan_recording(tone_detector(), folder / f"{name}.wav", settings)
            place = folder / f"{name}-{explain}"
            write_recording(place, scanned, write_events_page, {})
            written[name, explain] = place
    return written


@pytest.mark.parametrize(
    ("name", "explain", "box"),
    [("box", 1, "found"), ("steady", 1, "none"), ("box", 0, "not explained")],
)
def test_whether_there_is_a_box_is_told_in_the_files(a_box_and_none, name, explain, box):
    folder = a_box_and_none[name, explain]
    (row,) = csv.DictReader((folder / "events.csv").read_text().splitlines())
    (entry,) = json.loads((folder / "events.json").read_text())["events"]
    assert row["box"] == entry["box"] == box
    assert (float(row["low"]), float(row["high"])) == (entry["low"], entry["high"])
    assert (entry["high"] < RATE / 2) == (box == "found")
    assert len(read_events(folder / "boxes.selections.txt")) == (box == "found")
    (event,) = read_events(folder / "events.csv")
    for file in ("events.json", "events.selections.txt", "events.labels.txt"):
        assert read_events(folder / file) == [event]


def test_a_page_shows_no_box_where_there_is_none(a_box_and_none):
    page = (a_box_and_none["steady", 1] / "index.html").read_text()
    assert "<p>No box: what lies in the background" in page
    assert "The box" not in page
    assert "the box alone" not in page
    assert "<td>no box<td>" in page
    assert page.count("<audio") == 2
    page = (a_box_and_none["box", 1] / "index.html").read_text()
    assert "<p>The box: 00:03." in page
    assert page.count("<audio") == 3
    result = json.loads((a_box_and_none["steady", 1] / "result.json").read_text())
    assert result["explained"][0]["box"] is None


def test_a_time_is_rounded_before_it_is_parted():
    times = {59.994: "00:59.99", 59.996: "01:00.00", 3599.996: "1:00:00.00", 133.5: "02:13.50"}
    assert {seconds: _clock(seconds) for seconds in times} == times


def test_a_picture_has_no_rectangle_where_there_is_no_box(monkeypatch):
    drawn = []
    monkeypatch.setattr("audiointerp.display.figure_address", lambda figure: drawn.append(figure))
    for tones in ([(3.2, 3.6, 1500, 0.3)], [(0, 6, 1500, 0.3)]):
        wav = with_tones(6, tones)
        (why,) = explain_events(tone_detector(), wav, [Event(3, 4, "tone")], "occlusion")
        _picture(why)
    assert [len(figure.axes[0].patches) for figure in drawn] == [1, 0]
