"""Lossy inversion: STFT magnitudes, or a sound, from the levels of the features alone."""

import torch
from torch import Tensor

from ..errors import ArgumentError
from .emphasis import deemphasise
from .stft import PADDINGS, Framing

INVERSIONS = ("nnls", "lstsq", "griffinlim")


def stft_magnitude(db: Tensor, filters: Tensor | None, method: str, power: int = 2) -> Tensor:
    """Estimate STFT magnitudes ``(N, 1, bins, T)`` from features.

    Args:
        db: features ``(N, 1, F, T)`` in dB.
        filters: the filter bank ``(F, bins)``; None if the features are the STFT bins themselves.
        method: ``"lstsq"`` multiplies by the pseudo-inverse and sets negative powers to 0; any
            other name solves by non-negative least squares (librosa's).
        power: 2 if the bands are sums of powers, 1 if of magnitudes.

    >>> stft_magnitude(torch.full((1, 1, 2, 3), -20.0), torch.eye(2), "lstsq").unique().tolist()
    [0.10000000149011612]
    """
    if filters is None:
        return torch.pow(10.0, db / 10).sqrt()
    bands = torch.pow(10.0, db / (20 / power))
    if method == "lstsq":
        bins = torch.matmul(torch.linalg.pinv(filters).to(bands), bands)
    else:
        bins = _non_negative(bands, filters)
    return bins.clamp_min(0).sqrt() if power == 2 else bins.clamp_min(0)


def _non_negative(bands: Tensor, filters: Tensor) -> Tensor:
    """Solve for STFT bins by non-negative least squares."""
    import librosa

    bank = filters.to(bands).cpu().numpy()
    solved = [torch.from_numpy(librosa.util.nnls(bank, clip[0].cpu().numpy())) for clip in bands]
    return torch.stack(solved)[:, None].to(bands)


def griffin_lim(magnitude: Tensor, framing: Framing, length: int) -> Tensor:
    """Estimate a sound from STFT magnitudes by librosa's fast Griffin-Lim, with a fixed seed.

    Args:
        magnitude: ``(N, 1, n_fft // 2 + 1, T)``.
        framing: how the sound was cut into frames.
        length: the samples of the result.

    Returns:
        ``(N, 1, length)``.

    Raises:
        ArgumentError: the frames are not centred.

    >>> griffin_lim(torch.ones(1, 1, 9, 21), Framing(16, 8), 160).shape
    torch.Size([1, 1, 160])
    """
    import librosa

    if not framing.center:
        raise ArgumentError(
            "to_wav('griffinlim') needs center=True: without it, no frames cover the ends of the "
            "sound; use another inversion"
        )
    # A clip shorter than one window was analysed as if padded to it.
    padded_length = max(length, framing.n_fft)
    window = framing.taper(torch.zeros((), dtype=torch.float64)).numpy()
    is_default = framing.window == "hann" and framing.win_length is None
    wav = librosa.griffinlim(
        magnitude.cpu().numpy(),
        hop_length=framing.hop_length,
        n_fft=framing.n_fft,
        window="hann" if is_default else window,
        length=padded_length,
        random_state=0,
        pad_mode=PADDINGS[framing.padding],
    )
    sound = torch.from_numpy(wav)[..., :length].to(magnitude)
    return deemphasise(sound, framing.preemphasis) if framing.preemphasis else sound
