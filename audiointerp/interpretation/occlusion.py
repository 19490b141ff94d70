"""Occlusion (Zeiler and Fergus, ECCV 2014)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..util import FLOOR, Progress, whole_number
from .base import Explainer
from .calls import show_calls
from .score import Score

BATCH = 32
"""Versions of a clip that are made at a time."""


class Occlusion(Explainer):
    """How much the score falls when a sliding patch is silenced (Zeiler and Fergus, ECCV 2014).

    The value of a bin is the mean of the falls over the positions that cover it. The patch is cut
    at the clip's borders.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        patch: bins and frames of the patch.
        stride: bins and frames between two positions.
        samples: the most positions; if there would be more, the patch and the stride are enlarged
            by the same whole number, the smallest that will do. By default, any number.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: ``samples`` is not a whole number of at least 1, or a stride is below 1. When
            called: the patch is larger than the clip, or a stride would leave bins uncovered.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> Occlusion(linear, patch=(1, 1), stride=(1, 1))(torch.ones(1, 1, 2, 3)).values.shape
    torch.Size([1, 1, 2, 3])
    """

    name = "occlusion"
    uses_layers = False
    black_box = True

    def __init__(
        self,
        network: nn.Module,
        patch: tuple[int, int] = (8, 16),
        stride: tuple[int, int] = (4, 8),
        samples: int | None = None,
        progress: Progress = None,
    ) -> None:
        super().__init__(network)
        self.batch: int = BATCH
        self.patch, self.stride = tuple(patch), tuple(stride)
        self.samples = None if samples is None else whole_number("samples", samples, least=1)
        self.progress = progress

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        patch, stride = self._enlarged((db.shape[2], db.shape[3]))
        rows, columns = (
            _positions(*sizes) for sizes in zip(db.shape[2:], patch, stride, strict=True)
        )
        values = [
            self._explain_clip(score.of(number), db[number, None], rows, columns)
            for number in range(len(db))
        ]
        return torch.cat(values), {}

    @torch.no_grad()
    def _explain_clip(self, score: Score, db: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Return the values of one clip.

        Args:
            score: the explained function.
            db: the features ``(1, 1, F, T)``.
            rows: which bins each position in frequency covers, ``(R, F)`` bool.
            columns: which frames each position in time covers, ``(C, T)`` bool.
        """
        places = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(len(columns)))
        on_device = rows.to(db.device), columns.to(db.device)
        with show_calls(self.name, 1 + len(places), self.progress) as advance:
            whole = score(db)
            advance(1)
            falls = []
            for batch in places.to(db.device).split(self.batch):
                row, column = (covers[batch[:, axis]] for axis, covers in enumerate(on_device))
                silenced = (row[:, :, None] & column[:, None, :])[:, None]
                falls.append(whole - score.of_versions(torch.where(silenced, FLOOR, db)))
                advance(len(batch))
        # Float64 on the CPU, since not every device has it.
        by_place = torch.cat(falls).cpu().double().view(len(rows), len(columns))
        total = rows.double().T @ by_place @ columns.double()
        covered = rows.double().sum(0)[:, None] * columns.double().sum(0)
        return (total / covered)[None, None].to(db)

    def _enlarged(self, size: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the patch and the stride for a clip of F bins and T frames."""
        factor = 1
        while self.samples is not None and self._count(size, factor) > self.samples:
            factor += 1
        stride = tuple(factor * step for step in self.stride)
        # A patch that a factor enlarges ends at the clip's borders.
        patch = tuple(
            length if factor == 1 else min(factor * length, most)
            for length, most in zip(self.patch, size, strict=True)
        )
        for name, most, length, step in zip(("bins", "frames"), size, patch, stride, strict=True):
            if not 1 <= length <= most or not step >= 1 or (step > length and length < most):
                raise ArgumentError(
                    f"occlusion: a patch of {length} {name} every {step} does not cover a clip of "
                    f"{most}; give a patch of 1 to {most} and a stride of at most the patch"
                )
        return patch, stride

    def _count(self, size: tuple[int, int], factor: int) -> int:
        sizes = zip(size, self.patch, self.stride, strict=True)
        return math.prod(
            _number(most, factor * length, factor * step) for most, length, step in sizes
        )


def _number(size: int, patch: int, stride: int) -> int:
    """Return the number of positions along an axis."""
    return 1 + max(0, math.ceil((size - patch) / stride))


def _positions(size: int, patch: int, stride: int) -> Tensor:
    """Return which places of an axis each position of the patch covers, ``(positions, size)``."""
    starts = stride * torch.arange(_number(size, patch, stride))[:, None]
    places = torch.arange(size)
    return (places >= starts) & (places < starts + patch)
