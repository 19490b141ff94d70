"""Modules that take DeepLIFT's multipliers backward, and those that keep little memory for it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..util import input_gradient

SMALLEST_CHANGE = 1e-7
"""Where an input of max pooling changes by less, its multiplier is 0, as in shap."""

ROUNDING = 1e-4
"""Inputs that differ by less, as a share of the largest, differ by rounding."""

PIECE = 2**16
"""Numbers that a step of the rule for ReLU takes at a time, on a CPU."""


class Rescaled(nn.Module, ABC):
    """A nonlinear module that gets DeepLIFT's multiplier in place of its gradient.

    ``clip`` has what the module has seen of the clip: its input ``(1, …)``, and for a pooling also
    the maxima and where they were.

    >>> x = torch.tensor([[-1.0]], requires_grad=True)
    >>> module = RESCALED[nn.ReLU](nn.ReLU())
    >>> module.clip = torch.tensor([[3.0]]), torch.tensor([[3.0]])
    >>> module(x).backward()
    >>> x.grad
    tensor([[0.7500]])
    """

    clip: tuple[Tensor, ...] = ()
    alone: Tensor | None = None
    """The input of the clips that come next, each computed alone."""
    is_recording: bool = False
    unneeded: int = 0
    """How many of the tensors of :meth:`see` need not be kept of the background."""

    def forward(self, x: Tensor) -> Tensor:
        if self.is_recording:
            self.clip = (x, *self.see(x))
            return self.clip[1]
        result: Tensor = _Rule.apply(x, self)  # type: ignore[no-untyped-call]
        return result

    def take_input(self, x: Tensor) -> Tensor:
        """Return what was computed alone in place of an input, once, where both are the same."""
        alone, self.alone = self.alone, None
        # They are not in a module that is used twice, or whose first axis is not that of the clips.
        if alone is None or alone.shape != x.shape:
            return x
        is_same = (alone - x).abs().amax() <= ROUNDING * x.abs().amax()
        return alone if is_same else x

    @abstractmethod
    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the module's result and what else :meth:`multiplied` needs of an input."""

    @abstractmethod
    def multiplied(self, gradient: Tensor, background: tuple[Tensor, ...]) -> Tensor:
        """Return the gradient with respect to the background's input, by the rescale rule."""


