"""Many recordings: what is written, what fails, and what a killed scan leaves."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import small_classifier

from audiointerp import read_events
from audiointerp.cli import main
from audiointerp.cli.scan import recordings_in, threshold_in
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.events import folder
from audiointerp.events.shards import refuse_equal_names, shard_of
from audiointerp.util import make_folder

FILES = (
    *("index.html", "result.json", "windows.csv"),
    *("events.csv", "events.json", "events.selections.txt", "events.labels.txt"),
    "boxes.selections.txt",
)
GOOD = ("a.wav", "b.wav", "day%202/c.wav", "day%202/d.flac")


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
    command = ["audiointerp", *map(str, arguments(recordings, weights, out, "--max-errors", 2))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as end:
            main()
    assert end.value.code == 0
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
    # A network without training hears noise in the background as well.
    assert (explained["loses"], explained["box"]) == (False, None)
    assert read_events(folder / "boxes.selections.txt") == []
    # An event has the times of its detection, and the band of its box if it has one: else, all.
    place = (explained["event"]["start"], explained["event"]["label"])
    (event,) = [event for event in events if (event.start, event.label) == place]
    assert (event.end, event.p) == (explained["event"]["end"], explained["event"]["p"])
    assert (event.low, event.high) == (0, 16000)
    page = (folder / "index.html").read_text()
    anchors = re.findall('href="#([^"]+)"', page)
    assert len(anchors) == 1
    assert f'id="{anchors[0]}"' in page
    assert len(pd.read_csv(folder / "windows.csv")) == result["windows"] == 9
    assert read_events(expected / "events.csv", recording="day 2/c.wav") == events
    everything = pd.read_csv(expected / "events.csv")
    assert (everything["recording"] == "day 2/c.wav").sum() == len(events)


def test_the_page_has_players_with_their_p(expected):
    page = (expected / "a.wav" / "index.html").read_text()
    result = json.loads((expected / "a.wav" / "result.json").read_text())
    (explained,) = result["explained"]
    assert page.count("<audio") == 2
    for name in ("p", "p_out"):
        assert f"<td>{explained[name]:.3f}" in page
    assert explained["verdict"].capitalize() in page
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


def test_a_killed_scan_is_resumed_to_the_same_bytes(
    in_this_process, recordings, weights, expected, tmp_path
):
    out = tmp_path / "out"
    command = [*map(str, arguments(recordings, weights, out))]
    process = subprocess.Popen(
        [sys.executable, "-m", "audiointerp", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
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
    assert in_this_process(*command, "--max-errors", 2)[0] == 0
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


LOUD_FIRST = """
import numpy as np, audiointerp as ai
def predict(sounds):
    loud = np.abs(sounds.reshape(len(sounds), -1)).mean(1) > 0.05
    p = np.where(loud, {loud}, {quiet})
    return np.stack([p, 1 - p], 1)
def make():
    form = {{"sample_rate": 8000, "duration": 1.0, "normalize": "none"}}
    form["max_batch"] = {batch}
    return ai.Classifier.from_function(predict, ["a", "b"], **form)
