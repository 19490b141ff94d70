"""The C library's memory allocator, and Python's garbage; does not import torch."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


def keep_memory() -> None:
    """Make glibc keep freed memory for the next tensor; does nothing on other systems.

    By default, each forward pass returns its pages to the system and requests them again. Keeping
    them makes scoring on a CPU about a third faster.

    >>> keep_memory()
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def return_memory() -> None:
    """Return what is free to the system, also after :func:`keep_memory`, which keeps what follows.

    Between two steps that need much memory of different sizes: the second one would not fit into
    what the first one has left, and both would be the process's.

    >>> return_memory()
    """
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@contextmanager
def importing() -> Iterator[None]:
    """Within it, Python does not look for garbage, nor later among the objects that were made.

    Imports make no garbage, but some hundred thousand objects, and Python looks through all of them
    several times. Where torch is imported already, nothing is changed: garbage of whoever did that
    would stay for ever.

    >>> with importing():
    ...     import json
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _of_glibc(name: str) -> Any:
    """Return a function of the C library; None on another system, or if there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
