"""The short-time Fourier transform and its exact inverse.

Frames are centred on multiples of the hop, under a periodic Hann window; the ends are padded by
reflection. A clip shorter than one window is first padded with silence to ``n_fft`` samples.
"""

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ArgumentError, AudioWarning
from ..util import FLOOR

LOUDEST = 100.0
"""A larger |sample| gives a warning: it is an integer of a file, not a level in [-1, 1]."""


def decibels(power: Tensor) -> Tensor:
    """Convert power to dB, ``10 * log10(power)``, with a floor at -100 dB.

    >>> decibels(torch.tensor([1.0, 0.1, 0.0])).tolist()
    [0.0, -10.0, -100.0]
    """
    return 10 * power.clamp_min(10 ** (FLOOR / 10)).log10()


def analyse(wav: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """The complex STFT frames of a sound, one more than the features have if needed.

    Where the hop does not divide the length, one frame lies past the last frame of the features.
    Without it, only the edge of one window covers the end of the clip, and the inverse, which
    divides by that edge, would amplify a masked clip there.

    Args:
        wav: ``(N, 1, L)``.
        n_fft: the window length in samples.
        hop_length: the hop in samples.

    Returns:
        ``(N, 1, n_fft // 2 + 1, frames)``.

    Raises:
        ArgumentError: the shape is wrong, the clip is empty, or a sample is not finite. A |sample|
            above ``LOUDEST`` gives an AudioWarning.

    >>> analyse(torch.randn(1, 1, 100), 16, 8).shape
    torch.Size([1, 1, 9, 14])
    """
    _check_sound(wav)
    wav = functional.pad(wav, (0, max(0, n_fft - wav.shape[-1])))
    padded = functional.pad(wav, (n_fft // 2, n_fft // 2), mode="reflect")
    padded = functional.pad(padded, (0, -wav.shape[-1] % hop_length))
    frames = torch.stft(
        padded[:, 0],
        n_fft,
        hop_length,
        window=_window(n_fft, wav),
        center=False,
        return_complex=True,
    )
    return frames[:, None]


def synthesise(frames: Tensor, n_fft: int, hop_length: int, length: int) -> Tensor:
    """The least-squares inverse of :func:`analyse` (Griffin and Lim, 1984).

    Args:
        frames: all frames ``(N, 1, n_fft // 2 + 1, frames)``.
        n_fft: the window length in samples.
        hop_length: the hop in samples.
        length: the samples of the sound.

    Returns:
        ``(N, 1, length)``.

    >>> wav = torch.randn(1, 1, 100)
    >>> torch.allclose(synthesise(analyse(wav, 16, 8), 16, 8, 100), wav, atol=1e-5)
    True
    """
    window = _window(n_fft, frames.real)
    windowed = torch.fft.irfft(frames[:, 0], n=n_fft, dim=1) * window[:, None]
    total = n_fft + hop_length * (windowed.shape[-1] - 1)

    def overlap_add(columns: Tensor) -> Tensor:
        folded = functional.fold(columns, (1, total), (1, n_fft), stride=(1, hop_length))
        return folded[:, :, 0]

    weight = overlap_add(window.square()[None, :, None].expand(1, -1, windowed.shape[-1]))
    inside = slice(n_fft // 2, n_fft // 2 + length)
    return overlap_add(windowed)[..., inside] / weight[..., inside]


def _check_sound(wav: Tensor) -> None:
    if not isinstance(wav, Tensor):
        raise ArgumentError(
            f"a sound is a float tensor (N, 1, L), not a {type(wav).__name__}; read a file by "
            "load_audio(path)"
        )
    if wav.ndim != 3 or wav.shape[1] != 1 or wav.shape[2] == 0 or not wav.is_floating_point():
        raise ArgumentError(
            f"a sound is a float tensor (N, 1, L), not {wav.dtype} of shape {tuple(wav.shape)}"
        )
    peak = float(wav.detach().abs().amax()) if wav.numel() else 0.0
    # The peak is NaN if any sample is.
    if not math.isfinite(peak):
        raise ArgumentError("the sound holds NaN or infinite samples")
    if peak > LOUDEST:
        warnings.warn(
            f"the largest |sample| of the sound is {peak:.6g}, but samples are nominally in "
            "[-1, 1]; divide 16-bit integers by 32768, or read the file by load_audio(path)",
            AudioWarning,
            stacklevel=4,
        )


def _window(n_fft: int, like: Tensor) -> Tensor:
    return torch.hann_window(n_fft, dtype=like.dtype, device=like.device)
