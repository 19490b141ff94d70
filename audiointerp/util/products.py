"""Large convolutions by what is fastest on a CPU, forward and backward.

On small maps that is one matrix product. For each call oneDNN brings the weights into an order of
its own. Where a map has few cells, as in the last blocks of a Cnn14 (151 MB of weights for 30
cells), that takes most of the time. A product reads the weights once. On other maps, kernels of
3 x 3 are computed by Winograd's method, see :mod:`~audiointerp.util.winograd`.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .winograd import evaluated_weights, winograd, winograd_gradient

LEAST_WEIGHTS = 2**20
"""Layers with fewer weights are no matrix products."""
LEAST_WINOGRAD_WEIGHTS = 9 * 2**14
"""Layers with fewer weights are not computed by Winograd's method."""
MOST_WINOGRAD_WEIGHTS = 2**24
"""Layers with more weights are not either: it keeps four times as many numbers."""
FEW_CELLS = 32
"""Maps with at most so many cells are multiplied in batches of any size."""
FEW_ROWS = 128
"""Other maps are, if a batch has at most so many cells."""


class ProductConv2d(nn.Conv2d):
    """A convolution for inference, as a matrix product where maps are small, else by Winograd.

    Its parameters get no gradients, and its graph keeps no activations. Which way it takes depends
    on the size of the input, and on whether ``torch.autocast`` is on, which takes the direct one.

    What Winograd's method keeps of the shared weights is computed anew when they change, but not
    when they change through ``weight.data``, which torch does not count: then make the copy anew.

    Args:
        layer: a convolution that :func:`can_be_product` takes; the weights are shared.

    >>> layer = nn.Conv2d(2, 3, 3, padding=1)
    >>> x = torch.rand(2, 2, 5, 4)
    >>> bool(torch.allclose(ProductConv2d(layer)(x), layer(x), atol=1e-6))
    True
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        nn.Module.__init__(self)
        vars(self).update({key: value for key, value in vars(layer).items() if key[0] != "_"})
        self._reversed_padding_repeated_twice = layer._reversed_padding_repeated_twice
        self.weight, self.bias = layer.weight, layer.bias
        self._buffers.update(layer._buffers)
        self.training = layer.training
        self._evaluated: tuple[tuple[int, int], Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Return ``(N, C', H', W')`` of ``(N, C, H, W)``; by a direct convolution in autocast."""
        # Half precision loses more in Winograd's sums than in a direct convolution.
        if torch.is_autocast_enabled("cpu"):
            bias = None if self.bias is None else self.bias.detach()
            return functional.conv2d(input, self.weight.detach(), bias, padding=self.padding)
        result: Tensor = _InputGradient.apply(input, self)  # type: ignore[no-untyped-call]
        return result

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_evaluated": None}

    def is_small(self, height: int, width: int, clips: int) -> bool:
        """Return whether maps of this size are multiplied."""
        cells = height * width
        is_small = cells <= FEW_CELLS or cells * clips <= FEW_ROWS
        return is_small and self.weight.numel() >= LEAST_WEIGHTS

    def is_winograd(self, height: int, width: int) -> bool:
        """Return whether other maps of this size are computed by Winograd's method."""
        # A tile has four rows and columns.
        return has_winograd(self) and min(height, width) > 2

    @property
    def evaluated(self) -> Tensor:
        """The weights as Winograd's method takes them, kept until the weights change."""
        state = self.weight.data_ptr(), self.weight._version
        if self._evaluated is None or self._evaluated[0] != state:
            self._evaluated = state, evaluated_weights(self.weight)
        return self._evaluated[1]

    @property
    def rows(self) -> Tensor:
        """The weights as ``(C', kernel · C)``; a view if they are in channels_last."""
        return self.weight.detach().permute(0, 2, 3, 1).flatten(1)


def can_be_product(layer: nn.Module) -> bool:
    """Return whether a layer is a large convolution with steps of 1, padded by zeros, on a CPU.

    >>> can_be_product(nn.Conv2d(512, 512, 3)), can_be_product(nn.Conv2d(2, 3, 3))
    (True, False)
    """
    return (
        type(layer) is nn.Conv2d
        and (layer.weight.numel() >= LEAST_WEIGHTS or has_winograd(layer))
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )


