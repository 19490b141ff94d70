"""Progress: a bar on a terminal and in a notebook, or a function of the caller's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.auto import tqdm

from ..errors import ArgumentError

Progress = bool | Callable[[int, int], Any] | None
"""Whether there is a bar, by default where somebody watches; or a function of (done, total)."""


@contextmanager
def show_progress(
    name: str,
    total: int,
    unit: str,
    progress: Progress = None,
    *,
    hidden: bool | None = None,
    **options: Any,
) -> Iterator[Callable[[int], Any]]:
    """Show how much of the work is done, or tell the caller's function.

    Args:
        name: of the work.
        total: how much there is.
        unit: of the total, e.g. ``"clip"``.
        progress: a function that is called with (done, total) after each part; else False for no
            bar.
        hidden: whether there is no bar; by default none unless on a terminal or in a notebook.
        **options: of tqdm's bar.

    Returns:
        A function that is called with the number of units just done.

    Raises:
        ArgumentError: ``progress`` is neither True, False, None nor a function.

    >>> def tell(done, total):
    ...     print(f"{done} of {total}")
    >>> with show_progress("scoring", 3, "clip", tell) as advance:
    ...     advance(1)
    ...     advance(2)
    1 of 3
    3 of 3
    """
    if callable(progress):
        yield _counter(progress, total)
        return
    if progress is not None and not isinstance(progress, bool):
        raise ArgumentError(
            f"progress={progress!r:.40}: True, False, None, or a function of (done, total)"
        )
    is_hidden = True if progress is False else hidden
    # With disable=None, tqdm shows a bar on a terminal and in a notebook only.
    with tqdm(total=total, desc=name, unit=unit, disable=is_hidden, **options) as bar:
        yield bar.update


def _counter(tell: Callable[[int, int], Any], total: int) -> Callable[[int], None]:
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(done, total)

    return advance
