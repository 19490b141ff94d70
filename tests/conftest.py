import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from _pytest.doctest import DoctestModule
from hypothesis import settings
from small import small_classifier, torture

from audiointerp.cli import main
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.model.classifier import Classifier
from audiointerp.processing import save_audio
from audiointerp.processing.spectrogram import LogSTFT
from audiointerp.scoring import shares
from audiointerp.tables.results import COLUMNS

mpl.use("Agg")
torch.set_num_threads(1)  # pytest -n runs one process a core
# What a shell starts with & ignores SIGINT, and so would what is tested.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ESC10 = Path(__file__).parents[2] / "shared" / "data" / "ESC-10"


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path):
    """Look for doctests only in files with a prompt: else each script here would be imported."""
    collectors = yield
    if ">>>" in file_path.read_text(encoding="utf-8", errors="replace"):
        return collectors
    return [each for each in collectors if not isinstance(each, DoctestModule)]


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect no garbage meanwhile, and later pass over what stays: the modules and the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


class SameDraws:
    """Lets each test and each fixture draw the same numbers, whatever ran before in its process."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef, request):
        self._seed(f"{fixturedef.argname} {getattr(request, 'param_index', 0)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item):
        self._seed(item.nodeid)

    def _seed(self, name):
        seed = zlib.crc32(name.encode())
        torch.manual_seed(seed)
        np.random.seed(seed)


def pytest_configure(config):
    """Register what doctests outside this folder need, too; ``make torture`` draws others."""
    if torture(short=True, whole=False):
        config.pluginmanager.register(SameDraws())


def pytest_collection_modifyitems(config, items):
    """Leave out tests that ``make test`` does not run; do not trace hypothesis."""
    for item in items:
        # Tracing makes hundreds of examples several times slower: hypothesis is traced too.
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")
    others = torture(short=["long"], whole=[])
    if os.environ.get("AUDIOINTERP_WHOLE") != "1":
        others.append("whole")
    left_out = [item for item in items if any(map(item.get_closest_marker, others))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


settings.register_profile("laws", max_examples=torture(30, 2000), deadline=None)
settings.load_profile("laws")


@pytest.fixture
def figure(record_property):
    """Record a fault and its figure; ``make torture`` puts them into docs/reliability.md."""

    def tell(fault, text):
        record_property("fault", fault)
        record_property("figure", text)

    return tell


@pytest.fixture(autouse=True)
def tried(request, figure):
    """Record how many examples hypothesis tried; LAWS_OF in the module says of what."""
    yield
    statistics = getattr(request.node, "hypothesis_statistics", "")
    if statistics and (subject := getattr(request.module, "LAWS_OF", None)):
        cases = sum(int(passing) for passing in re.findall(r"(\d+) passing", statistics))
        figure(f"hypothesis on {subject}", f"{cases:,} examples, no counterexample")


@pytest.fixture(scope="session")
def esc10():
    if not ESC10.is_dir():
        pytest.skip(f"needs the real clips of ESC-10 in {ESC10}")
    return ESC10


@pytest.fixture(scope="session")
def clips(esc10):
    """Six real clips at 32 kHz: dog, rain, sea waves, crying baby, clock tick, sneezing."""
    from audiointerp.processing.audio import load_audio

    names = (
        "1-100032-A-0",
        "1-17367-A-10",
        "1-28135-A-11",
        "1-187207-A-20",
        "1-21934-A-38",
        "1-26143-A-21",
    )
    paths = [esc10 / "audio" / f"{name}.ogg" for name in names]
    return [load_audio(path, 32000) for path in paths]


@pytest.fixture(scope="module")
def sounds(request):
    """Noise, and real clips where they are, float64 at 16 kHz, of awkward lengths."""
    from audiointerp.processing import resample

    wavs = [torch.randn(1, 1, 12345, generator=torch.Generator().manual_seed(0)) * 0.1]
    try:
        for number, clip in enumerate(request.getfixturevalue("clips")[:3]):
            wavs.append(around_peak(resample(clip, 32000, 16000), 16000 + number))
    except pytest.skip.Exception:
        pass
    return [wav.double() for wav in wavs]


@pytest.fixture
def classifier():
    return small_classifier()


@pytest.fixture
def few_shares(monkeypatch):
    """Judge 3 shares of the bins in a page, as of a long clip, and not 19."""
    monkeypatch.setattr(shares, "MOST_FORWARDS", 30)


def noise(seconds, rate=32000, seed=0):
    return (
        torch.randn(1, 1, round(seconds * rate), generator=torch.Generator().manual_seed(seed))
        * 0.1
    )


class Excerpts(Synthetic):
    """A second of each synthetic clip, around its loudest sample."""

    def __getitem__(self, index):
        wav, target = super().__getitem__(index)
        return around_peak(wav, self.sample_rate), target


def small_set(kind=Excerpts, rate=32000, count=4):
    dataset = kind((5,), sample_rate=rate, duration=3.0)
    dataset.rows = dataset.rows[::20][:count]
    dataset.labels = tuple(f"label{i}" for i in range(10))
    return dataset


def ten_classes(**kwargs):
    """A classifier of the classes and of the length of ``small_set``."""
    return small_classifier(10, **kwargs)


def snr(reference, other):
    """Signal-to-noise ratio in dB; no scaling is forgiven."""
    return float(
        10
        * torch.log10(
            reference.double().square().sum() / (reference - other).double().square().sum()
        )
    )


def around_peak(wav, length):
    """Cut ``length`` samples around the loudest one; real clips have much digital silence."""
    start = min(max(0, int(wav.abs().argmax()) - length // 3), wav.shape[-1] - length)
    return wav[..., start : start + length]


@pytest.fixture
def in_this_process(monkeypatch, capsys):
    """Run the command line in this process; return the status, stdout and stderr."""

    def run(*arguments, place=None):
        monkeypatch.setattr(sys, "argv", ["audiointerp", *map(str, arguments)])
        if place is not None:
            monkeypatch.chdir(place)
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def keep_classes(dataset, last):
    """Keep two clips a class in folds 1 to 3, two clips in fold 4, and ``last`` in fold 5."""
    classes = (range(7), (0, 1, 2, 3, 7, 8, 9), range(4, 10), range(2), range(last))
    rows = enumerate(dataset.rows[::8])
    dataset.rows = [row for number, row in rows if number % 10 in classes[number // 10]]


@pytest.fixture(scope="module")
def place(untouched_place, tmp_path_factory):
    """A data folder like ESC-50 (see ``keep_classes``), weights, and one more clip."""
    # Each module has a copy, since tests write there.
    return shutil.copytree(untouched_place, tmp_path_factory.mktemp("place") / "copy")


@pytest.fixture(scope="session")
def untouched_place(tmp_path_factory):
    root = tmp_path_factory.mktemp("untouched_place")
    dataset = Synthetic(duration=3.0, sample_rate=16000)
    # A run reads all folds, since it compares its parts with their clips, but scores the last one.
    keep_classes(dataset, last=10)
    dataset.write(root / "data")
    # The network of all bins sees shorter noise first, since each second takes it a second.
    for name, transform, seconds in (("mel", None, 3.0), ("stft", LogSTFT(), 0.5)):
        classifier = small_classifier(10, duration=seconds, transform=transform)
        Classifier(classifier.network, classifier.transform, dataset.labels, 3.0).save(
            root / f"{name}.safetensors"
        )
    stereo = torch.randn(44100, 2).clamp(-1, 1).numpy()
    soundfile.write(root / "clip.flac", stereo, 44100)
    (root / "results" / "mel" / "mel_clean" / "random").mkdir(parents=True)
    row = {name: ["0"] for name in COLUMNS} | {"mask": ["bin"], "status": ["ok"]}
    pd.DataFrame(row).to_csv(
        root / "results" / "mel" / "mel_clean" / "random" / "metrics.csv", index=False
    )
    (root / "background").mkdir()
    save_audio(root / "background" / "a.wav", torch.randn(1, 1, 9000), 16000)
    return root


@pytest.fixture
def call(in_this_process):
    return lambda *arguments, place=None: subprocess.CompletedProcess(
        arguments, *in_this_process(*arguments, place=place)
    )


@pytest.fixture
def expected(tmp_path):
    """The tables of a run that nothing disturbed."""
    from survival import go, tables  # which imports this module

    go(tmp_path / "expected")
    return tables(tmp_path / "expected")


@pytest.fixture
def threads():
    """Set the number of threads, for this test alone."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
