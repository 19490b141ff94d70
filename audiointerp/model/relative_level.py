"""Levels relative to the loudest part of the clip, so that a gain changes nothing."""

import math

from torch import Tensor, nn

from ..errors import ArgumentError

PATCH = (16, 3)
"""The bins and frames whose mean level is compared."""


class RelativeLevel(nn.Module):
    """Levels above a limit, which lies some dB below the loudest patch of the clip.

    A patch is 16 bins by 3 frames; its level is the mean of its levels in dB. A gain moves all
    levels alike, and so the limit: the result stays the same, unless the limit, or a bin of the
    loudest patch, comes down to the floor of -100 dB. What is below the limit becomes 0, digital
    silence too. So a mask that removes the loudest part makes the rest louder for the network.
    The steps are poolings, a ReLU and sums, through which SHAP's rule is exact.

    Args:
        level_range: R, how far the limit lies below the loudest patch, in dB.

    Raises:
        ArgumentError: the range is not a positive number.

    >>> import torch
    >>> db = -20 - 50 * torch.rand(2, 1, 64, 100)
    >>> relative = RelativeLevel(60.0)
    >>> bool(torch.allclose(relative(db), relative(db - 10), atol=1e-4))
    True
    """

    def __init__(self, level_range: float) -> None:
        super().__init__()
        if not 0 < level_range < math.inf:
            raise ArgumentError(f"level_range={level_range!r} must be finite and above 0 dB")
        self.level_range = level_range
        self.patches = nn.AvgPool2d(PATCH, stride=1)
        self.loudest = nn.MaxPool1d(1)
        self.above = nn.ReLU()

    def forward(self, db: Tensor) -> Tensor:
        """Return ``(N, 1, F, T)``, dB above the limit, of levels ``(N, 1, F, T)``."""
        patches = self.patches(db).flatten(2)
        # The maximum over all patches, for any length.
        self.loudest.kernel_size = self.loudest.stride = patches.shape[2]
        limit = self.loudest(patches)[..., None] - self.level_range
        result: Tensor = self.above(db - limit)
        return result
