"""Odd names, tables, annotations and command lines: right, or one line that says what is wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiointerp import (
    ArgumentError,
    AudioInterpError,
    Classifier,
    Cnn6,
    Event,
    LogMel,
    display,
    read_events,
)
from audiointerp.cli.clip_sources import _names, sound_files_of
from audiointerp.cli.scan import recordings_in, threshold_in
from audiointerp.events import (
    FolderScan,
    ScanSettings,
    matched_events,
    scan_files,
    scan_recording,
)
from audiointerp.events.heat_map import heat_map, png_of
from audiointerp.util import encodable

CLIP = Path("clip.wav")
FORMULA = r"x$\q$"
"""What matplotlib would take as a formula that it cannot read."""


def small(labels=("cat", "dog")):
    torch.manual_seed(0)
    network = Cnn6(len(labels), base_channels=4)
    return Classifier(network, LogMel(), labels, duration=1.0)


def write_sound(path):
    path.parent.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    soundfile.write(path, 0.1 * generator.standard_normal(32000), 32000)
    return path


def no_page(*page):
    del page


@pytest.mark.skipif(os.name != "posix", reason="only there, names are bytes")
def test_a_name_that_is_not_utf8_does_not_end_the_scan(tmp_path):
    write_sound(tmp_path / "in" / "good.wav")
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/h\xfctte.wav")).touch()
    except OSError:
        pytest.skip("this file system refuses such names")
    task = FolderScan(tmp_path / "out", ScanSettings(explain=0), {}, no_page, no_page)
    rows = scan_files(task, small, recordings_in(tmp_path / "in"), progress=False)
    assert {row["recording"]: row["status"] for row in rows} == {
        "good.wav": "ok",
        r"h\udcfctte.wav": "error",
    }


def test_a_link_to_nothing_is_not_left_out(tmp_path):
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    assert [name for name, _ in recordings_in(tmp_path)] == ["gone.wav"]


def test_names_and_labels_with_dollars_are_no_formulas(tmp_path):
    classifier = small((FORMULA, "dog"))
    path = write_sound(tmp_path / f"{FORMULA}.wav")
    settings = ScanSettings(threshold=1e-9, labels=(FORMULA,), explain=1)
    scanned = scan_recording(classifier, path, settings)
    assert scanned.scan.recording == encodable(path.name)
    assert png_of(scanned.scan.plot).startswith("data:image/png")
    spectrogram = scanned.explained[0].spectrogram
    assert png_of(lambda ax: display.plot.spectrogram(spectrogram, ax, title=FORMULA))
    assert png_of(lambda ax: display.plot.confusion(torch.eye(2), (FORMULA, "dog"), ax))
    image = heat_map(np.arange(3.0), np.eye(1, 2), [FORMULA], title=FORMULA)
    assert image.axes.get_title() == FORMULA


def test_an_interrupted_second_scan_leaves_no_finished_result(tmp_path):
    """Else its files would stand beside the finished result of the settings before."""
    recordings = [("a.wav", write_sound(tmp_path / "a.wav"))]

    def interrupted(*page):
        raise KeyboardInterrupt

    def scan_by(label, page, resume=True):
        settings = ScanSettings(threshold={label: 1e-9}, explain=0)
        task = FolderScan(tmp_path / "out", settings, {}, page, no_page)
        return scan_files(task, small, recordings, resume=resume, progress=False)

    scan_by("cat", no_page)
    with pytest.raises(KeyboardInterrupt):
        scan_by("dog", interrupted, resume=False)
    assert not (tmp_path / "out" / "a.wav" / "result.json").exists()
    # The next call scans it again, with either settings.
    (row,) = scan_by("cat", no_page)
    assert row["events"] == 1
    for table in (tmp_path / "out" / "events.csv", tmp_path / "out" / "a.wav" / "events.csv"):
        assert [event.label for event in read_events(table)] == ["cat"]


def test_results_of_other_settings_or_classifiers_are_not_listed_together(tmp_path):
    """The tables hold the events of all calls, and have no column for the settings."""
    paths = {name: write_sound(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")}

    model = {"device": "cpu"}

    def scan_by(names, merge=0.0, network="first", **options):
        settings = ScanSettings(threshold={"dog": 1e-9}, merge=merge, explain=0)
        task = FolderScan(
            tmp_path / "out", settings, model | {"network": network}, no_page, no_page
        )
        recordings = [(name, paths[name]) for name in names]
        rows = scan_files(task, small, recordings, progress=False, **options)
        return [row["recording"] for row in rows]

    assert scan_by(["a.wav"]) == ["a.wav"]
    # Of other recordings, another device is no other classifier.
    model["device"] = "cuda"
    assert scan_by(["b.wav"]) == ["a.wav", "b.wav"]
    for other, message in (
        ({"merge": 1.0}, r"a\.wav: .* with other settings \(merge 0\.0, now 1\.0\)"),
        ({"network": "second"}, r"a\.wav: .* with another classifier \(network 'first', now 'sec"),
    ):
        for options in ({}, {"resume": False}, {"shard": (1, 2)}):
            with pytest.raises(ArgumentError, match=message + ".* another --out"):
                scan_by(["c.wav"], **other, **options)
        assert not (tmp_path / "out" / "c.wav").exists()
    with pytest.raises(ArgumentError, match=r"b\.wav: .* with other settings"):
        scan_by(["a.wav"], merge=1.0, resume=False)
    # All of them anew, in shards.
    assert len(scan_by(["a.wav", "b.wav"], merge=1.0, resume=False, shard=(1, 2))) == 2
    with pytest.raises(ArgumentError, match=r"b\.wav: .* with other settings"):
        scan_by(["a.wav", "b.wav"], merge=1.0, shard=(1, 2))
    assert len(scan_by(["a.wav", "b.wav"], merge=1.0, resume=False, shard=(2, 2))) == 2
    # What failed has no events, and needs no other folder.
    (tmp_path / "empty.wav").touch()
    paths["empty.wav"] = tmp_path / "empty.wav"
    scan_by(["empty.wav"], merge=1.0)
    scan_by(["a.wav", "b.wav"], merge=2.0, resume=False)
    assert scan_by(["c.wav"], merge=2.0) == ["a.wav", "b.wav", "c.wav", "empty.wav"]


def test_results_do_not_take_the_place_of_recordings(tmp_path):
    path = write_sound(tmp_path / "a.wav")
    task = FolderScan(tmp_path, ScanSettings(explain=0), {}, no_page, no_page)
    with pytest.raises(ArgumentError, match=r"a\.wav: is a file, where the results"):
        scan_files(task, small, [("a.wav", path)], progress=False)
    assert os.listdir(tmp_path) == ["a.wav"]


def test_one_threshold_for_a_label():
    with pytest.raises(ArgumentError, match="a label has two thresholds"):
        threshold_in("dog=0.5,rain=0.1,dog=0.9")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", 'start,end,label\n0,1,dog\n"0,5",1,dog\n', "line 3: could not convert"),
        ("a.csv", "start,end,label\n0,1,dog\n3,2,dog\n", "line 3: dog: from 3.0 to 2.0"),
        ("a.csv", f"start,end,label\n0,1,{'x' * 200_000}\n", "field larger than"),
        ("a.labels.txt", "0\t1\tdog\n0,5\t1\tdog\n", "line 2: could not convert"),
        ("a.labels.txt", "0\t1\tdog\nhello\n", "line 2: not start, end and label"),
        (
            "a.selections.txt",
            "Begin Time (s)\tEnd Time (s)\tSpecies\n0\t1\tdog\n\t1\tdog\n",
            "line 3: could not convert",
        ),
        ("a.json", "[" * 100_000, "recursion"),
        ("a.json", f'[{{"start": 1{"0" * 400}, "end": 1, "label": "d"}}]', "give two finite"),
        ("a.json", '[{"start": "0", "end": 1, "label": "d"}]', "give two finite"),
        ("a.json", '[{"start": 0, "end": 1, "label": "d", "p": "1"}]', "no probability"),
    ],
    ids=range(10),
)
def test_faults_of_annotations_have_their_place(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(AudioInterpError, match=message) as caught:
        read_events(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize("values", [("0", 1, "d"), (None, 1, "d"), (0, 1, "d", "x")])
def test_what_is_no_number_is_no_event(values):
    with pytest.raises(ArgumentError):
        Event(*values)


def test_joined_tables_of_raven_keep_their_rows(tmp_path):
    rows = [
        "1\tWaveform 1\t0\t1\tdog",
        "1\tSpectrogram 1\t0\t1\tdog",
        "1\tSpectrogram 1\t5\t6\tcat",
    ]
    rows += ["\tSpectrogram 1\t7\t8\tdog", "\tSpectrogram 1\t7\t8\tcat"]
    heads = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tSpecies"
    (tmp_path / "a.selections.txt").write_text("\n".join([heads, *rows]))
    events = read_events(tmp_path / "a.selections.txt")
    assert [(event.start, event.label) for event in events] == [
        (0, "dog"),
        (5, "cat"),
        (7, "dog"),
        (7, "cat"),
    ]


def test_a_view_of_raven_without_frequencies_is_no_second_event(tmp_path):
    """The waveform's rows may lack the band; a selection of another band is another event."""
    rows = [
        "1\tWaveform 1\t0\t1\t\t\tdog",
        "1\tSpectrogram 1\t0\t1\t100\t800\tdog",
        "2\tSpectrogram 1\t5\t6\t100\t800\tcat",
        "2\tWaveform 1\t5\t6\t\t\tcat",
        "3\tWaveform 1\t0\t1\t\t\tdog",
        "1\tSpectrogram 1\t0\t1\t900\t950\tdog",
        "4\tSpectrogram 1\t9\t9.5\t\t\tdog",
        "4\tSpectrogram 1\t9\t9.5\t100\t800\tdog",
    ]
    heads = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies"
    (tmp_path / "a.selections.txt").write_text("\n".join([heads, *rows]))
    events = read_events(tmp_path / "a.selections.txt")
    assert [(event.start, event.low) for event in events] == [
        (0, 100),
        (5, 100),
        (0, None),
        (0, 900),
        (9, None),
        (9, 100),
    ]


def test_long_chains_of_events_are_matched():
    """Each event must hand its partner over to the one before: 1200 times."""
    count = 1200
    events = [Event(number, number + 0.5, "dog") for number in range(count)]
    near = {(number, number + step) for number in range(1, count) for step in (0, 1)} | {(0, 1)}
    annotated = [*events[1:], events[0]]
    detected = [*events, Event(count, count + 0.5, "dog")]
    pairs = matched_events(annotated, detected, lambda a, d: (int(a.start), int(d.start)) in near)
    assert len(pairs) == count
    assert len({number for _, number in pairs}) == count


def test_clips_are_taken_once_and_named_apart(tmp_path, capsys):
    for place in ("a/x.wav", "b/x.wav", "a/y.wav", "a/deep/z.wav"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    files = sound_files_of([tmp_path / "a", tmp_path / "b", tmp_path / "a" / "x.wav"])
    assert [str(file.relative_to(tmp_path)) for file in files] == ["a/x.wav", "a/y.wav", "b/x.wav"]
    assert f"{Path('a', 'deep')}" in capsys.readouterr().err
    assert list(_names(files).values()) == [str(files[0]), "y.wav", str(files[2])]
