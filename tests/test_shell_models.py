"""Models of one's own in the shell: --model module:function."""

import importlib
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from audiointerp import cli
from audiointerp.processing import save_audio

RATE = 16000
CODE = """
    import numpy as np
    import torch
    from torch import nn
    import audiointerp as ai

    class BandEnergies(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(1.0))

        def forward(self, wav):
            power = torch.fft.rfft(wav).abs().square()
            low, high = power.chunk(2, -1)
            return self.gain * torch.stack([low.mean(-1), high.mean(-1)], -1).clamp_min(1e-9).log()

    def make():
        return ai.Classifier.from_waveform(
            BandEnergies(), ["high", "low"][::-1], sample_rate=16000, duration=1.0,
            normalize="none",
        )

    def function():
        network = BandEnergies()

        def predict(wavs):
            with torch.no_grad():
                return network(torch.from_numpy(wavs)).softmax(1).numpy()

        return ai.Classifier.from_function(
            predict, ["low", "high"], sample_rate=16000, duration=1.0, normalize="none",
        )

    def nothing():
        return None
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the code, and clips of two classes, from which the shell is used."""
    (tmp_path / "band_model.py").write_text(textwrap.dedent(CODE))
    generator = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    for label, frequency in (("low", 500), ("high", 6000)):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(3):
            sound = 0.3 * np.sin(2 * np.pi * frequency * (1 + 0.05 * number) * time)
            sound += 0.01 * generator.standard_normal(RATE)
            wav = torch.from_numpy(sound).float()[None, None]
            save_audio(tmp_path / "clips" / label / f"{number}.wav", wav, RATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("model", ["band_model:make", "band_model:function"])
def test_a_model_of_sounds_from_clip_to_table(call, folder, model):
    clip = folder / "clips" / "high" / "0.wav"
    arguments = ("--model", model, "--method", "random", "--mask", "topK_50")
    done = call("interpret", clip, *arguments, "--out", "reason")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "reason" / "kept.wav").is_file()
    done = call(
        *("run", "bands", "--clips", "clips", "--model", model, "--methods", "random"),
        *("--masks", "topK_50", "--out", "results"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_csv(folder / "results" / "sounds" / "bands" / "random" / "metrics.csv")
    assert rows["correct"].all()
    assert set(rows["on"]) == {"audio"}
    done = call("tables", "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "random" in done.stdout + done.stderr


def test_weights_are_read_into_the_model(call, folder):
    import band_model

    classifier = band_model.make()
    classifier.network.module.gain.data.fill_(0.0)
    classifier.save(folder / "flat.safetensors", factory="band_model:make")
    clip = folder / "clips" / "high" / "0.wav"
    arguments = ("--weights", "flat.safetensors", "--method", "random", "--out", "reason")
    refused = call("interpret", clip, *arguments)
    assert refused.returncode == 1
    assert "--model band_model:make in a shell" in refused.stdout + refused.stderr
    done = call("interpret", clip, *arguments, "--model", "band_model:make")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0.500" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--model module:function or --hf FOLDER"),
        (("--hf", "no-folder", "--model", "m:f"), "--hf replaces --weights and --model"),
        (("--hf", "./no-folder"), "./no-folder: no such folder; give that of save_pretrained"),
        (("--model", "band_model"), "a model's code is named module:function"),
        (("--model", "no_such:make"), "no module no_such: run from the folder of no_such.py"),
        (
            ("--model", "band_model.py:make"),
            "a module is named without its suffix: band_model:make",
        ),
        (("--model", "band_model:maker"), "band_model has no function maker; it has"),
        (("--model", "band_model:nothing"), "must return a Classifier"),
        (("--model", "band_model:make", "--on", "features"), "takes sounds, and has no features"),
        (("--model", "band_model:make", "--method", "shap"), "needs a network on features"),
        (("--model", "band_model:function", "--method", "saliency"), "needs gradients, and this"),
    ],
)
def test_wrong_uses_end_in_one_line(call, folder, arguments, message):
    done = call("interpret", folder / "clips" / "low" / "0.wav", *arguments)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def make():\n    return undefined_name\n", "NameError: name 'undefined_name'"),
        ("def make(path):\n    return path\n", "TypeError: make() missing 1 required"),
        ("def make(:\n", "broken_model cannot be imported: SyntaxError"),
    ],
)
def test_mistakes_in_the_users_code_end_in_one_line(call, folder, code, message):
    (folder / "broken_model.py").write_text(code)
    sys.modules.pop("broken_model", None)
    importlib.invalidate_caches()
    clip = folder / "clips" / "low" / "0.wav"
    done = call("interpret", clip, "--model", "broken_model:make")
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_warning_is_one_line_without_its_place(monkeypatch, capsys):
    """Places in the code say nothing to users of the shell."""
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(cli, "app", lambda: warnings.warn("the clip is\nshort", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # pytest records warnings; this shows them as Python does.
        monkeypatch.setattr(warnings, "showwarning", shown)
        cli.main()
    assert capsys.readouterr().err == "audiointerp: warning: the clip is short\n"


def shown(message, category, filename, lineno, file=None, line=None):
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
