"""The command line: what it writes, and what it prints when something is wrong."""

import json
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import soundfile
import torch
from conftest import keep_classes
from made_results import made_rows

from audiointerp import paper
from audiointerp.cli import app, options, validation
from audiointerp.dataset.esc50 import ESC50
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.experiments import EXPERIMENTS, run
from audiointerp.fit import FitSettings
from audiointerp.interpretation import METHODS, NULLS
from audiointerp.interpretation.lime import LIME
from audiointerp.interpretation.masks import MASKS
from audiointerp.model.classifier import Classifier
from audiointerp.paper import finished
from audiointerp.paper.published_faults import _epoch_fault
from audiointerp.processing import save_audio
from audiointerp.scoring.columns import COLUMNS as ROW
from audiointerp.tables import lead_text, read_results

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")


def test_as_a_process_of_its_own(place):
    """The installed command, run once; the other tests run the command line in this process."""
    command = [
        Path(sys.executable).with_name("audiointerp"),
        "interpret",
        "none.wav",
        "--weights",
        "mel.safetensors",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=place, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "audiointerp: none.wav: no such audio file\n"


def test_interpret_writes_everything(call, place, tmp_path):
    out = tmp_path / "out"
    done = call(
        "interpret",
        place / "clip.flac",
        "--weights",
        place / "mel.safetensors",
        "--method",
        "shap",
        "--background",
        place / "background",
        "--mask",
        "minmax_pos",
        "--target",
        "siren",
        "--on",
        "audio",
        "--out",
        out,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = ["index.html", "kept.wav", "original.wav", "picture.png", "removed.wav", "scores.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    record = json.loads((out / "scores.json").read_text())
    assert (record["explained"], record["method"], record["mask"]) == (
        "siren",
        "shap",
        "minmax_pos",
    )
    assert (record["protocol"], record["on"], record["against"]) == ("corrected", "audio", None)
    assert record["additivity_gap"] is None or record["additivity_gap"] <= 1e-3
    for part, name in (("original", "p"), ("kept", "p_in"), ("removed", "p_out")):
        p, heard = record["scores"][name], record["heard"][name]
        labelled = f"p on audio {p:.3f}, of the file's sound {heard:.3f}"
        assert f"{part}: {labelled}\n" in done.stdout
    assert "The verdict's p are of parts made at the classifier's 32000 Hz" in done.stdout
    assert {"FF", "AI", "AD", "AG", "FidIn", "SPS", "COMP", "AREA"} <= record["scores"].keys()
    for name in ("original", "kept", "removed"):
        info = soundfile.info(out / f"{name}.wav")
        assert (info.samplerate, info.channels, info.frames) == (44100, 2, 44100)
    assert (out / "index.html").read_text().count("<audio") == 3
    assert "explained siren" in done.stdout
    assert record["verdict"]["text"] in done.stdout
    assert len(record["verdict"]["p_random"]) == 30


def test_interpret_of_several_clips_writes_one_page(call, place, tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("b.wav", "a.wav"):
        save_audio(folder / name, torch.rand(1, 1, 16000) - 0.5, 16000)
    out = tmp_path / "out"
    weights = place / "mel.safetensors"
    done = call("interpret", place / "clip.flac", folder, "--weights", weights, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in out.iterdir()] == ["index.html"]
    page = (out / "index.html").read_text()
    labels = re.findall(r'<section class="audiointerp clip"[^>]* aria-label="([^"]+)"', page)
    assert labels == ["clip.flac", "a.wav", "b.wav"]
    (out / "kept.wav").touch()
    again = call("interpret", place / "clip.flac", folder, "--weights", weights, "--out", out)
    assert again.stderr == f"{out}: of an earlier explanation: kept.wav\n"
    assert done.stdout.count("explained") >= 3
    (tmp_path / "empty").mkdir()
    empty = call("interpret", tmp_path / "empty", "--weights", weights)
    assert empty.returncode == 1
    assert "this folder has no sound file" in empty.stderr


def test_interpret_names_the_clips_that_cannot_be_read_and_explains_the_others(call, tmp_path):
    folder, out = tmp_path / "recordings", tmp_path / "out"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"no sound")
    (folder / "c.wav").touch()
    given = ("interpret", folder, "--weights", "synthetic-mel", "--out", out)
    none = call(*given)
    assert (none.returncode, none.stdout, out.exists()) == (1, "", False)
    assert f"{folder / 'a.wav'}: not an audio file that can be read" in none.stderr
    assert f"{folder / 'c.wav'}: the file is empty (0 bytes)" in none.stderr
    save_audio(folder / "b.wav", torch.rand(1, 1, 96000) - 0.5, 32000)
    done = call(*given)
    assert done.returncode == 1
    first, second, last = done.stderr.splitlines()
    assert first.startswith(f"left out: {folder / 'a.wav'}: not an audio file")
    assert second == f"left out: {folder / 'c.wav'}: the file is empty (0 bytes)"
    assert last == ("audiointerp: 2 of 3 clips could not be read; the other one is explained")
    assert "b.wav: predicted" in done.stdout
    # As of several clips, whichever of them is damaged.
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert "1 of 3 clips explained" in (out / "index.html").read_text()
    done = call(*given, "--label", "nothing")
    # Before all files are read.
    assert (done.returncode, done.stderr.count("left out")) == (1, 0)


def test_interpret_opens_the_page_when_asked(call, place, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("typer.launch", opened.append)
    arguments = ("--weights", place / "mel.safetensors", "--method", "saliency", "--out", tmp_path)
    done = call("interpret", place / "clip.flac", *arguments, "--open")
    assert (done.returncode, opened) == (0, [(tmp_path / "index.html").as_uri()])


def test_interpret_does_not_overwrite_the_clip(call, place, tmp_path):
    kept = tmp_path / "kept.wav"
    save_audio(kept, torch.rand(1, 1, 900), 16000)
    before = kept.read_bytes()
    done = call("interpret", kept, "--weights", place / "mel.safetensors", "--out", tmp_path)
    assert (done.returncode, kept.read_bytes()) == (1, before)
    assert "would overwrite" in done.stderr


def test_version(call):
    assert call("--version").stdout.count(".") == 2


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "audiointerp"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == version("audiointerp")


def test_help_lists_the_names(call):
    assert list(METHODS) == list(options.METHOD_NAMES)
    assert list(MASKS) == list(options.MASK_NAMES)
    assert NULLS == options.NULL_NAMES
    interpret = " ".join(call("interpret", "--help").stdout.split())
    assert all(name in interpret for name in (*MASKS, *METHODS))
    run = " ".join(call("run", "--help").stdout.split())
    assert all(name in run for name in (*METHODS, *EXPERIMENTS, *NULLS))


def test_help_begins_with_what_a_newcomer_looks_for_and_cuts_no_summary(call):
    text = call("--help").stdout
    assert call("-h").stdout == text
    lines = text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["interpret", "scan", "run", "demo"]
    assert len(lines) == len(app.registered_commands)
    assert "..." not in text.partition("Commands:")[2]
    for line in lines:
        name = line.split()[0]
        assert call(name, "-h").stdout == call(name, "--help").stdout != ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [("score", "run"), ("explain", "interpret"), ("interprt", "interpret"), ("Scan", "scan")],
)
def test_an_unknown_command_is_answered_with_the_one_that_was_meant(call, name, meant):
    done = call(name, "clip.wav")
    assert (done.returncode, done.stdout) == (2, "")
    text = " ".join(done.stderr.split())
    assert f"unknown command '{name}'; did you mean '{meant}'? Choose one of: interpret," in text


def test_a_command_like_no_other_is_answered_with_all(call):
    text = " ".join(call("zzz").stderr.split())
    assert "unknown command 'zzz'; choose one of: interpret, scan, run, demo, train," in text


def test_help_does_not_import_torch():
    code = (
        "import sys; from audiointerp.cli import main\n"
        "sys.argv = ['audiointerp', 'run', '--help']\n"
        "try: main()\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")


def test_run_and_tables(call, place, tmp_path):
    lines = (place / "data" / "meta" / "esc50.csv").read_text().splitlines(keepends=True)
    (tmp_path / "data" / "meta").mkdir(parents=True)
    (tmp_path / "data" / "audio").symlink_to(place / "data" / "audio")
    # Three of the ten clips in fold 5 remain.
    (tmp_path / "data" / "meta" / "esc50.csv").write_text("".join(lines[:-7]))
    done = call(
        "run",
        "mel_clean",
        "--data",
        tmp_path / "data",
        "--subset",
        "esc10",
        "--weights",
        place / "mel.safetensors",
        "--methods",
        "saliency,random",
        "--masks",
        "bin,topK_5",
        "--out",
        tmp_path / "results",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "48 rows, 0 of them errors" in done.stdout
    table = call(
        "tables", tmp_path / "results", "--by", "method,mask", "--out", tmp_path / "table.csv"
    )
    assert table.returncode == 0
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + 2 * 4 * 2
    # By fill and method: means and five nulls on both, and audio less features.
    assert table.stdout.count("topK_5") == 2 * 2 * (2 + 5 * 2 + 1)


class FewLIME(LIME):
    """LIME with few samples, so that it is fast."""

    def __init__(self, network):
        super().__init__(network, "grid", samples=320)


def computed_once(function):
    """The function, which gives its first result again."""
    results = []

    def call(*arguments):
        if not results:
            results.append(function(*arguments))
        return results[0]

    return call


@pytest.mark.whole
def test_validate_writes_its_page(call, place, tmp_path, monkeypatch, threads):
    monkeypatch.setitem(METHODS, "lime", FewLIME)
    # Those that a published conclusion names, and one to compare with; 14 masks take minutes.
    masks = ("bin", "sigmoid", "topK_5", "pos_thresh_75")
    monkeypatch.setattr(paper, "STUDY_MASKS", masks)
    monkeypatch.setitem(finished.NEEDED, "mask", masks)
    # test_validity.py measures all faults.
    monkeypatch.setattr(paper, "faults", lambda *arguments: [_epoch_fault(arguments[-1])])

    def run_in_two_threads(*arguments, **keywords):
        threads(2)
        rows = run(*arguments, **keywords)
        threads(1)
        return rows

    # The second page has the checks of the first: they are of the same network and clips.
    monkeypatch.setattr(paper, "study_sanity", computed_once(paper.study_sanity))
    # A worker has one thread, whatever the process has that started it.
    monkeypatch.setattr("audiointerp.experiments.run", run_in_two_threads)
    weights = tmp_path / "mel.safetensors"
    weights.write_bytes((place / "mel.safetensors").read_bytes())
    weights.with_suffix(".json").write_text(
        '{"outcomes": [{"last_test_accuracy": 0.5, "test_accuracy": 0.9}]}'
    )
    dataset = Synthetic(duration=3.0, sample_rate=16000)
    keep_classes(dataset, last=2)
    dataset.write(tmp_path / "data")
    done = call(
        "validate",
        "--data",
        tmp_path / "data",
        "--weights",
        weights,
        "--results",
        tmp_path / "results",
        "--workers",
        2,
        "--out",
        tmp_path / "validity.md",
    )
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "validity.md").read_text()
    assert "on 2 test clips (fold 5) and mel.safetensors" in page
    assert "The classes: siren, ticking_clock, knocking, " in page
    assert "| 0.5000 | 0.9000 |" in page
    assert page.count("| saliency | ") >= 4
    assert "![Each method minus its best null](validity.png)" in page
    assert plt.imread(tmp_path / "validity.png").shape[1] > 1000
    assert "nan" not in page
    told = json.loads(
        (tmp_path / "results" / "mel" / "mel_clean" / "lime" / "run.json").read_text()
    )
    assert told["threads"] == [1]
    again = (
        "validate",
        "--data",
        tmp_path / "data",
        "--weights",
        weights,
        "--results",
        tmp_path / "results",
    )
    assert "--out" in call(*again, "--out", tmp_path).stderr
    rows_from = ("--rows", tmp_path / "results", "--out", tmp_path / "again.md")
    assert call(*again, *rows_from).returncode == 0
    written_again = (tmp_path / "again.md").read_text()
    assert f"The scores are those of `{tmp_path / 'results'}`, computed by" in written_again
    start = "(again.png)"
    page = page.replace("validity.png", "again.png")
    assert written_again.partition(start)[2] == page.partition(start)[2]
    rows = read_results(tmp_path / "results")
    rows.loc[rows["clip"] == rows["clip"].iloc[0], "status"] = "error"
    monkeypatch.setattr("audiointerp.experiments.run", lambda *arguments, **keywords: rows)
    monkeypatch.setattr(validation, "reference_of_folds", lambda *arguments: None)
    failed = call(*again, "--check-clips", 0, "--out", tmp_path / "failed.md")
    assert failed.returncode == 1
    told = (
        "Some of the 2 clips failed and are left out of a method's figures: "
        "gradcam 1, lime 1, random 1, saliency 1, shap 1."
    )
    assert told in failed.stderr
    assert told in (tmp_path / "failed.md").read_text()


def test_a_clip_that_fails_leaves_the_others_and_exits_with_1(call, place, tmp_path):
    copy = tmp_path / "copy"
    dataset = Synthetic((5,), duration=3.0, sample_rate=16000)
    dataset.rows = dataset.rows[::8]
    dataset.write(copy)
    (copy / "audio" / dataset.clip_id(3)).write_bytes(b"broken")
    command = (
        "run",
        "mel_clean",
        "--data",
        copy,
        "--weights",
        place / "mel.safetensors",
        "--methods",
        "random,saliency",
        "--masks",
        "bin",
        "--on",
        "features",
        "--fill",
        "silence",
        "--out",
        tmp_path / "results",
    )
    done = call(*command)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(
        "audiointerp: random failed on 1 of 10 clips; "
        "see the columns stage and error of metrics.csv."
    )
    assert f"{dataset.clip_id(3)}, read, AudioError" in told
    assert "20 rows, 2 of them errors" in done.stdout
    borne = call(*command, "--max-errors", 1)
    assert (borne.returncode, borne.stderr) == (0, "")
    save_audio(copy / "audio" / dataset.clip_id(3), dataset[3][0][None], 16000)
    mended = call(*command)
    assert mended.returncode == 0
    assert "20 rows, 0 of them errors" in mended.stdout
    other = call(*command, "--masks", "topK_5")
    assert other.returncode == 1
    assert "plan.masks: ['bin'] before, ['topK_5'] now" in other.stderr


def test_a_stopped_run_says_how_to_go_on(call, place, tmp_path, monkeypatch):
    load = ESC50.__getitem__

    def interrupted(self, index):
        # Not while the training clips are read, which the parts are compared with.
        if index == 2 and self.clip_id(index).startswith("5-"):
            signal.raise_signal(signal.SIGINT)
        return load(self, index)

    monkeypatch.setattr(ESC50, "__getitem__", interrupted)
    command = (
        "run",
        "mel_clean",
        "--data",
        place / "data",
        "--subset",
        "esc10",
        "--weights",
        place / "mel.safetensors",
        "--methods",
        "random",
        "--masks",
        "bin",
        "--out",
        tmp_path,
    )
    stopped = call(*command)
    assert stopped.returncode == 130
    assert stopped.stderr.splitlines()[-1] == (
        # Clip 3 is read ahead, as the other clip of clip 2's null.
        "audiointerp: stopped at clip 2 of 10; the same command resumes there"
    )
    monkeypatch.undo()
    monkeypatch.setattr(sys, "argv", ["audiointerp"])
    assert "40 rows, 0 of them errors" in call(*command).stdout


def test_shards_of_the_command_line(call, place, tmp_path):
    command = (
        "run",
        "mel_clean",
        "--data",
        place / "data",
        "--subset",
        "esc10",
        "--weights",
        place / "mel.safetensors",
        "--methods",
        "random",
        "--masks",
        "bin",
        "--out",
        tmp_path,
    )
    first = call(*command, "--shard", "1/2")
    assert "5 of 10 clips are finished; metrics.csv comes with the last shard" in first.stdout
    assert "40 rows, 0 of them errors" in call(*command, "--shard", "2/2").stdout
    for wrong in ("3/2", "0/2", "half"):
        assert "shard" in call(*command, "--shard", wrong).stderr


@pytest.mark.parametrize(("option", "transform"), [("--transform", "mel"), ("--features", "stft")])
def test_train_writes_weights_and_card(call, place, tmp_path, option, transform):
    done = call(
        "train",
        "--data",
        place / "data",
        option,
        transform,
        "--epochs",
        1,
        "--base-channels",
        2,
        "--network",
        "Cnn6",
        "--seeds",
        "0,1",
        "--out",
        tmp_path,
        "--name",
        "tiny",
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [
        ".json",
        ".md",
        ".png",
        ".safetensors",
    ]
    classifier = Classifier.load(tmp_path / "tiny.safetensors")
    assert classifier.labels == Synthetic().labels
    card = json.loads((tmp_path / "tiny.json").read_text())
    assert [outcome["seed"] for outcome in card["outcomes"]] == [0, 1]
    best = max(card["outcomes"], key=lambda outcome: outcome["validation_accuracy"])
    assert (
        best["validation_accuracy"] == card["outcomes"][card["chosen_seed"]]["validation_accuracy"]
    )
    assert sum(map(sum, card["confusion"])) == 10
    assert "| 1 |" in (tmp_path / "tiny.md").read_text()
    assert done.stdout.count("seed") == 2


@pytest.mark.whole
def test_demo(call, place, tmp_path, monkeypatch):
    monkeypatch.setattr("audiointerp.cli.demo.TRAINING", FitSettings(epochs=1))
    monkeypatch.setattr("audiointerp.cli.demo.SCORED_CLIPS", 2)
    monkeypatch.setattr("audiointerp.cli.demo.MOST_WORKERS", 1)
    done = call("demo", "--data", place / "data", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "explain and score 2 of 10 test clips: saliency, gradcam, shap" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "examples",
        "index.html",
        "results",
        "table.csv",
        "weights",
    ]
    assert sorted(path.name for path in (tmp_path / "examples").iterdir()) == [
        "gradcam",
        "saliency",
        "shap",
    ]
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + 3 * len(MASKS)
    page = (tmp_path / "index.html").read_text()
    # One clip by three methods, then the scores.
    assert re.findall(r'<section[^>]*class="([^"]*)"', page) == [
        "audiointerp clip",
        "audiointerp scores",
    ]
    # Below the name of the setting, which is that of a folder of results.
    _, lead = lead_text(read_results(tmp_path / "results")).split("\n", 1)
    assert lead in done.stdout
    assert "<h2>Scores</h2>" in page


def test_the_tables_of_the_paper(call, place, tmp_path):
    for method in ("saliency", "random"):
        folder = tmp_path / "results" / "mel" / "mel_clean" / method
        folder.mkdir(parents=True)
        made_rows(("mel_clean",), (method,), ("bin", "topK_5"))[list(ROW)].to_csv(
            folder / "metrics.csv", index=False
        )
    command = (
        "tables",
        tmp_path / "results",
        "--kinds",
        "masks,summary",
        "--published",
        "--on",
        "features",
    )
    done = call(*command, "--out", tmp_path / "tables", "--formats", "csv,latex,pdf")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        "csv",
        "latex",
        "tables.pdf",
    ]
    assert (
        len(
            (tmp_path / "tables" / "csv" / "masks_mel_clean_all_on_features.csv")
            .read_text()
            .splitlines()
        )
        == 1 + 4
    )
    assert "missing: mel_clean: no gradcam, shap, lime\n" in done.stdout
    assert "not scored on" not in done.stdout  # what was left out on purpose is not missing
    printed = call(*command)
    assert printed.returncode == 0
    assert "FF published" in printed.stdout
    for wrong, said in (
        (["--formats", "csv"], "--formats and --out FOLDER go together"),
        (["--formats", "doc", "--out", tmp_path / "x"], "unknown format 'doc'"),
        (["--kinds", "best"], "unknown kind of table 'best'"),
        (["--on", "ears"], "unknown on 'ears'"),
        (
            ["--kinds", "masks", "--by", "mask"],
            "--by mask: the tables of the paper have their own rows",
        ),
        (["--formats", "csv", "--out", place / "clip.flac"], "cannot make this folder"),
    ):
        done = call("tables", tmp_path / "results", *wrong)
        assert done.returncode == 1
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
