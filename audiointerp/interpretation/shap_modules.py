"""Modules that do what a function of torch does, and through which shap sees."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)


class Windows(nn.Module):
    """Max pooling that first lays its windows side by side, so that none overlap.

    shap distributes a maximum correctly only where each entry is in one window. A window that
    reaches into the padding repeats its outermost entry there, which does not change its maximum.

    Args:
        positions: for each pooled axis the entries of each window, ``(outputs, kernel)``.

    >>> pool = Windows([window_positions(5, 3, 2, 1)])
    >>> pool(torch.tensor([[[1.0, 5.0, 2.0, 3.0, 4.0]]]))
    tensor([[[5., 5., 4.]]])
    """

    def __init__(self, positions: Sequence[Tensor]) -> None:
        super().__init__()
        for axis, entries in enumerate(positions):
            self.register_buffer(f"entries{axis}", entries.flatten(), persistent=False)
        self.axes = len(positions)
        self.pool = POOLS[self.axes - 1](tuple(entries.shape[1] for entries in positions))

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima ``(N, C, outputs...)`` of ``(N, C, lengths...)``."""
        for axis in range(self.axes):
            x = x.index_select(axis - self.axes, getattr(self, f"entries{axis}"))
        maxima: Tensor = self.pool(x)
        return maxima


class Largest(nn.Module):
    """The maximum over some axes, not the first, by a max pooling.

    Args:
        lengths: the shape of the input; only those of the axes matter.
        axes: the axes, counted from 0 and in order.
        keepdim: whether the axes stay, with length 1.

    >>> x = torch.randn(2, 3, 4, 5)
    >>> Largest(x.shape, (1, 3))(x).equal(x.amax((1, 3)))
    True
    """

    def __init__(self, lengths: Sequence[int], axes: Sequence[int], keepdim: bool = False) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.keepdim = keepdim
        self.pool = nn.MaxPool1d(math.prod(lengths[axis] for axis in axes))

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima, in the shape of ``x.amax(axes, keepdim)``."""
        last = tuple(range(-len(self.axes), 0))
        windows = x.movedim(self.axes, last).flatten(-len(self.axes))
        pooled: Tensor = self.pool(windows.reshape(len(x), -1, windows.shape[-1]))
        maxima = pooled.reshape(windows.shape[:-1])
        if self.keepdim:
            for axis in self.axes:
                maxima = maxima.unsqueeze(axis)
        return maxima


class RescaledLayer(nn.Module, ABC):
    """A function of each entry that shap does not know, with DeepLIFT's rescale rule.

    Its gradient is (f(a) - f(b)) / (a - b), where a are the entries of the first half of the batch
    and b those of the second half, as shap pairs clips and background. A subclass gives f and that
    slope.

    >>> x = torch.tensor([[4.0], [-1.0]], requires_grad=True)
    >>> Clamp(0.0, 3.0)(x)[0].sum().backward()
    >>> round(5 * float(x.grad[0]), 4)
    3.0
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return f of a batch of pairs."""
        result: Tensor = _RescaleRule.apply(x, self)  # type: ignore[no-untyped-call]
        return result

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """Return f(x)."""

    @abstractmethod
    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        """Return (f(a) - f(b)) / (a - b), and the derivative where a = b."""


class _RescaleRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: RescaledLayer) -> Tensor:
        ctx.save_for_backward(x)
        ctx.layer = layer
        return layer.value(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        slope = ctx.layer.slope(*ctx.saved_tensors[0].chunk(2))
        return gradients[0] * torch.cat([slope, slope]), None


class Clamp(RescaledLayer):
    """The clamp between two numbers, either of which may be None.

    >>> Clamp(0.0, 6.0)(torch.tensor([-1.0, 2.0, 7.0]))
    tensor([0., 2., 6.])
    """

    def __init__(self, low: float | None, high: float | None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def value(self, x: Tensor) -> Tensor:
        """Return the clamped entries."""
        return x.clamp(self.low, self.high)

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the share of the change that the clamp lets through."""
        slope = (self.value(a) - self.value(b)) / (a - b)
        return torch.where(a == b, (self.value(a) == a).to(a), slope)


class Log(RescaledLayer):
    """A logarithm by its name in torch: ``"log"``, ``"log2"``, ``"log10"`` or ``"log1p"``.

    >>> Log("log10")(torch.tensor([100.0]))
    tensor([2.])
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.base = {"log2": 2.0, "log10": 10.0}.get(name, math.e)
        self.offset = 1.0 if name == "log1p" else 0.0

    def value(self, x: Tensor) -> Tensor:
        """Return the logarithms."""
        logarithm: Tensor = getattr(x, self.name)()
        return logarithm

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the slope, precise for close and for distant entries."""
        change, start = a - b, b + self.offset
        # The difference of the logarithms of two close numbers is not precise.
        close = torch.log1p(change / start) / math.log(self.base) / change
        distant = (self.value(a) - self.value(b)) / change
        slope = torch.where(change.abs() < 0.5 * start, close, distant)
        return torch.where(change == 0, 1 / start / math.log(self.base), slope)


def window_positions(
    length: int,
    kernel: int,
    stride: int,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the entries ``(outputs, kernel)`` of each window of a max pooling along an axis.

    Positions in the padding are replaced by the window's first or last entry.

    >>> window_positions(5, kernel=3, stride=2, padding=1).tolist()
    [[0, 0, 1], [1, 2, 3], [3, 4, 4]]
    """
    room = length + 2 * padding - dilation * (kernel - 1) - 1
    outputs = (room + (stride - 1) * ceil_mode) // stride + 1
    # As in torch, no window starts in the padding at the end.
    if ceil_mode and (outputs - 1) * stride >= length + padding:
        outputs -= 1
    start = torch.arange(outputs)[:, None] * stride - padding
    positions = start + dilation * torch.arange(kernel)
    inside = (positions >= 0) & (positions < length)
    first = torch.where(inside, positions, length).amin(1, keepdim=True)
    last = torch.where(inside, positions, -1).amax(1, keepdim=True)
    return positions.maximum(first).minimum(last)


def adaptive_positions(length: int, outputs: int) -> Tensor:
    """Return the entries ``(outputs, longest window)`` of each window of an adaptive pooling.

    Shorter windows repeat their last entry.

    >>> adaptive_positions(5, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    number = torch.arange(outputs)
    start, end = number * length // outputs, -(-(number + 1) * length // outputs)
    positions = start[:, None] + torch.arange(int((end - start).max()))
    return positions.minimum(end[:, None] - 1)
