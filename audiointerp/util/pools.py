"""Work for a pool of processes, a few items at a time; does not import torch."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def few_at_a_time(
    submit: Callable[[Item], "Future[Result]"], items: Iterable[Item], most: int
) -> Iterator[tuple[Item, "Future[Result]"]]:
    """Submit items to a pool, and give each with its future as soon as it is done.

    Loky's pool must not have more to do than its workers can take at once: a thread of it prints a
    traceback when the pool is closed while others wait, e.g. after Ctrl-C, and leaves semaphores.
    Signals wait until an item is submitted: the first one starts the workers, and a pool that was
    interrupted then would wait for them for ever.

    Args:
        submit: gives an item to the pool.
        items: drawn one by one.
        most: how many are with the pool at a time; one more than its workers, so that none idles.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     done = few_at_a_time(lambda number: pool.submit(abs, number), [-1, -2, -3], 3)
    ...     sorted(future.result() for _, future in done)
    [1, 2, 3]
    """
    pending: dict[Future[Result], Item] = {}
    # It unblocks the signals when it starts, so it must not start together with the workers.
    if os.name == "posix":
        resource_tracker.ensure_running()
    for item in items:
        with deferred_signals():
            pending[submit(item)] = item
        if len(pending) >= most:
            yield from _done_of(pending)
    while pending:
        yield from _done_of(pending)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Block SIGINT and SIGTERM for a while; a process started meanwhile never receives them.

    A terminal or a scheduler signals a whole process group. Workers must not die of that: the
    process that started them ends them. Without signal masks (Windows) nothing is blocked.

    >>> try:
    ...     with deferred_signals():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("not yet")
    ... except KeyboardInterrupt:
    ...     print("now")
    not yet
    now
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _done_of(pending: dict["Future[Result]", Item]) -> Iterator[tuple[Item, "Future[Result]"]]:
    """Wait for at least one future; those that are done leave ``pending``."""
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        yield pending.pop(future), future
