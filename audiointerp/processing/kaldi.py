"""Kaldi's log mel filter bank as a differentiable front end."""

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from .filters import mel_filters
from .tapers import taper

EPSILON = torch.finfo(torch.float32).eps
"""The least energy of a bin, whose logarithm is -15.9 (-69 dB)."""
WINDOWS = {
    "povey": "povey",
    "hanning": "hann_symmetric",
    "hamming": "hamming_symmetric",
    "blackman": "blackman_symmetric",
    "rectangular": "rectangular",
}
"""Kaldi's names of windows, and ours."""


def kaldi_fbank(
    wav: Tensor,
    sample_rate: int = 16000,
    *,
    n_mels: int = 128,
    window: str = "hanning",
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    f_min: float = 20.0,
    f_max: float | None = None,
    preemphasis: float = 0.97,
    remove_dc: bool = True,
    snip_edges: bool = True,
    power: int = 2,
) -> Tensor:
    """Compute the natural logarithm of the mel energies of sounds as Kaldi does.

    The defaults are those of AST (Gong et al., Interspeech 2021); Kaldi's own are ``n_mels=23`` and
    ``window="povey"``. Dither, which is random, is not added. DC removal and pre-emphasis are done
    in each frame, so these features have no exact inverse: they are the front end of a waveform
    network, not a grid to explain on. Equal to ``torchaudio.compliance.kaldi.fbank``.

    Args:
        wav: ``(N, L)``, in the unit that the network was trained on: samples in [-1, 1], or those
            times 32768.
        sample_rate: in Hz.
        n_mels: M, the number of bands.
        window: a name in ``kaldi.WINDOWS``.
        frame_length: in ms.
        frame_shift: in ms.
        f_min: the lower edge of the lowest band in Hz.
        f_max: the upper edge of the highest band in Hz; None for half the sample rate.
        preemphasis: the coefficient, in [0, 1).
        remove_dc: whether to subtract the mean of each frame.
        snip_edges: whether only frames inside of the sound are used; if not, the ends are
            reflected, and there is one frame for each shift.
        power: 2 for energies, 1 for magnitudes.

    Returns:
        ``(N, T, M)``, at least log(1.19e-7).

    Raises:
        ArgumentError: the shape is wrong, the sound is shorter than a frame, or a setting is out of
            range.

    >>> wav = torch.randn(2, 16000, requires_grad=True)
    >>> features = kaldi_fbank(wav)
    >>> features.shape, torch.autograd.grad(features.sum(), wav)[0].shape
    (torch.Size([2, 98, 128]), torch.Size([2, 16000]))
    """
    choose("window", window, WINDOWS)
    f_max = sample_rate / 2 if f_max is None else f_max
    length, shift = (int(sample_rate * ms * 0.001) for ms in (frame_length, frame_shift))
    if not 0 <= f_min < f_max <= sample_rate / 2 or n_mels < 1 or length < 2 or shift < 1:
        raise ArgumentError(
            f"n_mels={n_mels}, f_min={f_min}, f_max={f_max}, frames of {length} samples every "
            f"{shift}: needs n_mels >= 1, 0 <= f_min < f_max <= {sample_rate / 2:g} Hz, at least "
            "2 samples, and a positive shift"
        )
    if power not in (1, 2) or not 0 <= preemphasis < 1:
        raise ArgumentError(
            f"power={power!r}, preemphasis={preemphasis!r}: power must be 1 or 2, and "
            "preemphasis in [0, 1)"
        )
    frames = _frames(wav, length, shift, snip_edges)
    if remove_dc:
        frames = frames - frames.mean(-1, keepdim=True)
    # The sample before the first is taken as equal to it.
    frames = frames - preemphasis * torch.cat([frames[..., :1], frames[..., :-1]], -1)
    n_fft = 2 ** (length - 1).bit_length()
    spectrum = torch.fft.rfft(frames * taper(WINDOWS[window], length, wav), n=n_fft)
    energy = spectrum.real.square() + spectrum.imag.square()
    if power == 1:
        # The gradient of the square root is infinite at 0.
        energy = energy.clamp_min(torch.finfo(energy.dtype).tiny).sqrt()
    filters = mel_filters(sample_rate, n_fft, n_mels, f_min, f_max, "kaldi").to(energy)
    bands: Tensor = energy @ filters.T
    return bands.clamp_min(EPSILON).log()


def _frames(wav: Tensor, length: int, shift: int, snip_edges: bool) -> Tensor:
    """Cut sounds ``(N, L)`` into frames ``(N, T, length)``."""
    if wav.ndim != 2 or not wav.is_floating_point() or wav.shape[1] < length:
        raise ArgumentError(
            f"Kaldi's features need sounds (N, L), float, of at least {length} samples (a frame), "
            f"not {wav.dtype} of shape {tuple(wav.shape)}"
        )
    if not snip_edges:
        count = (wav.shape[1] + shift // 2) // shift
        before = length // 2 - shift // 2
        mirrored = torch.cat([wav, wav.flip(-1)], -1)
        # The first sample is repeated, unlike in torch's reflection.
        wav = torch.cat([wav[:, :before].flip(-1), mirrored], -1) if before > 0 else mirrored
        wav = wav[:, max(0, -before) : max(0, -before) + (count - 1) * shift + length]
    frames: Tensor = wav.unfold(-1, length, shift)
    return frames
