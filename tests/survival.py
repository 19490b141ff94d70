"""Shared by the tests of runs: clips and a network for runs of a second, and child processes."""

import os
import sys
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import torch
from small import small_classifier

from audiointerp.errors import AudioInterpError
from audiointerp.experiments.runner import run
from audiointerp.experiments.study import Experiment
from audiointerp.interpretation.saliency import Saliency

REFUSED, FAILED = 3, 4
EXPERIMENT = Experiment("small", "mel")
METHODS = ("saliency", "random")


class Bursts:
    """Clips of noise, 0.3 s each."""

    sample_rate = 32000
    labels = ("label0", "label1", "label2")

    def __init__(self, count=6):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return torch.randn(1, 9600, generator=generator) * 0.1, index % 3

    def clip_id(self, index):
        return f"burst/{index}.wav"


class Counted(Bursts):
    """Clips of which some cannot be read; others call a function when they are read."""

    def __init__(self, broken=(), at=None):
        super().__init__()
        self.broken, self.at = set(broken), at or {}

    def __getitem__(self, index):
        if index in self.broken:
            raise OSError(f"burst {index} is broken")
        self.at.pop(index, lambda: None)()
        return super().__getitem__(index)


CLASSIFIER = small_classifier(duration=0.3)
"""Built at import, so that child processes have it."""


def go(out, clips=None, methods=METHODS, classifier=CLASSIFIER, **settings):
    """A run of some clips by two methods and two masks."""
    plan = {"masks": ["bin", "topK_5"], "on": "features", "fill": "silence"}
    settings = plan | {"progress": False} | settings
    return run(EXPERIMENT, classifier, clips or Bursts(), methods, out, **settings)


def tables(out, methods=METHODS):
    """The bytes of each method's table, None where there is none."""
    paths = [Path(out) / "mel" / "small" / method / "metrics.csv" for method in methods]
    return [path.read_bytes() if path.exists() else None for path in paths]


def child(work, *arguments):
    """Start a process that calls ``work``; torch is imported already there."""
    context = get_context("forkserver")
    # Where the server finds this module, and the package under test rather than an installed one.
    tests = Path(__file__).parent
    os.environ["PYTHONPATH"] = os.pathsep.join([str(tests), str(tests.parent)])
    context.set_forkserver_preload(["survival"])
    process = context.Process(target=_call, args=(work, *arguments))
    process.start()
    return process


def _call(work, *arguments):
    torch.set_num_threads(1)
    # It stays open as long as the process lives.
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        work(*arguments)
    except AudioInterpError as error:
        if "writes there" in str(error):
            sys.exit(REFUSED)
        Path(arguments[0]).mkdir(exist_ok=True)
        (Path(arguments[0]) / "error.txt").write_text(str(error))
        sys.exit(FAILED)


def go_on_a_full_disk(out, number):
    """A run in which one write, the one of that number, finds room for 16 bytes only."""
    import resource

    from audiointerp.experiments import store
    from audiointerp.util import files

    count, atomic_write = 0, files.atomic_write

    @contextmanager
    def limited(path):
        nonlocal count
        count += 1
        if count == number:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
        try:
            with atomic_write(path) as part:
                yield part
        finally:
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )

    files.atomic_write = store.atomic_write = limited
    go(out)


class Deadly(Saliency):
    """A method that ends its process once the file named by the variable DEADLY exists."""

    name = "deadly"

    def _attribute(self, score, db):
        if Path(os.environ["DEADLY"]).exists():
            os._exit(1)
        return super()._attribute(score, db)
