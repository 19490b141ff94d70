"""A ranking of bins that is the sum of coarse grids, and the soft masks that it gives."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

CELLS = ((64, 128), (32, 64), (16, 32), (8, 16), (4, 8))
"""Rows and columns of the grids; fewer where a clip has fewer bins or frames."""
TEMPERATURE = 0.25
"""The width of a mask's edge, in standard deviations of the ranking."""


class Ranking(nn.Module):
    """One number for each bin, standardised: the sum of bilinear grids and of a start map.

    Args:
        start: the start map ``(1, 1, F, T)``; the grids are 0 at first.

    >>> ranking = Ranking(torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]]))
    >>> {tuple(grid.shape) for grid in ranking.grids}, ranking().mean().item()
    ({(2, 2)}, 0.0)
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.start = start
        bins, frames = start.shape[2:]
        shapes = [(min(rows, bins), min(columns, frames)) for rows, columns in CELLS]
        self.grids = nn.ParameterList(start.new_zeros(shape) for shape in shapes)
        # Products of matrices are deterministic on every device, unlike interpolation backwards.
        self.rows = [_interpolation(rows, bins).to(start) for rows, _ in shapes]
        self.columns = [_interpolation(columns, frames).to(start) for _, columns in shapes]

    def forward(self) -> Tensor:
        """Return the ranking ``(1, 1, F, T)``, of mean 0 and, unless constant, of variance 1."""
        total = self.start
        for grid, rows, columns in zip(self.grids, self.rows, self.columns, strict=True):
            total = total + rows @ grid @ columns.T
        return functional.layer_norm(total, total.shape)


def standardised(values: Tensor) -> Tensor:
    """Return a map with mean 0 and standard deviation 1; zeros if it is constant.

    >>> standardised(torch.tensor([1.0, 3.0])).tolist(), standardised(torch.ones(2)).tolist()
    ([-1.0, 1.0], [0.0, 0.0])
    """
    centred = values - values.mean()
    largest = centred.abs().max()
    # First to [-1, 1], since squares of small values round to 0.
    scaled = centred / largest.where(largest > 0, 1.0)
    deviation = scaled.square().mean().sqrt()
    return scaled / deviation.where(deviation > 0, 1.0)


def soft_masks(ranking: Tensor, areas: Sequence[float]) -> Tensor:
    """Return masks ``(D, 1, F, T)`` that keep about these shares of the bins, with soft edges.

    >>> ranking = torch.tensor([[[[-1.5, -0.5, 0.5, 1.5]]]])
    >>> soft_masks(ranking, [0.5]).round().flatten().tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    ordered = ranking.detach().flatten().sort(descending=True).values
    counts = [min(max(round(area * len(ordered)), 1), len(ordered) - 1) for area in areas]
    # A mask is 1/2 between the last bin that it keeps and the next.
    edges = torch.stack([(ordered[count - 1] + ordered[count]) / 2 for count in counts])
    return ((ranking - edges.view(-1, 1, 1, 1)) / TEMPERATURE).sigmoid()


def _interpolation(cells: int, size: int) -> Tensor:
    """Return the weights ``(size, cells)`` of a linear interpolation."""
    identity = torch.eye(cells, dtype=torch.float64)[None]
    weights = functional.interpolate(identity, size, mode="linear", align_corners=False)
    return weights[0].T
