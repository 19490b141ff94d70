"""Cutting a clip of any length into windows of a network's input size, and joining the results.

Windows are adjacent. The last one ends where the clip ends, so that it is full without padding,
and overlaps its neighbour. Each frame belongs to the first window that contains it. A clip shorter
than one window is padded with silence (the floor).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..util import FLOOR


@dataclass(frozen=True)
class Windows:
    """The windows of ``size`` frames in a clip of ``frames`` frames, ``step`` frames apart.

    Windows of sounds begin before the last frame of the one before ends, so that every sample is in
    one of them: centred frames reach half a window to both sides. By default ``step`` is ``size``.

    >>> Windows(frames=1001, size=501).starts
    (0, 500)
    >>> Windows(frames=1502, size=501, step=500).starts
    (0, 500, 1000, 1001)
    """

    frames: int
    size: int
    step: int | None = None

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of each window."""
        last = max(0, self.frames - self.size)
        return (*range(0, last, self.step or self.size), last)

    @property
    def weights(self) -> Tensor:
        """The share of the clip's frames that belongs to each window, ``(W,)`` float64, sum 1."""
        ends = torch.tensor(
            [min(start + self.size, self.frames) for start in self.starts], dtype=torch.float64
        )
        return torch.diff(ends, prepend=torch.zeros(1, dtype=torch.float64)) / self.frames

    def cut(self, db: Tensor) -> Tensor:
        """Cut features ``(N, 1, F, frames)`` into windows ``(W, N, 1, F, size)``."""
        db = torch.nn.functional.pad(db, (0, max(0, self.size - self.frames)), value=FLOOR)
        return torch.stack([db[..., start : start + self.size] for start in self.starts])

    def cut_sounds(self, wav: Tensor, hop_length: int, length: int) -> Tensor:
        """Cut sounds ``(N, 1, L)`` into windows of ``length`` samples, ``(W, N, 1, length)``.

        A window begins where its first frame is. Samples past the end are silence; those past the
        last window, less than one hop, are left out.
        """
        starts = [start * hop_length for start in self.starts]
        missing = max(0, starts[-1] + length - wav.shape[-1])
        wav = torch.nn.functional.pad(wav, (0, missing))
        return torch.stack([wav[..., start : start + length] for start in starts])

    def join(self, values: Tensor) -> Tensor:
        """Join windows ``(W, N, 1, F, size)`` to ``(N, 1, F, frames)``.

        Each frame is taken from the window that it belongs to.
        """
        parts, done = [], 0
        for start, window in zip(self.starts, values, strict=True):
            end = min(start + self.size, self.frames)
            parts.append(window[..., done - start : end - start])
            done = end
        return torch.cat(parts, -1)