class _Rule(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, module: Rescaled) -> Tensor:
        x = module.take_input(x)
        seen = module.see(x)
        ctx.save_for_backward(x, *seen[module.unneeded :])
        ctx.module = module
        return seen[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.module.multiplied(gradients[0], ctx.saved_tensors), None


class _ReLU(Rescaled):
    # The result is made from the input again, which takes less time than memory would cost.
    unneeded: int = 1

    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        return (x.relu(),)

    def multiplied(self, gradient: Tensor, background: tuple[Tensor, ...]) -> Tensor:
        (x,) = background
        is_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
        # The order in memory, in which a piece is a view.
        order, back = ((0, 2, 3, 1), (0, 3, 1, 2)) if is_last else (range(x.ndim), range(x.ndim))
        ordered = x.permute(*order)
        level, clip, clip_result, slope = (
            tensor.permute(*order).reshape(len(tensor), -1) for tensor in (x, *self.clip, gradient)
        )
        result = torch.empty_like(level)
        for start in range(0, level.shape[1], PIECE):
            # A piece at a time, so that its few steps stay in the processor's cache.
            part = slice(start, start + PIECE)
            clips = clip[:, part], clip_result[:, part]
            self._multiply(level[:, part], clips, slope[:, part], result[:, part])
        return result.view(ordered.shape).permute(*back)

    @staticmethod
    def _multiply(
        level: Tensor, clips: tuple[Tensor, Tensor], gradient: Tensor, result: Tensor
    ) -> None:
        clip, clip_result = clips
        for number in range(len(level)):
            row = level[number, None]
            change = clip - row
            multiplier = (clip_result - row.relu()).div_(change)
            # Where nothing changes, 0 / 0, the multiplier is the derivative at the background.
            multiplier = torch.where(change == 0, (row > 0).to(row), multiplier)
            torch.mul(multiplier, gradient[number, None], out=result[number, None])


class _MaxPool(Rescaled):
    pool: Callable[..., Any]
    unpool: Callable[..., Tensor]

    def __init__(self, pooling: nn.Module) -> None:
        super().__init__()
        # PANNs sets kernel_size and stride anew for each length.
        for name in ("kernel_size", "stride", "padding", "dilation", "ceil_mode"):
            setattr(self, name, getattr(pooling, name))

    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        sizes = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        maxima, places = type(self).pool(x, *sizes, return_indices=True)
        return maxima, places

    def multiplied(self, gradient: Tensor, background: tuple[Tensor, ...]) -> Tensor:
        x, maxima, places = background
        clip, clip_maxima, clip_places = self.clip
        larger = clip_maxima.maximum(maxima)

        def spread(amounts: Tensor, where: Tensor) -> Tensor:
            sizes = (self.kernel_size, self.stride, self.padding)
            return type(self).unpool(gradient * amounts, where, *sizes, list(x.shape))

        # The rise to the larger maximum is the clip's doing, the rest the background's.
        amounts = spread(larger - maxima, clip_places.expand_as(places))
        amounts += spread(clip_maxima - larger, places)
        change = clip - x
        return torch.where(change.abs() < SMALLEST_CHANGE, 0.0, amounts / change)


class _MaxPool1d(_MaxPool):
    pool, unpool = functional.max_pool1d, functional.max_unpool1d


class _MaxPool2d(_MaxPool):
    pool, unpool = functional.max_pool2d, functional.max_unpool2d


class _MaxPool3d(_MaxPool):
    pool, unpool = functional.max_pool3d, functional.max_unpool3d


class _Linear(nn.Module, ABC):
    """A linear module whose graph keeps no activations, of which it needs only the shape."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = _LinearRule.apply(x, self)  # type: ignore[no-untyped-call]
        return result

    @abstractmethod
    def gradient(self, like: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to an input of the size and memory format of ``like``.

        The values of ``like`` do not matter.
        """


class _LinearRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linear: _Linear) -> Tensor:
        ctx.linear, ctx.size, ctx.strides = linear, x.size(), x.stride()
        result: Tensor = linear.module(x)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        like = gradients[0].new_empty_strided(ctx.size, ctx.strides)
        return ctx.linear.gradient(like, gradients[0]), None


class _Conv2d(_Linear):
    def gradient(self, like: Tensor, gradient: Tensor) -> Tensor:
        return input_gradient(self.module, like, gradient)


class _AvgPool2d(_Linear):
    def gradient(self, like: Tensor, gradient: Tensor) -> Tensor:
        pool = self.module
        sizes = [_pair(size) for size in (pool.kernel_size, pool.stride, pool.padding)]
        settings = (pool.ceil_mode, pool.count_include_pad, pool.divisor_override)
        result: Tensor = torch.ops.aten.avg_pool2d_backward(gradient, like, *sizes, *settings)
        return result


def _pair(size: Any) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)


RESCALED: dict[type[nn.Module], Callable[[nn.Module], Rescaled]] = {
    nn.ReLU: lambda module: _ReLU(),
    nn.MaxPool1d: _MaxPool1d,
    nn.MaxPool2d: _MaxPool2d,
    nn.MaxPool3d: _MaxPool3d,
}
"""By the type of a nonlinear module, the module with the rescale rule."""
SPARING: dict[type[nn.Module], Callable[[Any], nn.Module]] = {
    nn.Conv2d: _Conv2d,
    nn.AvgPool2d: _AvgPool2d,
}
"""By the type of a linear module, the module that keeps no activations."""
