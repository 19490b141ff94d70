"""Many recordings: what is written, what fails, and what a killed scan leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import small_classifier

from audiointerp import read_events
from audiointerp.cli.scan import recordings_in, threshold_in
from audiointerp.errors import ArgumentError

FILES = (
    *("index.html", "result.json", "windows.csv"),
    *("events.csv", "events.json", "events.selections.txt", "events.labels.txt"),
    "boxes.selections.txt",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    small_classifier().save(path)
    return path


def write_noise(path, seconds, seed, rate=16000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype="PCM_16")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Four that can be scanned, of several rates and channels, and two that cannot."""
    folder = tmp_path_factory.mktemp("recordings")
    write_noise(folder / "a.wav", 4, 0)
    write_noise(folder / "b.wav", 3, 1, rate=44100, channels=8)
    write_noise(folder / "day 2" / "c.wav", 5, 2, rate=8000)
    write_noise(folder / "day 2" / "d.flac", 2, 3)
    (folder / "cut.wav").write_bytes((folder / "a.wav").read_bytes()[:50000])
    (folder / "phone.m4a").write_bytes(b"no sound that is decoded")
    (folder / "notes.txt").write_text("no sound")
    return folder


def arguments(recordings, weights, out, *more):
    settings = ("--threshold", "0.3", "--explain", "1", "--method", "saliency", "--hop", "0.5")
    return ("scan", recordings, "--weights", weights, "--out", out, *settings, *more)


