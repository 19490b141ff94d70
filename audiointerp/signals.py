"""Asked to stop, finish what is at hand."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        print("stopping after the clip at hand; interrupt again to stop at once", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
