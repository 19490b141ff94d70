"""Where to compute."""

import torch

from .errors import ArgumentError


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
