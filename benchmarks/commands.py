"""How long whole commands take: the start of the command line, the demo, the tests."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
STARTS = 5
"""How often the command line is started; the least time counts."""


@dataclass(frozen=True)
class Command:
    """A command that was run.

    Attributes:
        name: as a user would write it.
        seconds: by the clock.
        cpu_seconds: of all its processes.
        status: its exit status, 0 if it succeeded.
        goal: the most seconds that it should take.
    """

    name: str
    seconds: float
    cpu_seconds: float
    status: int
    goal: float


def commands(only_start: bool = False) -> Iterator[Command]:
    """Run the commands; each may take minutes, but for the first.

    Args:
        only_start: whether only the start of the command line is measured.
    """
    program = [sys.executable, "-m", "audiointerp"]
    runs = [_run("audiointerp --help", [*program, "--help"], 0.5) for _ in range(STARTS)]
    yield min(runs, key=lambda run: run.seconds)
    if only_start:
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _run("audiointerp demo", [*program, "demo", "--out", folder], 120.0)
    processes = str(os.cpu_count() or 1)
    tests = [sys.executable, "-m", "pytest", "-n", processes, "-p", "no:cacheprovider"]
    yield _run("make test (pytest alone)", tests, 480.0)


def _run(name: str, command: Sequence[str], goal: float) -> Command:
    start, used = time.perf_counter(), _cpu_of_children()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        if "pytest" in command
        else {**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.perf_counter() - start
    return Command(name, seconds, _cpu_of_children() - used, done.returncode, goal)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
