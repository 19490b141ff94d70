"""A run in several processes: the same bytes, the same promises."""

import os
import signal
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from conftest import torture
from survival import FAILED, Bursts, Deadly, child, go, tables

from audiointerp import work
from audiointerp.errors import ArgumentError, AudioInterpError, Stopped
from audiointerp.interpretation import Saliency
from audiointerp.store import Store

METHODS = ("saliency", "random")
AT_LENGTH = pytest.mark.skipif(
    torture(True, False), reason="in make torture: each beginning of processes takes seconds"
)


class Heard(Bursts):
    """Clips, one of which cannot be read at first; another does something when it is heard."""

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
    """The tables of one process, of one thread as the workers are: another number of threads may round otherwise."""
    out, threads = tmp_path_factory.mktemp("expected"), torch.get_num_threads()
    torch.set_num_threads(1)
    go(out)
    torch.set_num_threads(threads)
    return tables(out)


def test_the_same_bytes_and_no_process_where_nothing_is_lacking(tmp_path, expected, monkeypatch):
    rows = go(tmp_path, Heard(broken={4}), workers=2)
    assert rows[rows["status"] == "error"][["clip", "stage"]].drop_duplicates().to_numpy().tolist() == [
        ["burst/4.wav", "read"]
    ]
    assert active_children() == []
    go(tmp_path, workers=2)
    assert tables(tmp_path) == expected
    monkeypatch.setattr(work, "ProcessPoolExecutor", None)
    go(tmp_path, workers=2)
    assert tables(tmp_path) == expected


def test_a_worker_that_dies_is_told_and_what_is_done_is_kept(tmp_path, expected, monkeypatch):
    monkeypatch.setenv("DEADLY", str(tmp_path / "now"))
    methods = [*METHODS, Deadly]
    out = tmp_path / "out"
    clips = Heard(at={5: (tmp_path / "now").touch})
    with pytest.raises(AudioInterpError, match="a process that computed has died; what was done is kept"):
        go(out, clips, methods, workers=2)
    assert active_children() == []
    done = len(list(out.rglob("parts/0*.json")))
    assert 3 <= done < 18
    (tmp_path / "now").unlink()
    go(out, methods=methods)
    assert tables(out) == expected


def test_a_signal_finishes_what_is_at_hand(tmp_path, expected):
    with pytest.raises(Stopped, match="stopped at clip 3 of 6"):
        go(tmp_path, Heard(at={2: lambda: signal.raise_signal(signal.SIGINT)}), workers=2)
    assert len(list(tmp_path.rglob("parts/0*.json"))) == 5
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
        go(tmp_path, Heard(at={4: interrupt}), workers=2)
    assert active_children() == []


def go_and_tell(out):
    """A run in two processes, whose numbers stand in a file."""
    os.setpgid(0, 0)

    def tell():
        numbers = " ".join(str(process.pid) for process in active_children())
        out.with_suffix(".part").write_text(numbers)
        out.with_suffix(".part").replace(out.with_suffix(".pids"))

    go(out, Heard(at={5: tell}), workers=2)


def begun(out):
    """A process that does so, and the numbers of those that it began."""
    process, pids = child(go_and_tell, out), out.with_suffix(".pids")
    while not pids.exists():
        assert process.exitcode is None
        time.sleep(0.01)
    return process, pids.read_text().split()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_processes_end_with_one_that_is_killed(tmp_path):
    process, numbers = begun(tmp_path / "out")
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
def test_a_signal_to_all_is_heard_by_one(tmp_path, expected, number):
    """A terminal, and a scheduler, signal the whole group: those that work must not die of it."""
    out = tmp_path / "out"
    process, _ = begun(out)
    os.killpg(process.pid, number)
    process.join()
    assert process.exitcode == FAILED
    assert (out / "error.txt").read_text().startswith("stopped at clip 6 of 6")
    go(out)
    assert tables(out) == expected


@AT_LENGTH
@pytest.mark.torture
def test_where_nothing_can_be_kept_the_processes_end(tmp_path, monkeypatch):
    def full(self, *arguments):
        raise AudioInterpError("the disk is full")

    monkeypatch.setattr(Store, "put", full)
    with pytest.raises(AudioInterpError, match="the disk is full") as kept:
        go(tmp_path, workers=2)
    assert active_children() == []
    assert kept.value.__traceback__ is not None  # as a notebook keeps it


def test_what_cannot_be_sent_is_told(tmp_path):
    class Local(Saliency):
        name = "local"

    with pytest.raises(ArgumentError, match=r"cannot be sent to another process .*Local.*; give workers=1"):
        go(tmp_path, methods=[Local], workers=2)


def _lives(number):
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_numbers_of_workers_that_cannot_be(tmp_path):
    for workers in (0, -1, 1.5, "2"):
        with pytest.raises(ArgumentError, match=r"workers=.*1 or more"):
            go(tmp_path, workers=workers)
    with pytest.raises(ArgumentError, match="several processes are for a CPU"):
        work.check_workers(2, torch.device("cuda"))
