"""What is said about wrong uses of a model of sounds."""

from numbers import Integral
from typing import Any

from ..errors import ArgumentError
from ..processing import LOWEST_RATE

ONE_AT_A_TIME = (
    "if it takes one sound (L,), give lambda wavs: [predict(wav) for wav in wavs], and max_batch=1 "
    "if it takes (1, L)"
)
"""What to do about a function that does not take several sounds."""


def check_sample_rate(sample_rate: Any) -> None:
    """Check that a sample rate is a whole number of Hz.

    Raises:
        ArgumentError: it is not, or below :data:`LOWEST_RATE`.

    >>> check_sample_rate(16000)
    """
    if not isinstance(sample_rate, Integral) or isinstance(sample_rate, bool) or sample_rate < 1:
        raise ArgumentError(f"sample_rate={sample_rate!r} must be a whole number of Hz, e.g. 16000")
    if sample_rate < LOWEST_RATE:
        raise ArgumentError(
            f"sample_rate={sample_rate!r} is in Hz, not in kHz, e.g. 16000; rates below "
            f"{LOWEST_RATE} Hz are refused"
        )


def advice(message: str) -> str:
    """Return what to do about an error of a module, as its message shows.

    >>> advice("Expected all tensors to be on the same device")[:35]
    'put all of its tensors on one devic'
    """
    if "device" in message:
        return (
            "put all of its tensors on one device: those that are no parameters are made on that "
            "of the sounds, or registered as buffers"
        )
    if "Half" in message or "BFloat16" in message:
        return (
            "sounds have the type of the module's first weights, and a front end (FFT) needs "
            "float32: give module.float(), or cast between front end and network"
        )
    return (
        "check sample_rate, duration and shape ('NL' for (N, L), 'NCL' for (N, 1, L)); a network "
        "on features is Classifier(network, transform, labels)"
    )
