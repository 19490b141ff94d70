"""Clips of one length: longer ones are cut, with a warning, shorter ones padded with silence."""

import warnings

from torch import Tensor

from ..errors import ArgumentError, AudioWarning
from ..processing import LOWEST_RATE, fix_length
from ..util import is_number

LEAST_CUT = 0.05
"""The least excess over ``duration`` that gives a warning: coders append some milliseconds, and a
clip of 5 s in ESC-10 has 5.14 s."""


class FixedLength:
    """Gives the clips of a data set one length; warns of the first clip that is cut.

    Args:
        duration: in seconds; None leaves each clip its own.
        sample_rate: in Hz.

    Raises:
        ArgumentError: the duration is not finite and above 0, or the rate is none in Hz.

    >>> import torch
    >>> FixedLength(0.5, 8000)(torch.ones(1, 1, 4000 + 8), "a.wav").shape
    torch.Size([1, 1, 4000])
    """

    def __init__(self, duration: float | None, sample_rate: int) -> None:
        if not is_number(sample_rate) or sample_rate <= 0:
            raise ArgumentError(f"sample_rate={sample_rate!r}: must be above 0 Hz")
        if sample_rate < LOWEST_RATE:
            warnings.warn(
                f"sample_rate={sample_rate:g} is in Hz: if kHz are meant, give "
                f"{1000 * sample_rate:g}",
                AudioWarning,
                stacklevel=3,
            )
        if duration is not None and not (is_number(duration) and duration > 0):
            raise ArgumentError(
                f"duration={duration!r}: must be finite and above 0 seconds; None takes whole files"
            )
        self.duration = duration
        self.sample_rate = sample_rate
        self._has_warned = False

    def __call__(self, wav: Tensor, name: str) -> Tensor:
        """Cut or pad a sound; the last axis are the samples."""
        if self.duration is None:
            return wav
        seconds = wav.shape[-1] / self.sample_rate
        if not self._has_warned and seconds > self.duration * (1 + LEAST_CUT):
            self._has_warned = True
            warnings.warn(
                f"{name}: only the first {self.duration:g} of {seconds:.6g} s are used, the last "
                f"{seconds - self.duration:.6g} s are cut off, as of any longer file of this data "
                "set; give another duration, or duration=None for whole files",
                AudioWarning,
                stacklevel=3,
            )
        return fix_length(wav, round(self.duration * self.sample_rate))
