"""The windows of the short-time Fourier transform, as torch, librosa and Kaldi define them."""

import torch
from torch import Tensor

from ..errors import choose

TAPERS = (
    "hann",
    "hamming",
    "blackman",
    "rectangular",
    "hann_symmetric",
    "hamming_symmetric",
    "blackman_symmetric",
    "povey",
)
"""The first three are periodic, as in torch and librosa; Kaldi's are symmetric, Povey's too."""


def taper(name: str, length: int, like: Tensor) -> Tensor:
    """Return a window ``(length,)`` with the dtype and the device of ``like``.

    ``"povey"`` is Kaldi's default, a symmetric Hann window to the power of 0.85.

    Raises:
        ArgumentError: the name is not in :data:`TAPERS`.

    >>> taper("hann", 4, torch.zeros(())).tolist(), taper("povey", 3, torch.zeros(())).tolist()
    ([0.0, 0.5, 1.0, 0.5], [0.0, 1.0, 0.0])
    """
    choose("window", name, TAPERS)
    shape = name.removesuffix("_symmetric")
    if shape == "rectangular":
        return torch.ones(length, dtype=like.dtype, device=like.device)
    if shape == "povey":
        return taper("hann_symmetric", length, like) ** 0.85
    kinds = {
        "hann": torch.hann_window,
        "hamming": torch.hamming_window,
        "blackman": torch.blackman_window,
    }
    window: Tensor = kinds[shape](
        length, periodic=name == shape, dtype=like.dtype, device=like.device
    )
    return window
