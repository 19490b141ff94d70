"""The grid on which a model of sounds is explained, unless its owner gives another."""

import math
import warnings

from ..processing import LogMel

WINDOW = 0.032
"""Seconds of the STFT's window, at least."""
LEAST_SAMPLES = 64
"""Of the window; at rates of infrasound, shorter ones would tell few frequencies apart."""
MEL_BINS = 64
"""At most."""


def default_grid(sample_rate: int) -> LogMel:
    """Return a log-mel grid for any sample rate: up to half of it, in windows of 32 to 64 ms.

    Windows have at least 64 samples, so they are longer below 1000 Hz. The number of bins is 64, or
    less where a bin would lie between two STFT bins.

    Raises:
        ArgumentError: the sample rate is too low for a spectrogram.

    >>> grid = default_grid(16000)
    >>> grid.n_fft, grid.hop_length, grid.n_mels, grid.f_max
    (512, 128, 64, 8000.0)
    """
    n_fft = 2 ** math.ceil(math.log2(max(LEAST_SAMPLES, sample_rate * WINDOW)))
    for n_mels in range(MEL_BINS, 1, -8):
        grid = LogMel(sample_rate, n_fft, n_fft // 4, n_mels, 0.0, sample_rate / 2)
        # A warning about empty bands is of a grid that is not taken.
        with warnings.catch_warnings(action="ignore"):
            filters = grid.band_filters
        if bool((filters.sum(1) > 0).all()):
            break
    return grid
