"""SIGINT and SIGTERM during a run: finish what is being computed, then stop."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether SIGINT or SIGTERM came; a second SIGINT stops at once.

    Only the main thread receives signals; in another thread the function always says False, and
    no handler is changed.

    >>> with stoppable() as stop_requested:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     stop_requested()
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # An ignored signal stays ignored; a handler that Python did not set cannot be restored.
    previous = {
        number: handler
        for number, handler in handlers.items()
        if handler not in (signal.SIG_IGN, None)
    }

    def request_stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(signal.SIGINT, previous.get(signal.SIGINT, signal.SIG_IGN))
        # print is not reentrant, and the terminal may be gone.
        with suppress(OSError):
            os.write(2, b"finishing what is being computed; interrupt again to stop at once\n")

    try:
        for number in previous:
            signal.signal(number, request_stop)
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
