"""Convolutions of 3 x 3 by Winograd's method: a quarter of the multiplications.

See Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016.

A tile of 4 x 4 outputs depends on 6 x 6 inputs. Inputs and weights are evaluated as polynomials at
6 points in each direction, multiplied point by point, and the products are combined: 36
multiplications in place of 144. The points are 0, ±sqrt(1/2), ±sqrt(2) and infinity. With them the
largest error is about that of a direct convolution in float32, some 1e-6 of the largest output (the
mean one is five times as large); with the usual 0, ±1, ±2 it is five times that. Each
point's inverse is a point too, so the gradient, which is a convolution with flipped weights, takes
the same evaluated weights in another order.
"""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

KERNEL = 3
TILE = 4
"""Rows and columns of outputs that are computed together."""
PATCH = TILE + KERNEL - 1
"""Rows and columns of inputs that they depend on."""
POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2), -math.sqrt(2))
"""The finite points; the last one is infinity."""
INVERSES = (5, 3, 4, 1, 2, 0)
"""By point, the number of its inverse."""
INVERSE_SCALES = (1.0, 0.5, 0.5, 2.0, 2.0, 1.0)
"""By point p, the ratio p² between a flipped kernel's value there and the kernel's at 1 / p."""
LEAST_TILES, MOST_TILES = 64, 256
"""Tiles per step: with few the weights are read too often, many do not stay in the cache."""


class Evaluation(NamedTuple):
    """What takes patches of inputs to their values at the points, and products to tiles of outputs.

    Attributes:
        inputs: ``(36, 36)``.
        outputs: ``(16, 36)``.

    >>> Evaluation(torch.zeros(36, 36), torch.zeros(16, 36)).inputs.shape
    torch.Size([36, 36])
    """

    inputs: Tensor
    outputs: Tensor


def evaluated_weights(weight: Tensor) -> Tensor:
    """Return the values of kernels at the points, which both directions take.

    Args:
        weight: ``(C', C, 3, 3)``.

    Returns:
        ``(36, C, C')``, four times as many numbers.

    >>> evaluated_weights(torch.zeros(5, 2, 3, 3)).shape
    torch.Size([36, 2, 5])
    """
    outputs, inputs = weight.shape[:2]
    powers = _powers(KERNEL)
    columns = weight.detach().permute(2, 3, 1, 0).reshape(KERNEL**2, -1).double()
    # In double precision, since they are rounded once for all inputs.
    values = torch.kron(powers, powers) @ columns
    return values.to(weight.dtype).view(PATCH**2, inputs, outputs)


def winograd(x: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve ``(N, C, H, W)`` with kernels of 3 x 3, padded by a zero on each side.

    Args:
        x: the inputs, best in channels_last.
        weights: of :func:`evaluated_weights`.
        bias: ``(C',)``, if any.

    Returns:
        ``(N, C', H, W)`` in channels_last.

    >>> layer, x = torch.nn.Conv2d(2, 5, 3, padding=1), torch.rand(3, 2, 7, 4)
    >>> outputs = winograd(x, evaluated_weights(layer.weight), layer.bias)
    >>> bool(torch.allclose(outputs, layer(x), atol=1e-5))
    True
    """
    return _convolved(x, weights, bias, _forward())


def winograd_gradient(gradient: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient with respect to the inputs of :func:`winograd`.

    Args:
        gradient: with respect to its outputs, ``(N, C', H, W)``.
        weights: those that it took.

    >>> weights = evaluated_weights(torch.ones(1, 1, 3, 3))
    >>> winograd_gradient(torch.ones(1, 1, 2, 2), weights).round(decimals=4).tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _convolved(gradient, weights.mT, None, _backward())


@torch.no_grad()
def _convolved(x: Tensor, weights: Tensor, bias: Tensor | None, evaluation: Evaluation) -> Tensor:
    clips, channels, height, width = x.shape
    rows, columns, outputs = -(-height // TILE), -(-width // TILE), weights.shape[2]
    right, below = columns * TILE - width + 1, rows * TILE - height + 1
    padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, right, 1, below))
    windows = padded.unfold(1, PATCH, TILE).unfold(2, PATCH, TILE).permute(4, 5, 0, 1, 2, 3)
    tiles = x.new_empty(clips, rows, TILE, columns, TILE, outputs)
    from_patches, to_tiles = (matrix.to(x) for matrix in evaluation)
    # A step takes some rows of tiles of one clip, or several clips.
    step_rows = min(rows, max(1, _tiles_of_a_step(channels, outputs) // columns))
    step_clips = max(1, _tiles_of_a_step(channels, outputs) // (rows * columns))
    for clip in range(0, clips, step_clips):
        for row in range(0, rows, step_rows):
            some = slice(clip, clip + step_clips), slice(row, row + step_rows)
            patches = windows[:, :, *some]
            values = (from_patches @ patches.reshape(PATCH**2, -1)).view(PATCH**2, -1, channels)
            products = torch.bmm(values, weights).view(PATCH**2, -1)
            parts = (to_tiles @ products).view(TILE, TILE, *patches.shape[2:5], outputs)
            tiles[some] = parts.permute(2, 3, 0, 4, 1, 5)
    cut = tiles.view(clips, rows * TILE, columns * TILE, outputs)[:, :height, :width]
    # No view of another tensor, since a ReLU that follows may work in place.
    result = torch.empty(
        (clips, outputs, height, width), dtype=x.dtype, memory_format=torch.channels_last
    )
    by_cell = result.permute(0, 2, 3, 1)
    by_cell.copy_(cut) if bias is None else torch.add(cut, bias, out=by_cell)
    return result


def _tiles_of_a_step(channels: int, outputs: int) -> int:
    return min(MOST_TILES, max(LEAST_TILES, max(channels, outputs) // 2))


def _powers(count: int) -> Tensor:
    """Return the first powers of the points ``(6, count)``; at infinity the last one alone is 1."""
    points = torch.tensor(POINTS, dtype=torch.float64)[:, None]
    last = torch.zeros(1, count, dtype=torch.float64)
    last[0, -1] = 1
    return torch.cat([points ** torch.arange(count), last])


@cache
def _directions() -> tuple[Tensor, Tensor]:
    """Return the matrices of one direction: ``(6, 6)`` of the inputs, ``(4, 6)`` of the outputs."""
    # A product of polynomials is interpolated from its values; transposed, that is a correlation.
    return torch.linalg.inv(_powers(PATCH)).T.contiguous(), _powers(TILE).T.contiguous()


@cache
def _forward() -> Evaluation:
    inputs, outputs = _directions()
    return Evaluation(torch.kron(inputs, inputs), torch.kron(outputs, outputs))


@cache
def _backward() -> Evaluation:
    inputs, outputs = _directions()
    order = list(INVERSES)
    inputs = inputs[order]
    outputs = (outputs * torch.tensor(INVERSE_SCALES, dtype=torch.float64))[:, order]
    return Evaluation(torch.kron(inputs, inputs), torch.kron(outputs, outputs))
