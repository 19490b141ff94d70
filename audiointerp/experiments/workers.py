"""Worker processes: each computes one clip after another, by all the methods that need it.

On a CPU, several processes of one thread each are faster than one process of several threads: most
of the work is too small to share. Workers only compute; the process that started them writes.
"""

import os
import pickle
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing import resource_tracker
from typing import Any

import torch
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.backend.reduction import dumps

from ..dataset import LoadedClip
from ..errors import ArgumentError, AudioInterpError
from ..scoring import MethodRows
from ..util import deferred_signals, exit_with_parent, keep_memory, whole_number
from .computation import Computation, Result, Task, compute_here

POOLS = 16
"""The most pools of processes: some files are open for each pool, and one for each process."""


def check_workers(workers: int, device: torch.device) -> None:
    """Refuse a number of processes that cannot work.

    Raises:
        ArgumentError: the number is not an integer from 1, or several processes would share a GPU.

    >>> check_workers(0, torch.device("cpu"))
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: workers=0: must be a whole number from 1 on
    """
    whole_number("workers", workers, least=1)
    if workers > 1 and device.type != "cpu":
        raise ArgumentError(
            f"workers={workers} on {device}: several processes need a CPU; give workers=1"
        )


def pools_of(workers: int) -> list[int]:
    """Return the number of processes of each pool.

    Clips that follow one another go to one pool. If that is a single process, what it has computed
    of a clip for the null ``"other"`` of the one before it is not computed again.

    >>> pools_of(2), sum(pools_of(40)), max(pools_of(40))
    ([1, 1], 40, 3)
    """
    pools = min(workers, POOLS)
    return [workers // pools + (number < workers % pools) for number in range(pools)]


def compute_in_workers(
    computation: Computation, tasks: Sequence[Iterator[Task]], workers: int
) -> Generator[Result]:
    """Compute tasks in worker processes; results come in the order in which they are completed.

    Args:
        computation: what computes the rows; it is sent to each process once.
        tasks: those of each pool; drawn one by one, so that few clips are in memory at a time. If
            the first pool has none, no other may have any.
        workers: the number of processes; without a task, none is started.

    Raises:
        ArgumentError: the computation cannot be sent to another process.
        AudioInterpError: a worker died; the results of finished clips are given first.

    Example: see :func:`~audiointerp.experiments.run`, with ``workers=2``.
    """
    first = next(tasks[0], None)
    if first is None:
        return
    tasks = [chain([first], tasks[0]), *tasks[1:]]
    sizes, executors = pools_of(workers), _executors(computation, workers)
    pools = [_Pool(*each) for each in zip(executors, sizes, tasks, strict=True)]
    pending: Pending = {}
    with ExitStack() as stack:
        for pool in pools:
            stack.callback(_shut_down, pool, pending)
        try:
            # One task waits for the next free process of a pool; more would only delay a stop.
            for waiting in range(sizes[0] + 1):
                for pool in pools:
                    if waiting <= pool.size:
                        yield from _submit_next(pool, computation, pending)
            while pending:
                yield from _completed(computation, pending)
        except BrokenProcessPool as error:
            raise AudioInterpError(
                "a worker process was killed or could not start (a traceback above says why, if "
                "there is one). If memory ran out, give fewer workers. Finished clips of a run are "
                "kept, and the same command resumes it; score() begins again"
            ) from error


@dataclass(frozen=True, eq=False)
class _Pool:
    """Processes, their number, and the tasks that they get one after the other."""

    executor: ProcessPoolExecutor
    size: int
    tasks: Iterator[Task]


Pending = dict[Future[Any], tuple[_Pool, Task]]
"""The tasks of which the results have not come yet."""


def _shut_down(pool: _Pool, pending: Pending) -> None:
    # Tasks are pending only after an error or a second interrupt.
    pool.executor.shutdown(kill_workers=bool(pending))


def _submit_next(pool: _Pool, computation: Computation, pending: Pending) -> Iterator[Result]:
    """Give a pool its next task, if there is one; clips that cannot be read need no process."""
    for task in pool.tasks:
        if task.loaded.wav is not None:
            # The first submission starts the processes.
            with deferred_signals():
                future = pool.executor.submit(_work, _without_shared_storage(task))
                pending[future] = pool, task
            return
        # Its rows only say why it failed; the error itself may not survive pickling.
        yield from compute_here(computation, iter([task]), lambda: False)


def _completed(computation: Computation, pending: Pending) -> Iterator[Result]:
    """Wait for at least one task; its results leave ``pending``, its pool gets the next one."""
    done = wait(pending, return_when=FIRST_COMPLETED).done
    free = []
    # If a worker died, give the finished results before its error is raised.
    for future in sorted(done, key=lambda future: future.exception() is not None):
        computed_rows = future.result()
        pool, task = pending.pop(future)
        free.append(pool)
        for computed in computed_rows:
            yield task, computed
    for pool in free:
        yield from _submit_next(pool, computation, pending)


def _executors(computation: Computation, workers: int) -> list[ProcessPoolExecutor]:
    """Return the executor of each pool, without starting its processes."""
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
    return [
        ProcessPoolExecutor(size, initializer=pickle.loads, initargs=(start,))
        for size in pools_of(workers)
    ]


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
