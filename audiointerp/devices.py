"""Where to compute."""

import ctypes
import sys

import torch

from .errors import ArgumentError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of mallopt(3)."""


def usable_device(name: str | torch.device) -> torch.device:
    """The device of that name, if this machine and this torch can compute on it.

    Raises:
        ArgumentError: there is no such device here.

    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        probe = torch.zeros(1, device=name)
        probe.sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ArgumentError(f"device {str(name)!r} cannot be used here: {reason}") from error
    return probe.device


def keep_memory() -> None:
    """Tell glibc to keep freed memory for the next tensor, which took a third off the time of scoring on a CPU.

    Each forward would otherwise give its pages back to the system and ask for them again. Elsewhere it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