"""


def test_results_of_a_function_that_was_changed_are_not_kept(
    in_this_process, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write_noise(tmp_path / "a.wav", 2, 0, rate=8000)
    command = ("scan", tmp_path / "a.wav", "--model", "loud:make", "--method", "occlusion")
    command += ("--explain", 0, "--out", tmp_path / "out")

    def scan_by(loud, batch=2):
        text = LOUD_FIRST.format(loud=loud, quiet=1 - loud, batch=batch)
        (tmp_path / "loud.py").write_text(text)
        sys.modules.pop("loud", None)
        status, _, err = in_this_process(*command)
        return status, "with another classifier" in err

    assert [scan_by(0.75), scan_by(0.75), scan_by(0.25)] == [(0, False), (0, False), (1, True)]
    # A model that sees the other windows of a batch gives other results by it.
    assert scan_by(0.75, batch=1) == (1, True)


def test_windows_keep_their_levels_by_normalize_none(
    in_this_process, recordings, weights, tmp_path
):
    """A quieter copy has the same p by default, and another one if levels are kept."""
    samples, rate = soundfile.read(recordings / "a.wav")
    soundfile.write(tmp_path / "a.wav", samples / 10, rate, subtype="FLOAT")
    for name, more in (("default", ()), ("none", ("--normalize", "none"))):
        for place, sound in ((recordings, "loud"), (tmp_path, "quiet")):
            command = arguments(place / "a.wav", weights, tmp_path / name / sound, *more)
            assert in_this_process(*command)[0] == 0
        loud, quiet = (
            pd.read_csv(tmp_path / name / sound / "a.wav" / "windows.csv").iloc[:, 2:].to_numpy()
            for sound in ("loud", "quiet")
        )
        assert (np.abs(loud - quiet).max() < 1e-3) == (name == "default")
    command = arguments(recordings / "a.wav", weights, tmp_path / "default" / "loud")
    status, _, err = in_this_process(*command, "--normalize", "none")
    assert (status, "another classifier" in err) == (1, True)


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
        (("--normalize", "nonne"), "unknown normalization 'nonne'; did you mean 'none'"),
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


def test_the_results_of_several_calls_are_together(in_this_process, weights, tmp_path):
    out = tmp_path / "out"
    for seed, name in enumerate(("b.wav", "a.wav")):
        write_noise(tmp_path / name, 2, seed)
        command = arguments(tmp_path / name, weights, out)
        status, text, _ = in_this_process(*command, "--explain", 0)
        assert status == 0
        assert text.count(" events in 2.0 s") == 1
    table = pd.read_csv(out / "recordings.csv")
    assert table["recording"].tolist() == ["a.wav", "b.wav"]
    assert set(pd.read_csv(out / "events.csv")["recording"]) == {"a.wav", "b.wav"}
    page = (out / "index.html").read_text()
    assert 'href="a.wav/index.html"' in page
    assert 'href="b.wav/index.html"' in page


def test_the_page_of_a_folder_links_and_names_faults(expected):
    page = (expected / "index.html").read_text()
    links = set(re.findall('href="([^"]+)"', page))
    assert links == {f"{name}/index.html" for name in GOOD}
    for link in links:
        assert (expected / unquote(link)).is_file()
    assert "truncated" in page
    count = len(pd.read_csv(expected / "events.csv"))
    assert page.count("<tr>") == 1 + 6 + 1 + count


def test_shards_that_share_recordings_are_refused(in_this_process, recordings, weights, tmp_path):
    out = tmp_path / "out"
    names = [name for name, _ in recordings_in(recordings)]
    command = arguments(recordings, weights, out)
    with shard_of(make_folder(out), names, (1, 2)):
        for shard in ("1/1", "1/4", "3/4", "1/3", "1/2"):
            status, _, err = in_this_process(*command, "--shard", shard)
            assert (status, "writes there" in err, err.count("\n")) == (1, True, 1), shard
        # One list of recordings, and none in common.
        with shard_of(out, names, (2, 4)), shard_of(out, names, (4, 4)):
            pass
        with pytest.raises(AudioInterpError, match="writes there"), shard_of(out, ["z"], (2, 2)):
            pass
    assert not list(out.glob("*/result.json"))


def test_names_that_differ_in_case_alone():
    with pytest.raises(ArgumentError, match=r"A\.wav and a\.WAV: in this folder"):
        refuse_equal_names(["A.wav", "b.wav", "a.WAV"])


def test_a_recording_that_vanishes_is_a_row(in_this_process, weights, tmp_path, monkeypatch):
    for seed, name in enumerate(("a.wav", "b.wav")):
        write_noise(tmp_path / "in" / name, 2, seed)
    needs = folder.FolderScan.needs

    def needs_and_vanishes(self, name, path, resume):
        needed = needs(self, name, path, resume)
        (tmp_path / "in" / "b.wav").unlink(missing_ok=True)
        return needed

    monkeypatch.setattr(folder.FolderScan, "needs", needs_and_vanishes)
    status, out, err = in_this_process(*arguments(tmp_path / "in", weights, tmp_path / "out"))
    assert (status, "1 of 2 recordings failed" in err) == (1, True)
    assert "b.wav: " in out
    table = pd.read_csv(tmp_path / "out" / "recordings.csv", keep_default_na=False)
    assert table["status"].tolist() == ["ok", "error"]


def test_a_table_with_the_ending_of_a_sound_is_a_row(in_this_process, weights, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_text("start,end,label\n0,1,dog\n")
    status, _, err = in_this_process(*arguments(tmp_path / "in", weights, tmp_path / "out"))
    assert (status, "1 of 1 recordings failed" in err, err.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("name", ["table.csv", "hour.sf2"])
def test_a_file_that_is_no_sound(in_this_process, weights, tmp_path, name):
    (tmp_path / name).write_text("start,end,label\n0,1,dog\n")
    status, _, err = in_this_process(*arguments(tmp_path / name, weights, tmp_path / "out"))
    assert (status, err.count("\n")) == (1, 1)
    assert name in err


def test_results_that_cannot_be_written(in_this_process, weights, tmp_path):
    write_noise(tmp_path / "a.wav", 2, 0)
    (tmp_path / "out").write_text("a file where the folder would be")
    status, _, err = in_this_process(*arguments(tmp_path / "a.wav", weights, tmp_path / "out"))
    assert (status, err.count("\n")) == (1, 1)
    assert str(tmp_path / "out") in err


@pytest.mark.parametrize(("device", "gpus"), [("cuda", "0"), ("cpu", "1")])
def test_a_device_that_the_workers_of_a_cluster_lack_is_refused_at_once(
    call, weights, recordings, tmp_path, device, gpus
):
    workers = ("--engine", "ray", "--device", device, "--gpus-per-worker", gpus)
    done = call("scan", recordings, "--weights", weights, *workers, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert f"--gpus-per-worker {gpus} with --device {device}" in done.stderr
    assert not (tmp_path / "out").exists()
