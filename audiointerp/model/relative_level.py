"""Levels relative to the loudest part of the clip, so that a gain changes nothing."""

import math

import torch
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
    The steps are sums, a pooling (without gradients, a maximum) and a ReLU, through which SHAP's
    rule is exact.

    Args:
        level_range: R, how far the limit lies below the loudest patch, in dB.

    Raises:
        ArgumentError: the range is not a positive number.

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
        self.loudest = nn.MaxPool1d(1)
        self.above = nn.ReLU()

    def forward(self, db: Tensor) -> Tensor:
        """Return ``(N, 1, F, T)``, dB above the limit, of levels ``(N, 1, F, T)``."""
        # In half precision, each step would be rounded to fractions of a dB.
        exact = db.to(torch.promote_types(db.dtype, torch.float32))
        patches = patch_levels(exact).flatten(2)
        limit = self._largest(patches)[..., None] - self.level_range
        result: Tensor = self.above(exact - limit).to(db.dtype)
        return result

    def _largest(self, patches: Tensor) -> Tensor:
        """Return the largest of ``(N, 1, P)``, ``(N, 1, 1)``, for any number of patches."""
        is_recorded = torch._C._is_tracing() or torch.compiler.is_compiling()
        # A pooling takes a GPU one thread per clip: a quarter of what the GPU did to score a clip.
        if not (patches.requires_grad or is_recorded):
            return patches.amax(2, keepdim=True)
        # The rules of DeepLIFT and SHAP are those of modules, and exported graphs may be explained.
        self.loudest.kernel_size = self.loudest.stride = patches.shape[2]
        result: Tensor = self.loudest(patches)
        return result


def patch_levels(db: Tensor) -> Tensor:
    """Return the level of each patch, the mean of its levels in dB.

    Args:
        db: ``(N, 1, F, T)``, at least a patch.

    Returns:
        ``(N, 1, F - 15, T - 2)``.

    Raises:
        ArgumentError: there are fewer bins or frames than a patch has.

    >>> patch_levels(torch.full((2, 1, 64, 100), -30.0)).unique(), PATCH
    (tensor([-30.]), (16, 3))
    """
    bins, frames = PATCH
    if db.shape[-2] < bins or db.shape[-1] < frames:
        raise ArgumentError(
            f"levels {tuple(db.shape)}: relative levels need at least {bins} bins and {frames} "
            "frames, the size of a patch"
        )
    sums = _sums_of_neighbours(_sums_of_neighbours(db, frames, -1), bins, -2)
    return sums / (bins * frames)


def _sums_of_neighbours(x: Tensor, count: int, axis: int) -> Tensor:
    """Return the sums of each ``count`` neighbours along an axis.

    Sums of 2, 4, 8, … neighbours are added: ``nn.AvgPool2d`` adds each value ``count`` times, which
    took a tenth of a small network's time.

    >>> _sums_of_neighbours(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), 3, 0).tolist()
    [6.0, 9.0, 12.0]
    """
    places = x.shape[axis] - count + 1
    sums, width = x, 1
    result: Tensor | None = None
    while True:
        if count & width:
            # After the neighbours that narrower sums have.
            others = sums.narrow(axis, count & (width - 1), places)
            result = others if result is None else result + others
        if result is not None and 2 * width > count:
            return result
        length = sums.shape[axis] - width
        sums = sums.narrow(axis, 0, length) + sums.narrow(axis, width, length)
        width *= 2
