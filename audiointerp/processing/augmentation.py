"""Data augmentation of features: random time shifts, frequency masks and time masks."""

import torch
from torch import Tensor

from ..util import FLOOR


def augment(
    db: Tensor, *, time_roll: bool = True, frequency_mask: int = 10, time_mask: int = 40
) -> Tensor:
    """Roll each clip in time, and silence one random band and one random run of frames.

    Draws from torch's global generator. Source: SpecAugment (Park et al., Interspeech 2019).

    Args:
        db: features ``(N, 1, F, T)`` in dB; not modified.
        time_roll: whether to roll each clip by a random number of frames.
        frequency_mask: the largest width of the silenced band, in bins.
        time_mask: the largest number of silenced frames.

    >>> augment(torch.zeros(2, 1, 64, 100)).shape
    torch.Size([2, 1, 64, 100])
    """
    bins, frames = db.shape[2:]
    augmented = []
    for clip in db:
        shift = int(torch.randint(frames, ())) if time_roll else 0
        clip = torch.roll(clip, shift, -1)
        low, high = _random_interval(bins, frequency_mask)
        clip[:, low:high] = FLOOR
        start, end = _random_interval(frames, time_mask)
        clip[:, :, start:end] = FLOOR
        augmented.append(clip)
    return torch.stack(augmented)


def _random_interval(length: int, max_width: int) -> tuple[int, int]:
    width = int(torch.randint(min(max_width, length) + 1, ()))
    start = int(torch.randint(length - width + 1, ()))
    return start, start + width
