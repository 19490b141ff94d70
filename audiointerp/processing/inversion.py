"""STFT magnitudes from levels: the lossy roads back, kept beside the default for comparison."""

import torch
from torch import Tensor

INVERSIONS = ("nnls", "lstsq", "griffinlim")


def stft_magnitude(db: Tensor, filters: Tensor | None, method: str) -> Tensor:
    """Magnitudes ``(N, 1, bins, T)`` whose features have the levels ``db``.

    Args:
        db: ``(N, 1, F, T)``.
        filters: the mel filters ``(F, bins)``, or None where the features are the bins themselves.
        method: ``"lstsq"`` solves for the bins' power by the pseudo-inverse, negative powers set to 0; any other name by
            non-negative least squares (librosa's).
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
    """The sound ``(N, 1, length)`` whose STFT has nearly these magnitudes (librosa's fast Griffin-Lim, seeded)."""
    import librosa

    analysed = max(length, n_fft)
    wav = librosa.griffinlim(
        magnitude.cpu().numpy(), hop_length=hop_length, n_fft=n_fft, length=analysed, random_state=0, pad_mode="reflect"
    )
    return torch.from_numpy(wav)[..., :length].to(magnitude)
