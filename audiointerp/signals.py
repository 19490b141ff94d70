"""Asked to stop, finish what is at hand."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether SIGINT or SIGTERM came in the meantime; a second SIGINT stops at once.

    Signals reach the main thread alone; in another one the function says False, and nothing is changed.

    >>> with stoppable() as stop_asked:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stop_asked()
    True
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    # What ignores a signal was told to, and what is not Python's own cannot be put back.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before.get(signal.SIGINT, signal.SIG_IGN))
        with suppress(OSError):  # of a terminal that is gone; and no print, which must not be entered twice
            os.write(2, b"stopping after the clip at hand; interrupt again to stop at once\n")

    try:
        for number in before:
            signal.signal(number, ask)
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """SIGINT and SIGTERM wait until it ends; a process that is begun meanwhile never gets them.

    A terminal, and a scheduler, send them to a whole group of processes; those that work for another are to be stopped by it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
