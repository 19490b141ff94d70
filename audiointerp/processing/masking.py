"""How a mask changes levels, and which gain that change is.

Each function takes levels in dB and a mask in [0, 1] of the same shape ``(N, 1, F, T)``, and returns the new levels with the
linear gain (of amplitude) that leads there. The gain is exactly 1 where the mask is 1, and under the fill ``"silence"``
exactly 0 where it is 0: the floor is a level that stands for nothing, so a removed bin is heard as nothing.
"""

import torch
from torch import Tensor

from ..errors import ArgumentError, choose

DOMAINS = ("db", "magnitude", "log1p")
FILLS = ("silence", "mean", "noise", "blur")


def masked_levels(db: Tensor, mask: Tensor, floor: float, domain: str, fill: str) -> tuple[Tensor, Tensor]:
    """Levels and gains under ``mask``; the domains and fills are described at ``Spectrogram.masked``."""
    choose("masking domain", domain, DOMAINS)
    choose("fill", fill, FILLS)
    if domain == "db":
        return _in_decibels(db, mask, _filling(db, floor, fill), silent=fill == "silence")
    if fill != "silence":
        raise ArgumentError(f"fill {fill!r} needs the domain 'db'; in {domain!r} a removed bin is silent")
    if domain == "magnitude":
        gain = mask
    else:
        magnitude = 10 ** (db / 20)
        gain = torch.where(mask == 1, 1.0, torch.expm1(mask * torch.log1p(magnitude)) / magnitude)
    level = (db + 20 * gain.log10()).clamp_min(floor)
    return torch.where(mask == 1, db, level), gain


def _in_decibels(db: Tensor, mask: Tensor, filling: Tensor, silent: bool) -> tuple[Tensor, Tensor]:
    level = torch.lerp(filling, db, mask)  # exact at 0 and at 1, which filling + (db - filling) * mask is not
    gain = 10 ** ((db - filling) * (mask - 1) / 20)
    return level, torch.where(mask == 0, 0.0, gain) if silent else gain


def _filling(db: Tensor, floor: float, fill: str) -> Tensor:
    if fill == "silence":
        return torch.full_like(db, floor)
    mean = db.mean(-1, keepdim=True).expand_as(db)
    if fill == "mean":
        return mean
    if fill == "noise":
        draws = torch.randn(db.shape, generator=torch.Generator().manual_seed(0), dtype=db.dtype).to(db.device)
        levels = (mean + db.std(-1, keepdim=True, correction=0) * draws).clamp_min(floor)
        # Beside digital silence the spread is tens of dB, and a few of those above the mean are louder than any sound.
        return levels.minimum(db.amax(-1, keepdim=True))
    return torch.nn.functional.avg_pool2d(db, 15, stride=1, padding=7, count_include_pad=False)
