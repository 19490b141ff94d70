"""Out of memory: told from other errors, and met with half as much at once."""

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")
SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "_ALLOC_FAILED")
"""What torch says on CPU, CUDA and MPS where it raises a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory is short, on whatever device.

    >>> is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"))
    True
    >>> is_out_of_memory(RuntimeError("shape mismatch"))
    False
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def halving(compute: Callable[[int], Result], batch: int) -> tuple[Result, int]:
    """``compute(batch)``; where memory is short, ``compute`` of half the batch, down to 1. With it the batch that went.

    Raises:
        Exception: whatever ``compute`` raises, out of memory at a batch of 1 included.

    >>> def three_at_most(batch):
    ...     if batch > 3:
    ...         raise MemoryError
    ...     return "done"
    >>> halving(three_at_most, 16)
    ('done', 2)
    """
    while True:
        try:
            return compute(batch), batch
        except Exception as error:
            if batch <= 1 or not is_out_of_memory(error):
                raise
        # Here the error, and with it every tensor that its frames held, is gone.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        batch //= 2