def contents(out):
    """All files by their names, but for the locks, which name the process."""
    files = [path for path in sorted(Path(out).rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in files
        if not path.name.startswith(".lock")
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory, recordings, weights):
    """What a scan leaves that nothing disturbs."""
    out = tmp_path_factory.mktemp("expected") / "events"
    command = [sys.executable, "-m", "audiointerp"]
    command += map(str, arguments(recordings, weights, out, "--max-errors", 2))
    subprocess.run(command, check=True, capture_output=True)
    return out


def test_a_folder_gives_a_row_for_each_recording(expected, recordings):
    table = pd.read_csv(expected / "recordings.csv", keep_default_na=False)
    status = dict(zip(table["recording"], table["status"], strict=True))
    assert status == {
        "a.wav": "ok",
        "b.wav": "ok",
        "cut.wav": "error",
        "day 2/c.wav": "ok",
        "day 2/d.flac": "ok",
        "phone.m4a": "error",
    }
    errors = dict(zip(table["recording"], table["error"], strict=True))
    assert "truncated" in errors["cut.wav"]
    assert "ffmpeg -i phone.m4a" in errors["phone.m4a"]
    seconds = dict(zip(table["recording"], table["seconds"], strict=True))
    assert float(seconds["day 2/c.wav"]) == 5.0


def test_all_files_of_a_recording_have_the_same_events(expected):
    folder = expected / "day 2" / "c.wav"
    assert {path.name for path in folder.iterdir()} == set(FILES)
    events = read_events(folder / "events.csv")
    assert events
    for name in ("events.json", "events.selections.txt", "events.labels.txt"):
        assert read_events(folder / name) == events
    result = json.loads((folder / "result.json").read_text())
    assert len(result["explained"]) == 1
    (explained,) = result["explained"]
    (box,) = read_events(folder / "boxes.selections.txt")
    assert [box.start, box.end] == [explained["box"]["start"], explained["box"]["end"]]
    # An event has the times of its detection, and the band of its box if it was explained.
    place = (explained["event"]["start"], explained["event"]["label"])
    (event,) = [event for event in events if (event.start, event.label) == place]
    assert (event.end, event.p) == (explained["event"]["end"], explained["event"]["p"])
    assert (event.low, event.high) == (box.low, box.high)
    page = (folder / "index.html").read_text()
    anchors = re.findall('href="#([^"]+)"', page)
    assert len(anchors) == 1
    assert f'id="{anchors[0]}"' in page
    assert len(pd.read_csv(folder / "windows.csv")) == result["windows"] == 9
    everything = pd.read_csv(expected / "events.csv")
    assert (everything["recording"] == "day 2/c.wav").sum() == len(events)


def test_the_page_has_players_with_their_p(expected):
    page = (expected / "a.wav" / "index.html").read_text()
    result = json.loads((expected / "a.wav" / "result.json").read_text())
    (explained,) = result["explained"]
    assert page.count("<audio") == 3
    for name in ("p", "p_in", "p_out"):
        assert f"<td>{explained[name]:.3f}" in page
    assert explained["verdict"] in page
    assert f"{result['pooling']} of {result['windows']} windows" in page


def test_shards_and_workers_give_the_same_bytes(
    in_this_process, recordings, weights, expected, tmp_path
):
    first = arguments(recordings, weights, tmp_path / "out", "--shard", "1/2", "--max-errors", 2)
    status, out, _ = in_this_process(*first)
    assert status == 0
    assert "3 of 6 recordings are finished" in out
    second = arguments(recordings, weights, tmp_path / "out", "--shard", "2/2", "--workers", 2)
    status, _, err = in_this_process(*second)
    assert status == 1
    assert "1 of 3 recordings failed" in err
    assert contents(tmp_path / "out") == contents(expected)


def test_a_killed_scan_is_resumed_to_the_same_bytes(recordings, weights, expected, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "audiointerp", *map(str, arguments(recordings, weights, out))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / "a.wav" / "result.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "recordings.csv").exists()
    # As if it had been killed while it wrote.
    (out / "b.wav").mkdir(exist_ok=True)
    (out / "b.wav" / ".index.partial.html").write_text("half a pa")
    finished = (out / "a.wav" / "result.json").stat().st_mtime_ns
    subprocess.run([*command, "--max-errors", "2"], check=True, capture_output=True)
    assert contents(out) == contents(expected)
    assert (out / "a.wav" / "result.json").stat().st_mtime_ns == finished


def test_results_of_other_settings_or_sounds_are_not_mixed(in_this_process, weights, tmp_path):
    write_noise(tmp_path / "a.wav", 2, 0)
    command = ("scan", tmp_path / "a.wav", "--weights", weights, "--out", tmp_path / "out")
    assert in_this_process(*command, "--explain", 0)[0] == 0
    status, _, err = in_this_process(*command, "--explain", 0, "--merge", 1)
    assert status == 1
    assert "made with other settings" in err
    assert in_this_process(*command, "--explain", 0, "--merge", 1, "--no-resume")[0] == 0
    write_noise(tmp_path / "a.wav", 2, 1)
    status, _, err = in_this_process(*command, "--explain", 0, "--merge", 1)
    assert (status, "another file" in err) == (1, True)


def test_a_silent_recording_is_told(in_this_process, weights, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(64000), 32000)
    command = ("scan", tmp_path / "silent.wav", "--weights", weights, "--out", tmp_path / "out")
    status, out, _ = in_this_process(*command)
    assert status == 0
    assert "silent.wav: 0 events in 2.0 s" in out
    assert "the whole recording is silent" in out
    assert "the whole recording is silent" in (tmp_path / "out/silent.wav/index.html").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--threshold", "high"), "--threshold high"),
        (("--threshold", "dog=0.5"), "unknown label 'dog'"),
        (("--hop", 3), "hop=3.0"),
        (("--method", "grad-cam"), "did you mean 'gradcam'"),
        (("--fill", "noises"), "did you mean 'noise'"),
        (("--pooling", "median"), "unknown pooling"),
        (("--shard", "3/2"), "shard 3/2"),
        (("--labels", "dog"), "unknown label 'dog'"),
    ],
)
def test_mistakes_are_named_before_anything_is_read(
    in_this_process, recordings, weights, tmp_path, more, message
):
    command = ("scan", recordings, "--weights", weights, "--out", tmp_path / "out")
    status, _, err = in_this_process(*command, *more)
    assert status == 1
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "a.wav").exists()


def test_which_files_are_recordings(tmp_path, in_this_process, weights):
    status, _, err = in_this_process("scan", tmp_path, "--weights", weights)
    assert (status, "no sound file" in err) == (1, True)
    status, _, err = in_this_process("scan", tmp_path / "none.wav", "--weights", weights)
    assert (status, "no such sound file or folder" in err) == (1, True)
    write_noise(tmp_path / "z" / "a.wav", 1, 0)
    (tmp_path / "z" / "._a.wav").touch()
    assert [name for name, _ in recordings_in(tmp_path)] == ["z/a.wav"]
    assert [name for name, _ in recordings_in(tmp_path / "z" / "a.wav")] == ["a.wav"]


def test_thresholds_by_label():
    assert threshold_in("a=b=0.5") == {"a=b": 0.5}
    with pytest.raises(ArgumentError, match="--threshold"):
        threshold_in("dog=loud")
