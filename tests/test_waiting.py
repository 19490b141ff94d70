"""What is shown while somebody waits, and how soon help is there."""

import io
import os
import re
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn

import audiointerp as ai
from audiointerp.dataset import compute_features
from audiointerp.fit import FitSettings, fit
from audiointerp.interpretation import calls
from audiointerp.processing import LogMel

REMAINING = re.compile(r"\[\d\d:\d\d<\d\d:\d\d")
"""The time so far and the time that remains, as tqdm writes them."""
BLACK_BOXES = {
    "lime": lambda network: ai.LIME(network, "grid", samples=64),
    "rise": lambda network: ai.RISE(network, (2, 2), samples=64),
    "occlusion": lambda network: ai.Occlusion(network, (4, 4), (1, 2)),
    "kernel_shap": lambda network: ai.KernelSHAP(network, samples=128),
    "optimal": lambda network: ai.OptimalMask(network, steps=12),
}


class Slow(nn.Module):
    """A network that takes a while, so that a bar is drawn more than once."""

    def __init__(self, seconds=0.06):
        super().__init__()
        self.seconds = seconds
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16 * 40, 2))
        with torch.no_grad():
            self.layers[1].weight /= 100

    def forward(self, db):
        time.sleep(self.seconds)
        return self.layers(db)


class Tones:
    """Clips that take a while to read."""

    sample_rate, labels = 8000, ("low", "high")

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(0.05)
        return torch.sin(torch.arange(800) * (index + 1) / 10)[None], index % 2

    def clip_id(self, index):
        return str(index)


def explain(name, **keywords):
    explainer = BLACK_BOXES[name](Slow())
    explainer.progress = keywords.get("progress")
    explainer(torch.rand(1, 1, 16, 40))


def train(name, **keywords):
    clips = torch.rand(2, 1, 16, 40), torch.tensor([0, 1])
    settings = FitSettings(epochs=4, mixup=0.0, frequency_mask=0, time_mask=0)
    fit(Slow(), clips, clips, settings, **keywords)


def read(name, **keywords):
    compute_features(Tones(), LogMel(8000, 256, 80, 16, f_max=4000.0), **keywords)


WORKS = {**dict.fromkeys(BLACK_BOXES, explain), "training": train, "features": read}


class Terminal:
    """A real terminal: what is written to ``stream`` is in ``text()``."""

    def __init__(self):
        import termios

        self.master, slave = os.openpty()
        # A new terminal has no columns, so that nothing fits.
        termios.tcsetwinsize(slave, (24, 80))
        self.stream = os.fdopen(slave, "w")
        self.parts = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                part = os.read(self.master, 4096)
            except OSError:
                return
            if not part:
                return
            self.parts.append(part)

    def text(self):
        self.stream.close()
        self.reader.join()
        os.close(self.master)
        return b"".join(self.parts).decode()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
@pytest.mark.parametrize("name", WORKS)
def test_a_bar_with_the_remaining_time_is_on_the_terminal_alone(name, monkeypatch, capsys):
    monkeypatch.setattr(calls, "SECONDS_BEFORE_A_BAR", 0.0)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal.stream)
    WORKS[name](name)
    monkeypatch.undo()
    text = terminal.text()
    assert name in text
    assert REMAINING.search(text)
    # Standard output may be piped into another program.
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", WORKS)
def test_there_is_no_bar_where_nobody_watches(name, monkeypatch, capsys):
    monkeypatch.setattr(calls, "SECONDS_BEFORE_A_BAR", 0.0)
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    WORKS[name](name)
    assert stream.getvalue() == ""
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
@pytest.mark.parametrize("name", WORKS)
def test_a_bar_can_be_turned_off(name, monkeypatch):
    monkeypatch.setattr(calls, "SECONDS_BEFORE_A_BAR", 0.0)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal.stream)
    WORKS[name](name, progress=False)
    monkeypatch.undo()
    assert terminal.text() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_is_there_at_once(arguments):
    """In processor seconds, since others may use the machine; the best of three."""
    code = (
        "import runpy, sys, time\n"
        f"sys.argv = ['audiointerp', *{arguments!r}]\n"
        "try: runpy.run_module('audiointerp', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(time.process_time(), int(peak.split()[1]) / 1024, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code]
    done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3)]
    seconds, megabytes = zip(*(map(float, each.stderr.split()) for each in done), strict=True)
    assert done[0].stdout
    assert min(seconds) < 0.5
    assert max(megabytes) < 100
