"""The C library's memory allocator; does not import torch."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


def keep_memory() -> None:
    """Make glibc keep freed memory for the next tensor; does nothing on other systems.

    By default, each forward pass returns its pages to the system and requests them again. Keeping
    them makes scoring on a CPU about a third faster.

    >>> keep_memory()
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
