"""The C library's memory allocator; does not import torch."""

import ctypes
import sys
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


def _of_glibc(name: str) -> Any:
    """Return a function of the C library; None on another system, or if there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
