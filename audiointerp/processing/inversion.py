"""Lossy inversion: STFT magnitudes, or a sound, from the levels of the features alone."""

import torch
from torch import Tensor

INVERSIONS = ("nnls", "lstsq", "griffinlim")


def stft_magnitude(db: Tensor, filters: Tensor | None, method: str) -> Tensor:
    """Estimate STFT magnitudes ``(N, 1, bins, T)`` from features.

    Args:
        db: features ``(N, 1, F, T)`` in dB.
        filters: the filter bank ``(F, bins)``; None if the features are the STFT bins themselves.
        method: ``"lstsq"`` multiplies by the pseudo-inverse and sets negative powers to 0; any
            other name solves by non-negative least squares (librosa's).

    >>> stft_magnitude(torch.full((1, 1, 2, 3), -20.0), torch.eye(2), "lstsq").unique().tolist()
    [0.10000000149011612]
    """
    power = torch.pow(10.0, db / 10)
    if filters is None:
        return power.sqrt()
    if method == "lstsq":
        return torch.matmul(torch.linalg.pinv(filters).to(power), power).clamp_min(0).sqrt()
    import librosa

    bank = filters.to(power).cpu().numpy()
    solved = [torch.from_numpy(librosa.util.nnls(bank, clip[0].cpu().numpy())) for clip in power]
    return torch.stack(solved)[:, None].to(power).clamp_min(0).sqrt()


def griffin_lim(magnitude: Tensor, n_fft: int, hop_length: int, length: int) -> Tensor:
    """Estimate a sound from STFT magnitudes by librosa's fast Griffin-Lim, with a fixed seed.

    Args:
        magnitude: ``(N, 1, n_fft // 2 + 1, T)``.
        n_fft: the window length in samples.
        hop_length: the hop in samples.
        length: the samples of the result.

    Returns:
        ``(N, 1, length)``.

    >>> griffin_lim(torch.ones(1, 1, 9, 21), 16, 8, 160).shape
    torch.Size([1, 1, 160])
    """
    import librosa

    # A clip shorter than one window was analysed as if padded to it.
    padded_length = max(length, n_fft)
    wav = librosa.griffinlim(
        magnitude.cpu().numpy(),
        hop_length=hop_length,
        n_fft=n_fft,
        length=padded_length,
        random_state=0,
        pad_mode="reflect",
    )
    return torch.from_numpy(wav)[..., :length].to(magnitude)
