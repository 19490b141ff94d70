"""``audiointerp interpret``: examples, several methods, completion, help, mistakes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import noise

import audiointerp as ai
from audiointerp.cli import options
from audiointerp.dataset import CLASSES
from audiointerp.display import METHOD_TITLES
from audiointerp.errors import AudioError
from audiointerp.model import SHIPPED
from audiointerp.processing import save_audio

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")

COMPLETE = {
    "interpret --method s": ["saliency", "shap", "smoothgrad"],
    "interpret --weights esc10-s": ["esc10-stft", "esc10-stft-absolute"],
    "interpret --mask topK_5": ["topK_5", "topK_50", "topK_5_pos", "topK_50_pos"],
    "interp": ["interpret"],
}


def completed(words, first=""):
    """What a shell is told for a command line, after code that runs first."""
    code = f"{first}\nfrom audiointerp.cli import main\nmain()"
    variables = {
        "_AUDIOINTERP_COMPLETE": "complete_bash",
        "COMP_WORDS": f"audiointerp {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    command = [sys.executable, "-c", f"import sys; sys.argv[:] = ['audiointerp']\n{code}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("words", COMPLETE)
def test_a_shell_completes_names_without_torch(words):
    # An import of torch would fail.
    assert completed(words, "import sys; sys.modules['torch'] = None") == COMPLETE[words]


def test_names_of_networks_are_those_of_the_library():
    assert list(options.NETWORK_NAMES) == list(SHIPPED)


def test_an_example_needs_no_file(call, tmp_path):
    out = tmp_path / "out"
    done = call("interpret", "--example", "siren", "--method", "saliency", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "siren (a made sound): predicted siren, explained siren\n" in done.stdout
    record = json.loads((out / "scores.json").read_text())
    assert record["predicted"] == "siren"
    assert (out / "kept.wav").is_file()


def test_an_unknown_example_is_refused_before_a_network_is_opened(call):
    done = call("interpret", "--example", "sirn", "--weights", "none.safetensors")
    assert done.returncode == 1
    assert done.stderr.startswith("audiointerp: unknown example 'sirn'; did you mean 'siren'?")
    assert all(name in done.stderr for name in CLASSES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dog.wav", "--example", "siren"], "--example siren replaces the clips"),
        (["dog.wav", "--weights", "esc10-mle"], "did you mean 'esc10-mel'?"),
    ],
)
def test_mistakes(call, arguments, message):
    done = call("interpret", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_path_is_not_the_name_of_a_network(call, tmp_path):
    (tmp_path / "dog.wav").touch()
    done = call("interpret", tmp_path / "dog.wav", "--weights", "./esc10-mel")
    assert (done.returncode, done.stdout) == (1, "")
    assert "esc10-mel: no such weights file" in done.stderr


@pytest.mark.parametrize("place", ["taken", "taken/below/it"])
def test_a_file_in_the_place_of_the_folder_is_refused_at_once(call, tmp_path, place):
    (tmp_path / "taken").touch()
    done = call("interpret", "dog.wav", "--weights", "none.safetensors", "--out", tmp_path / place)
    assert (done.returncode, done.stdout) == (1, "")
    message = f"--out {tmp_path / place}: {tmp_path / 'taken'} is a file; give a folder"
    assert done.stderr == f"audiointerp: {message}\n"


@pytest.mark.parametrize("place", ["/proc/x", "/proc"])
def test_a_folder_that_cannot_be_made_is_refused_at_once(call, place):
    if not Path("/proc").is_dir():
        pytest.skip("only there, nobody can make a folder")
    done = call("interpret", "dog.wav", "--weights", "none.safetensors", "--out", place)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"audiointerp: --out {place}: nothing can be written into /proc")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("interpret", ""), "CLIPS"),
        (("interpret", "dog.wav", "--out", ""), "--out"),
        (("interpret", "dog.wav", "--out="), "--out"),
        (("scan", "", "--weights", "esc10-mel"), "RECORDING"),
        (("run", "mel_clean", "--out", ""), "--out"),
        (("train", "--data", ""), "--data"),
        (("tables", ""), "RESULTS"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(call, tmp_path, words, name):
    done = call(*words, place=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"audiointerp: {name} '': a path is empty, as of an unset")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_empty_path_in_a_settings_file_is_refused(call, tmp_path):
    (tmp_path / "s.toml").write_text('out = ""')
    done = call("interpret", "dog.wav", "--settings", "s.toml", place=tmp_path)
    assert (done.returncode, "out is an empty path" in done.stderr) == (1, True)


def test_help_says_that_one_place_is_scored(call):
    """Only run takes several, separated by commas."""
    text = " ".join(call("interpret", "--help").stdout.replace("│", " ").split())
    (on,) = re.findall(r"--on\b(.*?)--fill", text)
    assert "What is scored: features, or audio (the masked" in on
    assert "comma" not in on


def test_without_a_clip_it_is_a_usage_error(call):
    done = call("interpret")
    assert done.returncode == 2
    text = " ".join(done.stderr.split())
    assert "give a sound file or a folder of them, or --example siren" in text


def test_several_methods_have_a_folder_each_and_one_page(call, tmp_path):
    methods = ["--method", "saliency", "--method", "gradcam", "--method", "saliency"]
    done = call("interpret", "--example", "siren", *methods, "--lossless", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"gradcam", "index.html", "saliency"}
    for name in ("saliency", "gradcam"):
        assert json.loads((tmp_path / name / "scores.json").read_text())["method"] == name
        assert f"explained siren by {name}\n" in done.stdout
        assert "audio/flac" in (tmp_path / name / "index.html").read_text()
    page = (tmp_path / "index.html").read_text()
    assert page.count('<section class="audiointerp clip"') == 1
    rows = [f'<th scope="row">{name}<td>topK_30<td>' for name in ("Saliency", "Grad-CAM")]
    assert all(page.count(row) == 1 for row in rows)
    assert "audio/flac" in page


def test_a_page_says_which_labelled_clips_are_wrong(call, place, tmp_path):
    """By one label, or by the names of the folders; a label that is unknown is refused."""
    classifier = ai.Classifier.load(place / "mel.safetensors")
    for folder in classifier.labels[:2]:
        (tmp_path / folder).mkdir()
        save_audio(tmp_path / folder / "noise.wav", noise(1.0), 32000)
    folders = [tmp_path / folder for folder in classifier.labels[:2]]
    given = ("--weights", place / "mel.safetensors", "--method", "saliency")
    given += ("--out", tmp_path / "out", "--label")
    done = call("interpret", *folders, *given, "folders")
    assert (done.returncode, done.stderr) == (0, "")
    # The same sound in two folders: at least one label is wrong.
    text = (tmp_path / "out" / "index.html").read_text()
    items = json.loads(re.search(r'<script type="application/json">(\[.*?\])</script>', text)[1])
    assert [item["truth"] for item in items] == list(classifier.labels[:2])
    predicted = items[0]["predicted"]
    wrong = sum(label != predicted for label in classifier.labels[:2])
    assert done.stdout.count(f"predicted {predicted} (wrong: it is ") == wrong >= 1
    assert text.count(", wrongly predicted") == wrong
    done = call("interpret", folders[0] / "noise.wav", *given, "nothing")
    assert (done.returncode, "unknown label 'nothing'" in done.stderr) == (1, True)
    link = folders[1] / "link.wav"
    link.symlink_to(folders[0] / "noise.wav")
    done = call("interpret", link, *given, "folders")
    # The label is that of the folder where the link stands.
    assert (f"(wrong: it is {folders[0].name})" in done.stdout, done.returncode) == (False, 0)
    assert (f"wrong: it is {folders[1].name}" in done.stdout) == (predicted != folders[1].name)
    other = tmp_path / "other"
    folders[0].rename(other)
    done = call("interpret", other, *given, "folders")
    assert (done.returncode, "is not named as a label" in done.stderr) == (1, True)


def test_a_page_of_several_clips_has_all_methods(call, place, tmp_path):
    clip = place / "clip.flac"
    other = tmp_path / "other.flac"
    other.write_bytes(clip.read_bytes())
    methods = ["--method", "saliency", "--method", "random"]
    weights = ["--weights", place / "mel.safetensors"]
    done = call("interpret", clip, other, *weights, *methods, "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count('<section class="audiointerp clip"') == 2
    rows = [f'<th scope="row">{METHOD_TITLES[name]}<td>topK_30<td>' for name in methods[1::2]]
    assert [page.count(row) for row in rows] == [2, 2]


def test_the_window_of_a_long_clip_is_said(call, place, tmp_path):
    wav = torch.cat([0.01 * noise(4.0), noise(1.0, seed=1)], -1)
    save_audio(tmp_path / "long.wav", wav, 32000)
    asked = ["interpret", tmp_path / "long.wav", "--weights", place / "mel.safetensors"]
    asked += ["--method", "random", "--out", tmp_path / "out"]
    done = call(*asked)
    assert (done.returncode, done.stderr) == (0, "")
    (note,) = re.findall(r"Explained is one window .*", done.stdout)
    found = re.fullmatch(
        r"Explained is one window of 3 s, from ([\d.]+) to ([\d.]+) s of a clip of 5 s: the one "
        r"with the largest p of \w+\. --windows all explains the whole clip\.",
        note,
    )
    begin, end = map(float, found.groups())
    assert f"long.wav, {begin:.2f} to {end:.2f} s: predicted" in done.stdout
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"from {begin:g} to {end:g} s of a clip of 5 s" in page
    whole = call(*asked, "--windows", "all")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "one window" not in whole.stdout
    assert "Explained is one window" not in (tmp_path / "out" / "index.html").read_text()


def test_a_method_does_not_overwrite_the_clip(call, place, tmp_path):
    clip = tmp_path / "saliency" / "kept.wav"
    clip.parent.mkdir()
    ai.save_audio(clip, ai.load_audio(place / "clip.flac", sample_rate=8000), 8000)
    methods = ["--method", "saliency", "--method", "random"]
    done = call("interpret", clip, *methods, "--weights", "synthetic-mel", "--out", tmp_path)
    assert done.returncode == 1
    assert "would overwrite" in done.stderr


@pytest.mark.parametrize("value", ['"saliency"', '["saliency"]'])
def test_a_settings_file_names_one_method_or_several(call, tmp_path, value):
    settings = tmp_path / "settings.toml"
    settings.write_text(f"method = {value}\nexample = 'siren'\nout = '{tmp_path / 'out'}'\n")
    done = call("interpret", "--settings", settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["method"] == "saliency"


def test_a_folder_is_not_called_a_missing_file(tmp_path):
    with pytest.raises(AudioError, match="is a folder; give one of its sound files"):
        ai.load_audio(tmp_path)


def test_help_sets_examples_apart(call):
    lines = call("interpret", "--help").stdout.splitlines()
    start = lines.index("Examples:")
    assert lines.index("Options:") < start
    assert "  audiointerp interpret --example siren --open" in lines[start:]
    assert not any("Examples (in a shell)" in line for line in lines)
    joined = "\n".join(lines[start + 1 :]).replace(" \\\n     ", "")
    assert "--method gradcam --method saliency" in joined
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["interpet"], "did you mean 'interpret'?"), (["interpret", "--metod", "x"], "--method")],
)
def test_a_misspelt_command_or_option_is_guessed(call, arguments, message):
    done = call(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_one_clip_is_explained_without_what_is_slow_to_import(tmp_path):
    arguments = ["interpret", "--example", "siren", "--out", str(tmp_path / "out")]
    code = (
        "import sys\nfrom audiointerp.cli import main\n"
        f"sys.argv = ['audiointerp', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "slow = {'pandas', 'pyarrow', 'scipy', 'sympy', 'captum', 'shap', 'sklearn'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (tmp_path / "out" / "index.html").exists(), done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
