"""A clip of any length, as the windows that a network sees, and back.

Windows lie side by side; the last one ends where the clip ends, so that it is full and no silence is invented, and shares
its first frames with its neighbour. Each frame is owned by the first window that holds it. A clip shorter than a window is
followed by silence (the floor).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..conventions import FLOOR


@dataclass(frozen=True)
class Windows:
    """Where the windows of ``size`` frames lie in a clip of ``frames`` frames.

    >>> Windows(frames=1001, size=501).starts
    (0, 500)
    """

    frames: int
    size: int

    @property
    def starts(self) -> tuple[int, ...]:
        """The first frame of each window."""
        last = max(0, self.frames - self.size)
        return (*range(0, last, self.size), last)

    @property
    def weights(self) -> Tensor:
        """The share of the clip's frames that each window owns, ``(W,)`` float64; the sum is 1."""
        ends = torch.tensor([min(start + self.size, self.frames) for start in self.starts], dtype=torch.float64)
        return torch.diff(ends, prepend=torch.zeros(1, dtype=torch.float64)) / self.frames

    def cut(self, db: Tensor) -> Tensor:
        """Features ``(N, 1, F, frames)`` to windows ``(W, N, 1, F, size)``."""
        db = torch.nn.functional.pad(db, (0, max(0, self.size - self.frames)), value=FLOOR)
        return torch.stack([db[..., start : start + self.size] for start in self.starts])

    def join(self, values: Tensor) -> Tensor:
        """One value a bin from windows ``(W, N, 1, F, size)``: of the window that owns its frame, ``(N, 1, F, frames)``."""
        parts, done = [], 0
        for start, window in zip(self.starts, values, strict=True):
            end = min(start + self.size, self.frames)
            parts.append(window[..., done - start : end - start])
            done = end
        return torch.cat(parts, -1)
