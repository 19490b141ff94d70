"""What results depend on, as plain values that can be kept and compared."""

import hashlib
import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ArgumentError
from .interpretation import Explainer


def sha256_of_state(module: nn.Module) -> str:
    """Of the names, shapes and values of a module's parameters and buffers."""
    digest = hashlib.sha256(type(module).__name__.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def settings_of(explainer: Explainer) -> dict[str, Any]:
    """The class of an explainer and all that it was made with, but for its network.

    Raises:
        ArgumentError: it was made with something that cannot be told from others of its kind.

    >>> from .interpretation import Random
    >>> settings_of(Random(nn.Linear(1, 1), seed=7))
    {'class': 'Random', 'seed': 7}
    """
    arguments, keywords = explainer.made_with
    bound = inspect.signature(type(explainer).__init__).bind(explainer, *arguments, **keywords)
    bound.apply_defaults()
    given = dict(list(bound.arguments.items())[2:])  # after self and network
    try:
        return {"class": type(explainer).__name__, **{name: described(value) for name, value in given.items()}}
    except ArgumentError as error:
        raise ArgumentError(f"{explainer.name}: {error}") from None


def described(value: Any) -> Any:
    """A value as plain ones that differ where it differs.

    >>> described({"steps": 3, "baseline": torch.zeros(2)})["baseline"]["shape"]
    [2]
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        content = value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        return {"shape": list(value.shape), "sha256": hashlib.sha256(content).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): described(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [described(one) for one in value]
    if isinstance(value, nn.Module):
        return {"module": repr(value), "sha256": sha256_of_state(value)}
    if isinstance(value, FunctionType):
        code = value.__code__
        closed = [described(cell.cell_contents) for cell in value.__closure__ or ()]
        told = f"{code.co_code!r} {code.co_names} {[one for one in code.co_consts if not hasattr(one, 'co_code')]}"
        return {
            "function": f"{value.__module__}.{value.__qualname__}",
            "sha256": hashlib.sha256(told.encode()).hexdigest(),
            "closed": closed,
        }
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    raise ArgumentError(
        f"{value!r:.80} cannot be told from others of its kind in results; give plain values or a function"
    )
