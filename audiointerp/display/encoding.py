"""Maps as a page holds them: deflated bytes in base64."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..interpretation import top_at_shares

SOFTEST = 160.0
"""Gains more than so many dB below the largest are raised to that: the range of a mask in dB."""
LEVELS = 65534
"""Steps of a gain in dB; 0 is kept for silence."""


def packed(values: np.ndarray) -> str:
    r"""Return the bytes of an array, deflated, in base64.

    >>> zlib.decompress(base64.b64decode(packed(np.array([1, 2], dtype=np.uint8))))
    b'\x01\x02'
    """
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values).tobytes(), 9)).decode()


def rank_map(values: Tensor, shares: Sequence[float]) -> np.ndarray:
    """Return for each bin the number of the first share of the largest values that holds it.

    The bins of rank k or less are exactly the mask ``top(values, shares[k])``.

    Args:
        values: an attribution ``(1, 1, F, T)``.
        shares: rising, at most 255 of them.

    Returns:
        ``(F, T)`` uint8; ``len(shares)`` where no share holds the bin.

    >>> import torch
    >>> rank_map(torch.tensor([[[[3.0, 9.0, 1.0, 5.0]]]]), [0.25, 0.75]).tolist()
    [[1, 0, 2, 1]]
    """
    held = top_at_shares(values, shares).sum(0)
    ranks = len(shares) - held[0, 0].cpu().numpy()
    return ranks.astype(np.uint8)


def gain_map(gain: Tensor) -> dict[str, Any]:
    """Return linear gains as 16-bit levels between a low and a high dB; 0 is silence.

    Args:
        gain: ``(1, 1, F, T)``, not negative.

    >>> import torch
    >>> packed_map = gain_map(torch.tensor([[[[1.0, 0.1, 0.0]]]]))
    >>> codes = np.frombuffer(zlib.decompress(base64.b64decode(packed_map["codes"])), "<u2")
    >>> round(packed_map["low"]), packed_map["high"], codes.tolist()
    (-20, 0.0, [65535, 1, 0])
    """
    linear = gain[0, 0].double().cpu().numpy()
    is_heard = linear > 0
    decibels = 20 * np.log10(np.where(is_heard, linear, 1.0))
    levels = decibels[is_heard] if is_heard.any() else np.zeros(1)
    high = float(levels.max())
    # Equal gains are all at the high end, whatever the low end is.
    low = max(min(float(levels.min()), high - 1), high - SOFTEST)
    below = np.clip((high - decibels) / (high - low) * LEVELS, 0, LEVELS)
    codes = np.where(is_heard, LEVELS + 1 - np.round(below), 0)
    return {"codes": packed(codes.astype("<u2")), "low": low, "high": high}


def level_map(db: Tensor, low: float, high: float) -> np.ndarray:
    """Return levels ``(1, 1, F, T)`` as bytes from a low to a high dB, ``(F, T)``.

    >>> import torch
    >>> level_map(torch.tensor([[[[-90.0, -40.0, 0.0]]]]), -80.0, 0.0).tolist()
    [[0, 128, 255]]
    """
    shares = (db[0, 0].cpu().double().numpy() - low) / (high - low)
    rounded: np.ndarray = np.clip(np.round(255 * shares), 0, 255).astype(np.uint8)
    return rounded