def has_winograd(layer: nn.Conv2d) -> bool:
    """Return whether a layer that is padded by zeros has kernels for Winograd's method.

    >>> has_winograd(nn.Conv2d(128, 128, 3, padding=1)), has_winograd(nn.Conv2d(128, 128, 5))
    (True, False)
    """
    weights, most = layer.weight.numel(), MOST_WINOGRAD_WEIGHTS
    is_fit = LEAST_WINOGRAD_WEIGHTS <= weights <= most
    return is_fit and (layer.kernel_size, layer.padding) == ((3, 3), (1, 1))


class _InputGradient(torch.autograd.Function):
    """The convolution, with the gradient of its input alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: ProductConv2d) -> Tensor:
        ctx.layer, ctx.size, ctx.strides = layer, x.size(), x.stride()
        if layer.is_small(x.shape[2], x.shape[3], len(x)):
            return _product(layer, x)
        if layer.is_winograd(x.shape[2], x.shape[3]):
            return winograd(x, layer.evaluated, layer.bias)
        return functional.conv2d(x, layer.weight.detach(), layer.bias, padding=layer.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        layer, (gradient,), size = ctx.layer, gradients, ctx.size
        # The forward pass was not in autocast.
        with torch.autocast("cpu", enabled=False):
            if layer.is_small(size[2], size[3], size[0]):
                return _product_gradient(layer, gradient, size), None
            if layer.is_winograd(size[2], size[3]):
                return winograd_gradient(gradient, layer.evaluated), None
            like = gradient.new_empty_strided(size, ctx.strides)
            return input_gradient(layer, like, gradient), None


def input_gradient(layer: nn.Conv2d, like: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with respect to a convolution's input, which is never needed itself.

    Args:
        layer: the convolution.
        like: a tensor of the input's size and memory format; its values do not matter.
        gradient: with respect to the output.

    >>> layer = nn.Conv2d(1, 1, 1, bias=False)
    >>> gradient = input_gradient(layer, torch.empty(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
    >>> bool((gradient == layer.weight).all())
    True
    """
    sizes = (layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups)
    inputs, *_ = torch.ops.aten.convolution_backward(
        gradient, like, layer.weight, None, *sizes, [True, False, False]
    )
    result: Tensor = inputs
    return result


def _padding(layer: ProductConv2d) -> tuple[int, int]:
    return int(layer.padding[0]), int(layer.padding[1])


def _product(layer: ProductConv2d, x: Tensor) -> Tensor:
    """Multiply the weights with the windows of the input, in channels_last."""
    (high, wide), (pad_height, pad_width) = layer.kernel_size, _padding(layer)
    sides = (0, 0, pad_width, pad_width, pad_height, pad_height)
    padded = functional.pad(x.permute(0, 2, 3, 1), sides)
    windows = padded.unfold(1, high, 1).unfold(2, wide, 1)
    clips, height, width = windows.shape[:3]
    rows = windows.permute(0, 1, 2, 4, 5, 3).reshape(clips * height * width, -1)
    size = (clips, layer.out_channels, height, width)
    # No view of another tensor, since a ReLU that follows may work in place.
    result = torch.empty(size, dtype=x.dtype, memory_format=torch.channels_last)
    outputs = result.permute(0, 2, 3, 1).flatten(0, 2)
    torch.mm(rows, layer.rows.t(), out=outputs)
    if layer.bias is not None:
        outputs += layer.bias
    return result


def _product_gradient(layer: ProductConv2d, gradient: Tensor, size: torch.Size) -> Tensor:
    """Multiply the gradient with the weights, and add up the windows that share a cell."""
    clips, channels, height, width = size
    (high, wide), (pad_height, pad_width) = layer.kernel_size, _padding(layer)
    rows = gradient.permute(0, 2, 3, 1)
    windows = (rows.reshape(-1, rows.shape[3]) @ layer.rows).view(
        *rows.shape[:3], high, wide, channels
    )
    padded = windows.new_zeros(clips, height + 2 * pad_height, width + 2 * pad_width, channels)
    for row in range(high):
        for column in range(wide):
            part = padded[:, row : row + rows.shape[1], column : column + rows.shape[2]]
            part += windows[:, :, :, row, column]
    inner = padded[:, pad_height : pad_height + height, pad_width : pad_width + width]
    return inner.permute(0, 3, 1, 2)
