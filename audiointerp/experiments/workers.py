"""Worker processes: each computes one clip at a time, by all the methods that need it.

On a CPU, several processes of one thread each are faster than one process of several threads: most
of the work is too small to share. Workers only compute; the process that started them writes.
"""

import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import chain
from multiprocessing import resource_tracker
from typing import Any

import torch
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.reduction import dumps

from ..dataset import LoadedClip
from ..errors import ArgumentError, AudioInterpError
from ..scoring import MethodRows
from ..util import deferred_signals, exit_with_parent, keep_memory
from .computation import Computation, Result, Task, compute_here


def check_workers(workers: int, device: torch.device) -> None:
    """Refuse a number of processes that cannot work.

    Raises:
        ArgumentError: the number is not an integer from 1, or several processes would share a GPU.

    >>> check_workers(0, torch.device("cpu"))
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: workers=0: give the number of processes, 1 or more
    """
    if not isinstance(workers, int) or workers < 1:
        raise ArgumentError(f"workers={workers!r}: give the number of processes, 1 or more")
    if workers > 1 and device.type != "cpu":
        raise ArgumentError(
            f"workers={workers} on {device}: several processes need a CPU; give workers=1"
        )


def compute_in_workers(
    computation: Computation, tasks: Iterator[Task], workers: int
) -> Generator[Result]:
    """Compute tasks in worker processes; results come in the order in which they are completed.

    Args:
        computation: what computes the rows; it is sent to each worker once.
        tasks: drawn one by one, so that few clips are in memory at a time.
        workers: the number of processes; without a task, none is started.

    Raises:
        ArgumentError: the computation cannot be sent to another process.
        AudioInterpError: a worker died; the results of finished clips are given first.

    Example: see :func:`~audiointerp.experiments.run`, with ``workers=2``.
    """
    first = next(tasks, None)
    if first is None:
        return
    pending: dict[Future[Any], Task] = {}
    executor = _executor(computation, workers)
    try:
        for task in chain([first], tasks):
            if task.loaded.wav is None:
                # Its rows only say why it failed; the error itself may not survive pickling.
                yield from compute_here(computation, iter([task]), lambda: False)
                continue
            # The first submission starts the workers.
            with deferred_signals():
                pending[executor.submit(_work, _without_shared_storage(task))] = task
            # One task waits for the next free worker; more would only delay a stop.
            if len(pending) > workers:
                yield from _completed(pending)
        while pending:
            yield from _completed(pending)
    except BrokenProcessPool as error:
        raise AudioInterpError(
            "a worker process was killed or could not start (a traceback above says why, if there "
            "is one). If memory ran out, give fewer workers. Finished clips of a run are kept, and "
            "the same command resumes it; score() begins again"
        ) from error
    finally:
        # Tasks are pending only after an error or a second interrupt.
        executor.shutdown(kill_workers=bool(pending))


def _completed(pending: dict[Future[Any], Task]) -> Iterator[Result]:
    """Wait for at least one task; its results leave ``pending``."""
    done = wait(pending, return_when=FIRST_COMPLETED).done
    # If a worker died, give the finished results before its error is raised.
    for future in sorted(done, key=lambda future: future.exception() is not None):
        computed_rows = future.result()
        task = pending.pop(future)
        for computed in computed_rows:
            yield task, computed


def _executor(computation: Computation, workers: int) -> ProcessPoolExecutor:
    try:
        # Unlike pickle, loky's pickler takes what is defined in a notebook or a script.
        payload = bytes(dumps(computation))
    except Exception as error:
        raise ArgumentError(
            f"workers={workers}: the network or a method cannot be sent to another process "
            f"({error}); give workers=1"
        ) from error
    # It unblocks the signals when it starts, so it must not start together with the workers.
    if os.name == "posix":
        resource_tracker.ensure_running()
    # Only these bytes, made here, are unpickled in a worker; never a file's.
    start = pickle.dumps(_WorkerStart(payload, os.getpid()))
    return ProcessPoolExecutor(workers, initializer=pickle.loads, initargs=(start,))


class _WorkerStart:
    """Calls :func:`_start_worker` when it is unpickled.

    Loky waits until a worker has read the initializer and its arguments. If the initializer were a
    function of this package, that would include the import of torch, one worker after another.
    """

    def __init__(self, payload: bytes, parent: int) -> None:
        self.arguments = (payload, parent)

    def __reduce__(self) -> tuple[Callable[..., None], tuple[bytes, int]]:
        return _start_worker, self.arguments


def _without_shared_storage(task: Task) -> Task:
    """The task with samples of its own: pickling a part of a tensor would send all of it."""
    other = None if task.other is None else _with_own_samples(task.other)
    return replace(task, loaded=_with_own_samples(task.loaded), other=other)


def _with_own_samples(loaded: LoadedClip) -> LoadedClip:
    return replace(loaded, wav=None if loaded.wav is None else loaded.wav.clone())


_computation: Computation | None = None
"""In a worker process: what it computes with."""


def _start_worker(payload: bytes, parent: int) -> None:
    global _computation
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    exit_with_parent(parent)
    keep_memory()
    # The number of threads may change the last bits of a sum.
    torch.set_num_threads(1)
    # These bytes came through a pipe from the process of this run; they are never a file's.
    _computation = pickle.loads(payload)


def _work(task: Task) -> list[MethodRows]:
    assert _computation is not None
    return [_without_info(computed) for computed in _computation.rows(task)]


def _without_info(computed: MethodRows) -> MethodRows:
    """Drop the method's own notes (``info``): they are not kept, and may not be picklable."""
    if computed.attribution is None:
        return computed
    return replace(computed, attribution=replace(computed.attribution, info={}))
