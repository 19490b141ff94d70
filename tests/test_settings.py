"""Options from a file: they replace the defaults, and an error names a wrong one."""

import json
import re

import pytest
import typer
from conftest import small_classifier

from audiointerp.cli.settings_file import LARGEST
from audiointerp.fit import FitSettings

COMMANDS = ["crossval", "demo", "train", "interpret", "run", "validate"]


@pytest.fixture
def call(in_this_process, tmp_path):
    return lambda *arguments: in_this_process(*arguments, place=tmp_path)


@pytest.fixture
def trained(monkeypatch):
    """The arguments of the training, which is not run."""
    seen = {}

    def instead(sets, transform, network, **settings):
        seen.update(settings, network=network, transform=transform)
        raise typer.Exit

    monkeypatch.setattr("audiointerp.fit.train_classifier", instead)
    return seen


@pytest.mark.parametrize("form", ["toml", "json"])
def test_a_file_takes_the_place_of_defaults_and_the_command_line_wins(
    form, call, trained, tmp_path
):
    values = {
        "network": "Cnn6",
        "epochs": 3,
        "learning-rate": 1,
        "base-channels": 5,
        "seeds": "4,5",
        "out": "there",
    }
    text = (
        json.dumps(values)
        if form == "json"
        else "\n".join(f"{key} = {json.dumps(values[key])}" for key in values)
    )
    (tmp_path / f"s.{form}").write_text(text)
    assert call("train", "--epochs", 2, "--settings", f"s.{form}", "--base-channels", 7) == (
        0,
        "",
        "",
    )
    assert (trained["network"], trained["base_channels"], trained["seeds"]) == ("Cnn6", 7, [4, 5])
    assert (trained["settings"].epochs, trained["settings"].learning_rate) == (2, 1.0)
    assert call("train") == (0, "", "")
    assert (trained["network"], trained["base_channels"], trained["settings"].epochs) == (
        "Cnn10",
        16,
        60,
    )


def test_how_to_train_can_be_given(call, trained):
    assert call("train", "--gain", 30, "--removal", 0.5, "--mixup", 0, "--batch-size", 8)[0] == 0
    plan = trained["settings"]
    assert (plan.gain, plan.removal, plan.mixup, plan.batch_size) == (30.0, 0.5, 0.0, 8)
    assert call("train")[0] == 0
    assert trained["settings"] == FitSettings()


def test_a_required_option_may_stand_in_the_file(call, tmp_path):
    small_classifier().save(tmp_path / "w.safetensors")
    (tmp_path / "s.toml").write_text(
        'weights = "w.safetensors"\nmethods = "sing"\ncurves = false\n'
    )
    assert call("run", "mel_clean", "--settings", "s.toml")[2].startswith(
        "audiointerp: unknown method 'sing'"
    )
    assert call("run", "mel_clean", "--settings", "s.toml", "--methods", "hum")[2].startswith(
        "audiointerp: unknown method 'hum'"
    )


FAULTS = {
    "unknown": (
        "s.toml",
        "epoch = 3",
        "unknown key 'epoch'; this command knows: averaging, base-channels, batch-size, clips,",
    ),
    "a name of Python's": ("s.toml", "base_channels = 3", "unknown key 'base_channels'"),
    "itself": ("s.toml", 'settings = "s.toml"', "unknown key 'settings'"),
    "help": ("s.toml", "help = true", "unknown key 'help'"),
    "text for a number": ("s.toml", 'epochs = "3"', "epochs must be a whole number, not '3'"),
    "a fraction": ("s.toml", "epochs = 3.5", "epochs must be a whole number, not 3.5"),
    "a truth": ("s.toml", "epochs = true", "epochs must be a whole number, not True"),
    "a truth for a fraction": ("s.json", '{"dropout": true}', "dropout must be a number, not True"),
    "a number for text": ("s.toml", "seeds = 0", "seeds must be text, not 0"),
    "a number for a path": ("s.json", '{"out": 3}', "out must be text, not 3"),
    "a list": ("s.toml", "seeds = [0, 1]", "seeds must be text, not [0, 1]"),
    "a table": ("s.toml", "[train]\nepochs = 3", "unknown key 'train'"),
    "nothing": ("s.json", '{"device": null}', "device must be text, not None"),
    "out of range": ("s.toml", "epochs = 0", "epochs = 0: "),
    "no table": ("s.json", "[1]", "has no keys and values"),
    "broken toml": ("s.toml", "epochs =", "cannot be read"),
    "broken json": ("s.json", "{", "cannot be read"),
    "deep": ("s.json", "[" * 99_999, "cannot be read"),
    "twice": ("s.toml", "epochs = 1\nepochs = 2", "cannot be read"),
    "other ending": ("s.yaml", "epochs: 3", "ends in .toml or .json"),
    "large": ("s.json", " " * (LARGEST + 1), "bytes are too many"),
    "missing": ("t.json", None, "no such file"),
    "bytes": ("s.toml", b"\xff", "cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_in_one_line(fault, call, trained, tmp_path):
    name, text, message = FAULTS[fault]
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    status, out, err = call("train", "--settings", name)
    assert (status, out) == (1, "")
    assert err.startswith(f"audiointerp: --settings {name}: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not trained


def test_switches(tmp_path, call):
    (tmp_path / "s.toml").write_text("curves = 0")
    assert (
        "curves must be true or false, not 0" in call("run", "mel_clean", "--settings", "s.toml")[2]
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_long_option_is_a_key(command, call, tmp_path):
    """The error about an unknown key lists the same options as --help."""
    (tmp_path / "s.toml").write_text("nonsense = 1")
    said = call(
        command,
        *(["x"] if command in ("crossval", "interpret", "run") else []),
        "--settings",
        "s.toml",
    )[2]
    known = said.split("this command knows: ")[1].strip().split(", ")
    listed = set(re.findall(r"--([a-z-]+)", call(command, "--help")[1]))
    assert known == sorted(
        name for name in listed - {"help", "settings"} if not name.startswith("no-")
    )
