"""Finds the outputs in what a model returns."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError

TENSOR_NAMES = ("logits", "clipwise_output", "output", "outputs", "scores")
"""Where models put their outputs, if they return a dictionary or a record."""

Select = str | int | Callable[[Any], Tensor]
"""Which part of what a model returns are its outputs: a key or attribute, an index, a function."""


def selected(returned: Any, select: Select | None, model_name: str) -> Tensor:
    """Return the outputs ``(N, C)`` in what a model returned.

    Args:
        returned: a tensor or array ``(N, C)`` or ``(N,)``, a sequence, a dictionary or a record.
        select: a key, an attribute, an index or a function; None if ``returned`` is the outputs, or
            has them under a usual name.
        model_name: for messages.

    Raises:
        ModelError: there are no such outputs; the message says what was returned.

    >>> selected({"logits": torch.zeros(1, 2)}, None, "model").shape
    torch.Size([1, 2])
    """
    outputs = returned
    if callable(select):
        outputs = _chosen(returned, select, model_name)
    elif select is not None:
        outputs = _part(returned, select, model_name)
    elif not isinstance(returned, Tensor | np.ndarray | list):
        names = [name for name in TENSOR_NAMES if _has(returned, name)]
        if names:
            outputs = _part(returned, names[0], model_name)
    columns = getattr(outputs, "columns", ())
    if any(isinstance(column, str) for column in columns):
        raise ModelError(
            f"{model_name} returned a table with the columns {', '.join(map(str, columns))}, whose "
            "order may not be that of the labels: return its values, e.g. table[labels].to_numpy()"
        )
    tensor = _as_tensor(outputs)
    if (name := _first_text(outputs)) is not None:
        raise ModelError(
            f"{model_name} returned texts, e.g. {name!r:.80}: it must return the probability of "
            "each class, (N, C), not the names of classes"
        )
    if tensor is None or tensor.ndim not in (1, 2):
        shape = type(outputs).__name__ if tensor is None else f"a tensor {tuple(tensor.shape)}"
        raise ModelError(
            f"the outputs of {model_name} must be one tensor (N, C), not {shape}"
            f"{_described(returned)}; name it, e.g. select='logits' or select=0, or give a function"
        )
    return tensor[:, None] if tensor.ndim == 1 else tensor


def _first_text(outputs: Any) -> str | None:
    """Return the first entry of outputs if it is a text, however deep in lists."""
    while isinstance(outputs, list | tuple) and outputs:
        outputs = outputs[0]
    if isinstance(outputs, np.ndarray) and outputs.size:
        outputs = outputs.flat[0]
    return str(outputs) if isinstance(outputs, str | bytes | np.str_) else None


def _as_tensor(outputs: Any) -> Tensor | None:
    if isinstance(outputs, Tensor):
        return outputs
    is_rows = isinstance(outputs, list) and all(isinstance(row, Tensor) for row in outputs)
    try:
        if is_rows and outputs:
            # NumPy would lose the gradients of the rows.
            return torch.stack(outputs)
        return torch.from_numpy(np.asarray(outputs, dtype=np.float32).copy())
    except (TypeError, ValueError, RuntimeError):
        return None


def _has(returned: Any, name: str) -> bool:
    return name in returned if isinstance(returned, Mapping) else hasattr(returned, name)


def _part(returned: Any, select: Any, model_name: str) -> Any:
    try:
        if isinstance(select, str) and not isinstance(returned, Mapping):
            return getattr(returned, select)
        return returned[select]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError(
            f"what {model_name} returns has no {select!r}{_described(returned)}"
        ) from error


def _chosen(returned: Any, select: Callable[[Any], Tensor], model_name: str) -> Any:
    try:
        return select(returned)
    # A function of the user can raise any error.
    except Exception as error:
        raise ModelError(
            f"select cannot take what {model_name} returns{_described(returned)}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _described(returned: Any) -> str:
    if isinstance(returned, Mapping):
        return f" (it returns a dictionary with {', '.join(map(str, returned))})"
    if isinstance(returned, tuple | list):
        return f" (it returns {len(returned)} values)"
    shape = f" {tuple(returned.shape)}" if isinstance(returned, Tensor | np.ndarray) else ""
    return f" (it returns a {type(returned).__name__}{shape})"
