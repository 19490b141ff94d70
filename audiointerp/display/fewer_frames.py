"""Draw long clips: several frames in one column of the picture, without losing short sounds."""

from torch import Tensor
from torch.nn import functional

from ..errors import choose

MOST_COLUMNS = 2000
"""A picture has about so many columns; of more frames, most would not be drawn at all."""
REDUCTIONS = ("loudest", "strongest", "mean")


def in_columns(values: Tensor, by: str) -> Tensor:
    """Put several frames of a long clip into one column: ``(1, 1, F, T)`` to ``(1, 1, F, C)``.

    Args:
        values: of one clip; up to :data:`MOST_COLUMNS` frames are returned as they are.
        by: what a column gets of its frames: the largest value (``"loudest"``), that with the
            largest absolute value (``"strongest"``), or the ``"mean"``.

    Raises:
        ArgumentError: ``by`` is unknown.

    >>> import torch
    >>> values = torch.zeros(1, 1, 2, 4001)
    >>> values[..., 7] = -1
    >>> columns = in_columns(values, "strongest")
    >>> columns.shape, columns.sum().item()
    (torch.Size([1, 1, 2, 1334]), -2.0)
    """
    choose("reduction", by, REDUCTIONS)
    size = -(-values.shape[-1] // MOST_COLUMNS)
    if size == 1:
        return values
    rows = values[0].detach()
    if by == "mean":
        columns = functional.avg_pool1d(rows, size, ceil_mode=True)
    elif by == "loudest":
        columns = functional.max_pool1d(rows, size, ceil_mode=True)
    else:
        _, places = functional.max_pool1d(rows.abs(), size, ceil_mode=True, return_indices=True)
        columns = rows.gather(-1, places)
    return columns[None]
