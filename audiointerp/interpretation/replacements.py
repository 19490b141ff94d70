"""Which module replaces which function of torch, so that shap sees it.

Each entry of ``REPLACEMENTS`` takes the function's first argument for one example, and its other
arguments as they are, and returns the module, or None if no module does the same.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from .shap_modules import POOLS, Clamp, Largest, Log, Windows, adaptive_positions, window_positions

REBUILT = (
    *POOLS,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveMaxPool3d,
    nn.ReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.modules.dropout._DropoutNd,
)
"""Modules of torch that only call a function of ``REPLACEMENTS``."""


def _max_pool(axes: int) -> Callable[..., nn.Module | None]:
    def build(
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> nn.Module | None:
        if return_indices:
            return None
        kernels = _per_axis(kernel_size, axes)
        strides = _per_axis(stride or kernel_size, axes)
        paddings, dilations = _per_axis(padding, axes), _per_axis(dilation, axes)
        if all(map(int.__ge__, strides, kernels)) and set(dilations) == {1}:
            return POOLS[axes - 1](kernels, strides, paddings, ceil_mode=ceil_mode)
        settings = zip(x.shape[-axes:], kernels, strides, paddings, dilations, strict=True)
        return Windows([window_positions(*numbers, ceil_mode) for numbers in settings])

    return build


def _adaptive_max_pool(axes: int) -> Callable[..., nn.Module | None]:
    def build(x: Tensor, output_size: Any, return_indices: bool = False) -> nn.Module | None:
        if return_indices:
            return None
        lengths = x.shape[-axes:]
        outputs = [
            length if count is None else count
            for length, count in zip(lengths, _per_axis(output_size, axes), strict=True)
        ]
        return Windows(list(map(adaptive_positions, lengths, outputs)))

    return build


def _per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    return tuple(value) * (axes // len(value)) if isinstance(value, Sequence) else (value,) * axes


def _amax(x: Tensor, dim: Any = (), keepdim: bool = False) -> nn.Module | None:
    axes = sorted(axis % x.ndim for axis in ([dim] if isinstance(dim, int) else dim))
    # Over all axes, or the first, it is a maximum over clips.
    return Largest(x.shape, axes, keepdim) if axes and axes[0] else None


def _max(x: Tensor, dim: Any = None, keepdim: bool = False) -> nn.Module | None:
    return _amax(x, dim, keepdim) if isinstance(dim, int) else None


def _clamp(x: Tensor, min: Any = None, max: Any = None) -> nn.Module | None:
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        return None
    return nn.ReLU() if (min, max) == (0, None) else Clamp(min, max)


def _clamp_max(x: Tensor, max: Any) -> nn.Module | None:
    return _clamp(x, None, max)


def _hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0, **_: bool) -> nn.Module:
    return Clamp(min_val, max_val)


def _relu6(x: Tensor, **_: bool) -> nn.Module:
    return Clamp(0.0, 6.0)


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, **_: bool) -> nn.Module | None:
    return None if training else nn.Identity()


def _activation(kind: type[nn.Module]) -> Callable[..., nn.Module]:
    """Return an entry for a function that takes the arguments of a module's constructor."""

    def build(x: Tensor, *settings: Any, inplace: bool = False, **others: Any) -> nn.Module:
        module = kind(*settings, **others)
        # Backward hooks do not work on in-place modules.
        module.inplace = False  # type: ignore[assignment]
        return module

    return build


def _log(name: str) -> Callable[..., nn.Module]:
    def build(x: Tensor) -> nn.Module:
        return Log(name)

    return build


REPLACEMENTS: dict[str, Callable[..., nn.Module | None]] = {
    "relu": _activation(nn.ReLU),
    "leaky_relu": _activation(nn.LeakyReLU),
    "elu": _activation(nn.ELU),
    "selu": _activation(nn.SELU),
    "gelu": _activation(nn.GELU),
    "sigmoid": _activation(nn.Sigmoid),
    "tanh": _activation(nn.Tanh),
    "softplus": _activation(nn.Softplus),
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp_max,
    "log": _log("log"),
    "log2": _log("log2"),
    "log10": _log("log10"),
    "log1p": _log("log1p"),
    "max": _max,
    "amax": _amax,
    "max_pool1d": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool3d": _max_pool(3),
    "adaptive_max_pool1d": _adaptive_max_pool(1),
    "adaptive_max_pool2d": _adaptive_max_pool(2),
    "adaptive_max_pool3d": _adaptive_max_pool(3),
    "dropout": _dropout,
    "dropout1d": _dropout,
    "dropout2d": _dropout,
    "dropout3d": _dropout,
    "alpha_dropout": _dropout,
    "feature_alpha_dropout": _dropout,
}
"""By the name of a function of torch or a method of a tensor, without a final underscore."""
