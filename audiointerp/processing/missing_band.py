"""The band that a network listens to, and a file of a lower sample rate does not have."""

from .spectrogram import LogMel
from .transform import Transform


def missing_band_note(rate: int, transform: Transform) -> str:
    """Return a sentence on what a file lacks for its sample rate; empty if it lacks nothing.

    Args:
        rate: the file's own, in Hz.
        transform: of the classifier.

    >>> missing_band_note(4000, LogMel())[:51]
    'The file has 4000 Hz: nothing above 2000 Hz is in i'
    >>> missing_band_note(44100, LogMel())
    ''
    """
    highest = transform.highest if isinstance(transform, LogMel) else transform.sample_rate / 2
    if rate / 2 >= highest:
        return ""
    return (
        f"The file has {rate} Hz: nothing above {rate / 2:g} Hz is in it, and the network listens "
        f"up to {highest:g} Hz."
    )
