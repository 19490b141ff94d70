"""A run in several processes: the same bytes, resumable in the same way."""

import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import active_children, get_context
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import torture
from survival import FAILED, Bursts, Deadly, child, go, tables

from audiointerp.errors import ArgumentError, AudioInterpError, Stopped
from audiointerp.experiments import workers as work
from audiointerp.experiments.shares import Shares
from audiointerp.experiments.store import Store
from audiointerp.experiments.workers import pools_of
from audiointerp.interpretation.saliency import Saliency

METHODS = ("saliency", "random")
AT_LENGTH = pytest.mark.skipif(
    torture(True, False), reason="in make torture: each start of workers takes seconds"
)


class Eventful(Bursts):
    """Clips of which some cannot be read; others call a function when they are read."""

    def __init__(self, broken=(), at=None):
        super().__init__()
        self.broken, self.at = broken, at or {}

    def __getitem__(self, index):
        self.at.get(index, lambda: None)()
        if index in self.broken:
            raise AudioInterpError("this clip is broken")
        return super().__getitem__(index)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tables of one process with one thread, as in a worker; more may round otherwise."""
    out, threads = tmp_path_factory.mktemp("expected"), torch.get_num_threads()
    torch.set_num_threads(1)
    go(out)
    torch.set_num_threads(threads)
    return tables(out)


def test_the_same_bytes_and_no_process_where_nothing_is_lacking(tmp_path, expected, monkeypatch):
    rows = go(tmp_path, Eventful(broken={4}), workers=2)
    assert rows[rows["status"] == "error"][
        ["clip", "stage"]
    ].drop_duplicates().to_numpy().tolist() == [["burst/4.wav", "read"]]
    assert active_children() == []
    go(tmp_path, workers=torture(1, 2))
    assert tables(tmp_path) == expected
    monkeypatch.setattr(work, "ProcessPoolExecutor", None)
    go(tmp_path, workers=2)
    assert tables(tmp_path) == expected


def other_child():
    """A child process that is none of a run's workers, and must live on."""
    process = get_context("spawn").Process(target=time.sleep, args=(300,))
    process.start()
    return process


def test_a_killed_worker_is_an_error_and_finished_clips_are_kept(tmp_path, expected, monkeypatch):
    monkeypatch.setenv("DEADLY", str(tmp_path / "now"))
    methods = [*METHODS, Deadly]
    out = tmp_path / "out"
    put = Store.put

    def deadly_put(*arguments):
        put(*arguments)
        (tmp_path / "now").touch()

    monkeypatch.setattr(Store, "put", deadly_put)
    other = other_child()
    with pytest.raises(
        AudioInterpError,
        match=r"a worker process was killed or could not start .* Finished clips of a run are kept",
    ):
        go(out, methods=methods, workers=2)
    assert active_children() == [other]
    other.kill()
    other.join()
    monkeypatch.undo()
    done = len(list(out.rglob("clips/0*.json")))
    assert 3 <= done < 18
    (tmp_path / "now").unlink()
    go(out, methods=methods)
    assert tables(out) == expected


def test_a_signal_finishes_the_clips_at_hand(tmp_path, expected):
    with pytest.raises(Stopped, match="stopped at clip 3 of 6"):
        # Of two halves, clips 0, 3 and 1 come first; clip 2 is read beside clip 1.
        go(tmp_path, Eventful(at={2: lambda: signal.raise_signal(signal.SIGINT)}), workers=2)
    assert len(list(tmp_path.rglob("clips/0*.json"))) == 6
    assert active_children() == []
    go(tmp_path)
    assert tables(tmp_path) == expected


@AT_LENGTH
@pytest.mark.torture
def test_a_second_interrupt_stops_at_once(tmp_path):
    def interrupt():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, Eventful(at={4: interrupt}), workers=2)
    assert active_children() == []


def go_and_report(out):
    """A run in two workers, which writes their process ids to a file."""
    os.setpgid(0, 0)

    def report():
        numbers = " ".join(str(process.pid) for process in active_children())
        out.with_suffix(".part").write_text(numbers)
        out.with_suffix(".part").replace(out.with_suffix(".pids"))

    go(out, Eventful(at={5: report}), workers=2)


def started(out):
    """A process that does so, and the ids of its workers."""
    process, pids = child(go_and_report, out), out.with_suffix(".pids")
    while not pids.exists():
        assert process.exitcode is None
        time.sleep(0.01)
    return process, pids.read_text().split()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    process, numbers = started(tmp_path / "out")
    process.kill()
    process.join()
    assert len(numbers) == 2
    until = time.monotonic() + 10
    while alive := [number for number in numbers if _lives(number)]:
        assert time.monotonic() < until, alive
        time.sleep(0.05)


