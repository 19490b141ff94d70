"""Pre-emphasis of a sound and its exact inverse."""

from torch import Tensor
from torch.nn import functional

NEGLIGIBLE = 1e-20
"""Echoes of the inverse below this factor are left out; float64 cannot hold them beside 1."""


def emphasise(wav: Tensor, coefficient: float) -> Tensor:
    """Raise the high frequencies: ``y[t] = x[t] - coefficient * x[t - 1]``, ``y[0] = x[0]``.

    As ``torchaudio.functional.preemphasis``.

    Args:
        wav: ``(..., L)``.
        coefficient: in [0, 1), usually 0.97.

    >>> import torch
    >>> emphasise(torch.tensor([1.0, 1.0, 2.0]), 0.5).tolist()
    [1.0, 0.5, 1.5]
    """
    return wav - coefficient * functional.pad(wav[..., :-1], (1, 0))


def deemphasise(wav: Tensor, coefficient: float) -> Tensor:
    """The inverse of :func:`emphasise`: ``x[t] = y[t] + coefficient * x[t - 1]``.

    1 / (1 - a z) is the product of 1 + (a z)^(2^k) over k, so that a recursion over samples is a
    dozen additions of whole sounds, which are differentiable.

    >>> import torch
    >>> deemphasise(torch.tensor([1.0, 0.5, 1.5]), 0.5).tolist()
    [1.0, 1.0, 2.0]
    """
    shift, factor = 1, coefficient
    while shift < wav.shape[-1] and factor > NEGLIGIBLE:
        wav = wav + factor * functional.pad(wav[..., :-shift], (shift, 0))
        shift, factor = 2 * shift, factor**2
    return wav
