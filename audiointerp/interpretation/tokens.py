"""Where the cells of a spectrogram are among the tokens of a transformer."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..errors import ArgumentError

MOST_OTHER_TOKENS = 8
"""Tokens before those of the patches: of the class, of distillation, registers."""


@dataclass(frozen=True)
class TokenGrid:
    """The tokens of patches: ``rows`` x ``columns`` in that order, after ``first`` others.

    >>> import torch
    >>> TokenGrid(2, 3, 1).as_map(torch.zeros(4, 7, 16)).shape
    torch.Size([4, 16, 2, 3])
    """

    rows: int
    columns: int
    first: int

    def as_map(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(N, tokens, dim)`` as ``(N, dim, rows, columns)``."""
        patches = tokens[:, self.first :].transpose(1, 2)
        return patches.reshape(len(tokens), -1, self.rows, self.columns)


def checked_grid(grid: Any) -> tuple[int, int]:
    """Return rows and columns of tokens as a tuple.

    Raises:
        ArgumentError: they are not two whole numbers of at least 1.

    >>> checked_grid([12, 101])
    (12, 101)
    """
    sizes = tuple(grid) if isinstance(grid, list | tuple) else ()
    if len(sizes) != 2 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise ArgumentError(
            f"grid={grid!r:.80}: give rows and columns of the tokens, e.g. grid=(12, 101)"
        )
    return sizes


def token_grid(
    count: int, cells: tuple[int, ...] | None, declared: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Return rows and columns of the patches among ``count`` tokens, or None.

    Args:
        count: the tokens.
        cells: those of the convolution that embeds the patches, or None.
        declared: those that the network's configuration states, or None.

    >>> token_grid(1214, (12, 101), None), token_grid(50, (12, 101), None)
    ((12, 101), None)
    """
    for grid in (cells, declared):
        if grid is not None and 0 <= count - grid[0] * grid[1] <= MOST_OTHER_TOKENS:
            return (grid[0], grid[1])
    return None


def declared_grid(network: nn.Module) -> tuple[int, int] | None:
    """Return the grid of patches that a network's configuration states, or None.

    It is read from ``config`` as in Hugging Face's Audio Spectrogram Transformer
    (``num_mel_bins``, ``max_length``, ``patch_size``, ``frequency_stride``, ``time_stride``) and
    ViT (``image_size``, ``patch_size``), and from ``grid_size`` as in timm's ``PatchEmbed``. An
    encoder of steps in time, as Whisper's (``max_source_positions``), has one row.

    >>> from types import SimpleNamespace
    >>> network = nn.Linear(1, 1)
    >>> network.config = SimpleNamespace(image_size=(128, 1024), patch_size=16)
    >>> declared_grid(network)
    (8, 64)
    """
    for module in network.modules():
        grid_size = getattr(module, "grid_size", None)
        if isinstance(grid_size, tuple) and len(grid_size) == 2:
            return grid_size
        grid = _configured_grid(getattr(module, "config", None))
        if grid is not None:
            return grid
        steps = getattr(getattr(module, "config", None), "max_source_positions", None)
        if isinstance(steps, int):
            return (1, steps)
    return None


def _configured_grid(config: Any) -> tuple[int, int] | None:
    if getattr(config, "patch_size", None) is None:
        return None
    heights = _pair(config.patch_size)
    strides = heights
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
        sizes = (config.num_mel_bins, config.max_length)
        strides = (
            getattr(config, "frequency_stride", heights[0]),
            getattr(config, "time_stride", heights[1]),
        )
    elif hasattr(config, "image_size"):
        sizes = _pair(config.image_size)
    else:
        return None
    rows, columns = (
        (size - height) // stride + 1
        for size, height, stride in zip(sizes, heights, strides, strict=True)
    )
    return (rows, columns)


def _pair(sizes: Any) -> tuple[int, int]:
    return tuple(sizes) if isinstance(sizes, list | tuple) else (sizes, sizes)
