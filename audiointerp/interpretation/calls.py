"""Shows how many of a method's versions of a clip the network has seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any

from ..util import Progress, show_progress

SECONDS_BEFORE_A_BAR = 1.0


@contextmanager
def show_calls(name: str, total: int, progress: Progress = None) -> Iterator[Callable[[int], Any]]:
    """Show a progress bar for the versions of one clip; it is removed at the end.

    Args:
        name: of the method.
        total: the number of versions.
        progress: whether there is a bar; if None, there is one on a terminal and in a notebook, but
            not in a worker process, and only for what takes more than a second. Or a function of
            (versions that are done, total); each window of a long clip is counted by itself.

    Returns:
        A function that is called with the number of versions that are done.

    >>> with show_calls("rise", 100, progress=False) as advance:
    ...     _ = advance(32)
    """
    hidden = False if progress is True else None
    if progress is None and current_process().name != "MainProcess":
        hidden = True
    delay = SECONDS_BEFORE_A_BAR if progress is None else 0.0
    with show_progress(
        name, total, "call", progress, hidden=hidden, leave=False, delay=delay
    ) as advance:
        yield advance