@AT_LENGTH
@pytest.mark.torture
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_group_stops_the_run_only(tmp_path, expected, number):
    """A terminal or a scheduler signals the whole group: workers must not die of it."""
    out = tmp_path / "out"
    process, _ = started(out)
    os.killpg(process.pid, number)
    process.join()
    assert process.exitcode == FAILED
    assert (out / "error.txt").read_text().startswith("stopped at clip 4 of 6")
    go(out)
    assert tables(out) == expected


@AT_LENGTH
@pytest.mark.torture
def test_workers_end_when_results_cannot_be_written(tmp_path, monkeypatch):
    def full(self, *arguments):
        raise AudioInterpError("the disk is full")

    monkeypatch.setattr(Store, "put", full)
    other = other_child()
    with pytest.raises(AudioInterpError, match="the disk is full") as kept:
        go(tmp_path, workers=2)
    assert active_children() == [other]
    other.kill()
    other.join()
    # As a notebook keeps it.
    assert kept.value.__traceback__ is not None


def test_what_cannot_be_sent_is_refused(tmp_path):
    class Locked(Saliency):
        name = "locked"

        def __init__(self, network):
            super().__init__(network)
            self.lock = threading.Lock()

    with pytest.raises(
        ArgumentError, match=r"cannot be sent to another process .*lock.*; give workers=1"
    ):
        go(tmp_path, methods=[Locked], workers=2)


SCRIPT = """
import sys, torch
from torch import nn
from audiointerp import Classifier, LogMel, Random
from audiointerp.experiments import Experiment, run

class Network(nn.Module):
    def forward(self, db):
        return db.mean((1, 2)).cumsum(1)[:, :3] / 10

class Mine(Random):
    name = "mine"

class Clips:
    sample_rate, labels = 32000, ("a", "b", "c")
    def __len__(self):
        return 3
    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return torch.randn(1, 9600, generator=generator) * 0.1, index
    def clip_id(self, index):
        return f"{index}.wav"

torch.set_num_threads(1)
classifier = Classifier(Network(), LogMel(), Clips.labels, 0.3)
for workers in (1, 2):
    run(Experiment("own", "mel"), classifier, Clips(), [Mine], f"{sys.argv[1]}/{workers}",
        masks=["bin"], on="features", progress=False, workers=workers)
"""


def test_classes_of_a_script_or_a_notebook_work_without_a_main_guard(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, tmp_path / "script.py", tmp_path], check=True)
    here, in_workers = sorted(tmp_path.rglob("metrics.csv"))
    assert here.read_bytes() == in_workers.read_bytes()


def _lives(number):
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_numbers_of_workers_that_cannot_be(tmp_path):
    for workers in (0, -1, 1.5, "2"):
        with pytest.raises(ArgumentError, match=r"workers=.*: must be a whole number from 1 on"):
            go(tmp_path, workers=workers)
    with pytest.raises(ArgumentError, match="several processes need a CPU"):
        work.check_workers(2, torch.device("cuda"))


class Noted(Saliency):
    """A method that writes a line for each clip that it explains."""

    name = "noted"

    def _attribute(self, score, db):
        with open(os.environ["NOTED"], "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()}\n")
        return super()._attribute(score, db)


@pytest.mark.parametrize("workers", [1, 2])
def test_with_workers_nearly_all_clips_are_explained_once(tmp_path, monkeypatch, workers):
    monkeypatch.setenv("NOTED", str(tmp_path / "noted"))
    go(tmp_path / "out", Bursts(16), [Noted], nulls=["other"], workers=workers)
    lines = (tmp_path / "noted").read_text().split()
    # Of two workers, one needs the first clip of the other's; then they share what is left.
    assert 16 <= len(lines) <= {1: 16, 2: 21}[workers]
    assert len(set(lines)) == workers


@given(clips=st.integers(0, 100), workers=st.integers(2, 20))
def test_each_number_is_taken_once_and_nobody_is_idle_before(clips, workers):
    shares = Shares(range(3, 3 + clips), workers)
    takers, taken = [shares.of(worker) for worker in range(workers)], []
    while numbers := [number for taker in takers if (number := next(taker, None)) is not None]:
        taken += numbers
        assert len(numbers) == min(workers, clips + len(numbers) - len(taken))
    assert sorted(taken) == list(range(3, 3 + clips))


@given(st.integers(1, 1000))
def test_pools_have_all_workers_and_few_open_files(workers):
    pools = pools_of(workers)
    assert sum(pools) == workers
    assert len(pools) <= 16
    assert max(pools) - min(pools) <= 1
    assert pools == sorted(pools, reverse=True)
