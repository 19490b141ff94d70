"""Mel filter banks, and the transfer of gains from bands to STFT bins."""

import warnings
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError, choose

MEL_SCALES = ("htk", "slaney", "kaldi")
MEL_NORMS = ("auto", "none", "slaney")
SLANEY_STEP = 200.0 / 3
"""Hz in a mel of the Slaney scale, up to its bend."""
SLANEY_BEND = 1000.0
"""The frequency from which the Slaney scale is logarithmic, in Hz."""
SLANEY_LOG_STEP = float(np.log(6.4) / 27.0)
"""The logarithm of the ratio of frequencies one mel apart, above the bend."""


def mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    mel_scale: str,
    mel_norm: str = "auto",
) -> Tensor:
    """Triangular mel filters ``(n_mels, n_fft // 2 + 1)``, float64; a new tensor at each call.

    ``"htk"`` is torchaudio's default: the HTK scale, peaks of 1. ``"slaney"`` is the default of
    librosa and PANNs: the Slaney scale, unit area. On white noise their levels differ by 16 dB
    (low bands) to 28 dB (high bands), so a network needs the scale it was trained on. ``"kaldi"``
    has the edges of HTK, but its triangles are straight in mel, not in Hz.

    ``mel_norm`` is ``"none"`` (peaks of 1), ``"slaney"`` (unit area) or ``"auto"``, that of the
    scale's library.

    Raises:
        ArgumentError: ``mel_scale`` or ``mel_norm`` is unknown, or unit area is asked of Kaldi's.

    >>> mel_filters(32000, 1024, 64, 50.0, 14000.0, "htk").shape
    torch.Size([64, 513])
    """
    # A copy, so that a caller who edits it in place does not change the cache.
    return _cached_mel_filters(
        sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, mel_norm
    ).clone()


def check_mel_norm(mel_norm: str, mel_scale: str) -> None:
    """Check the scale and the normalisation of mel filters.

    Raises:
        ArgumentError: one is unknown, or unit area is asked of Kaldi's filters.

    >>> check_mel_norm("slaney", "htk")
    """
    choose("mel scale", mel_scale, MEL_SCALES)
    choose("mel norm", mel_norm, MEL_NORMS)
    if mel_norm == "slaney" and mel_scale == "kaldi":
        raise ArgumentError("mel_norm='slaney' is not for Kaldi's filters, which have peaks of 1")


@lru_cache(maxsize=32)
def _cached_mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    mel_scale: str,
    mel_norm: str,
) -> Tensor:
    check_mel_norm(mel_norm, mel_scale)
    if mel_scale == "kaldi":
        return _kaldi_filters(sample_rate, n_fft, n_mels, f_min, f_max)
    if mel_norm == "auto":
        mel_norm = "slaney" if mel_scale == "slaney" else "none"
    edges = mel_edges(n_mels, f_min, f_max, mel_scale)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    ramps, widths = np.subtract.outer(edges, bins), np.diff(edges)[:, None]
    filters = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    if mel_norm == "slaney":
        filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    if not ((edges[:-2] == 0) | (filters.max(1) > 0)).all():
        warnings.warn(
            f"Empty filters detected: {n_mels} mel bands are too many for {n_fft} samples a frame "
            f"at {sample_rate} Hz; give fewer bands or a larger n_fft",
            stacklevel=2,
        )
    return torch.from_numpy(filters)


def mel_edges(n_mels: int, f_min: float, f_max: float, mel_scale: str) -> np.ndarray:
    """Return the edges and centres of mel bands in Hz, ``(n_mels + 2,)`` float64.

    They are those of librosa to the bit. Its import takes more than a second, in each process.

    Args:
        n_mels: the number of bands.
        f_min: the lowest edge.
        f_max: the highest edge.
        mel_scale: ``"slaney"``, or another name for that of HTK.

    >>> mel_edges(1, 0.0, 1000.0, "slaney").tolist()
    [0.0, 500.0, 1000.0]
    """
    if mel_scale != "slaney":
        low, high = (2595.0 * np.log10(1.0 + hertz / 700.0) for hertz in (f_min, f_max))
        return 700.0 * (10.0 ** (np.linspace(low, high, n_mels + 2) / 2595.0) - 1.0)
    mels = np.linspace(_slaney_mels(f_min), _slaney_mels(f_max), n_mels + 2)
    edges = SLANEY_STEP * mels
    is_high = mels >= SLANEY_BEND / SLANEY_STEP
    above = mels[is_high] - SLANEY_BEND / SLANEY_STEP
    edges[is_high] = SLANEY_BEND * np.exp(SLANEY_LOG_STEP * above)
    return edges


def _slaney_mels(hertz: float) -> float:
    if hertz < SLANEY_BEND:
        return hertz / SLANEY_STEP
    return float(SLANEY_BEND / SLANEY_STEP + np.log(hertz / SLANEY_BEND) / SLANEY_LOG_STEP)


def _kaldi_filters(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> Tensor:
    def mel(hertz: Tensor) -> Tensor:
        return 1127 * torch.log1p(hertz / 700)

    low, high = mel(torch.tensor([f_min, f_max], dtype=torch.float64)).tolist()
    edges = torch.linspace(low, high, n_mels + 2, dtype=torch.float64)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = mel(torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft)
    rising, falling = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0)


def lifting(filters: Tensor) -> Tensor:
    """The normalised transpose of a filter bank, which carries band gains to STFT bins.

    A bin's gain is the mean of the gains of the bands that cover it, weighted by the filters. A bin
    that no band covers takes the gain of the nearest band. Each row sums to 1, so gains of 1 stay
    1, and gains ``g`` and ``1 - g`` add up to 1.

    Args:
        filters: ``(bands, bins)``, non-negative.

    Returns:
        ``(bins, bands)``.

    >>> lifting(torch.tensor([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0]])).tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.25, 0.75], [0.0, 1.0]]
    """
    weights = filters.T.clone()
    covered = weights.sum(1) > 0
    positions = torch.arange(len(weights), dtype=weights.dtype)
    # A band that covers no bin has no centre (NaN), and an infinite distance to every bin.
    centres = (filters * positions).sum(1) / filters.sum(1)
    distances = (positions[:, None] - centres).abs().nan_to_num(torch.inf)
    uncovered = (~covered).nonzero()[:, 0]
    weights[uncovered, distances[uncovered].argmin(1)] = 1.0
    return weights / weights.sum(1, keepdim=True)
