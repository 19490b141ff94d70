"""Devices to compute on, and what to do when their memory runs out."""

from collections.abc import Callable
from typing import TypeVar

import torch

from ..errors import ArgumentError
from .text import one_line

Result = TypeVar("Result")
LONGEST_REASON = 200
OUT_OF_MEMORY_SIGNS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "_ALLOC_FAILED",
)
"""Parts of the messages of torch on CPU, CUDA and MPS, where it raises a plain RuntimeError."""


def usable_device(name: str | torch.device) -> torch.device:
    """Return the device of that name, after a test that torch can compute on it.

    Args:
        name: e.g. ``"cpu"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        ArgumentError: this machine has no such device, or this build of torch cannot use it.

    >>> usable_device("cpu")
    device(type='cpu')
    """
    try:
        probe = torch.zeros(1, device=name)
        probe.sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentError(
            f"device {str(name)!r} cannot be used here: {one_line(error, LONGEST_REASON)}"
        ) from error
    return probe.device


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on any device.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    >>> is_out_of_memory(RuntimeError("shape mismatch"))
    False
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in OUT_OF_MEMORY_SIGNS
    )


def halve_on_oom(compute: Callable[[int], Result], batch: int) -> tuple[Result, int]:
    """Call ``compute(batch)``; on out-of-memory, retry with half the batch, down to 1.

    Args:
        compute: takes the size of a batch.
        batch: the size to try first.

    Returns:
        The result, and the size of the batch that worked.

    Raises:
        Exception: whatever ``compute`` raises, including out-of-memory with a batch of 1.

    >>> def three_at_most(batch):
    ...     if batch > 3:
    ...         raise MemoryError
    ...     return "done"
    >>> halve_on_oom(three_at_most, 16)
    ('done', 2)
    """
    while True:
        try:
            return compute(batch), batch
        except Exception as error:
            if batch <= 1 or not is_out_of_memory(error):
                raise
        # Retry outside the except block: the error, whose frames hold tensors, is freed by now.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        batch //= 2
