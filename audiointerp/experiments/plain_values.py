"""Settings, functions and networks as plain values, to compare and to record."""

import hashlib
from collections.abc import Mapping
from dis import get_instructions
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..util import as_python


def described(value: Any) -> Any:
    """Plain values (numbers, text, lists, dicts) that differ wherever two values differ.

    Tensors, modules and functions are described by a SHA-256 of their content.

    Raises:
        ArgumentError: the value is of another type, so its content is unknown.

    >>> described({"steps": 3, "baseline": torch.zeros(2)})["baseline"]["shape"]
    [2]
    """
    if isinstance(value, torch.dtype | torch.device):
        return str(value)
    if not isinstance(value, Tensor):
        value = as_python(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        return {"shape": list(value.shape), "sha256": hashlib.sha256(_bytes_of(value)).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if isinstance(value, nn.Module):
        return {"module": repr(value), "sha256": sha256_of_state(value)}
    if isinstance(value, FunctionType):
        return _described_function(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    raise ArgumentError(
        f"{value!r:.80} cannot be recorded in run.json; give plain values, tensors, modules or "
        f"functions"
    )


def described_or_named(value: Any) -> Any:
    """Describe a value by its content, or, where that is not known, by its type.

    >>> described_or_named(3), described_or_named(object())
    (3, 'object')
    """
    try:
        return described(value)
    except ArgumentError:
        return getattr(value, "__qualname__", type(value).__qualname__)


def sha256_of_state(module: nn.Module) -> str:
    """SHA-256 of a module's name, and of its parameters and buffers: names, shapes, values.

    The name is that of its class, or of the model in a model of sounds.

    >>> from torch import nn
    >>> weights = nn.Linear(2, 1)
    >>> sha256_of_state(weights) == sha256_of_state(weights), len(sha256_of_state(weights))
    (True, 64)
    """
    # A function has no state; its name is all that tells it from another.
    name = getattr(module, "model_name", type(module).__name__)
    digest = hashlib.sha256(name.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _described_function(function: FunctionType) -> dict[str, Any]:
    code = function.__code__
    description = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "sha256": hashlib.sha256(_content(code).encode()).hexdigest(),
        "closed": [described(cell.cell_contents) for cell in function.__closure__ or ()],
    }
    others = {
        "defaults": [described_or_named(value) for value in function.__defaults__ or ()],
        "keyword_defaults": {
            name: described_or_named(value)
            for name, value in (function.__kwdefaults__ or {}).items()
        },
        "globals": _plain_globals(function),
    }
    # What a function does not have is left out, as in records of earlier versions.
    return description | {name: value for name, value in others.items() if value}


def _content(code: CodeType) -> str:
    """What a function does, with its inner functions, whose own repr holds an address."""
    plain = [_ordered(each) for each in code.co_consts if not isinstance(each, CodeType)]
    inner = "".join(_content(each) for each in _inner(code))
    return f"{code.co_code!r} {code.co_names} {plain}{inner}"


def _ordered(constant: Any) -> Any:
    """A set of names has another order in each process."""
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _names_in(code: CodeType, operation: str) -> set[str]:
    """The names that an operation of a function has, e.g. LOAD_GLOBAL: the globals it reads."""
    names = {step.argval for step in get_instructions(code) if step.opname == operation}
    return names.union(*(_names_in(each, operation) for each in _inner(code)))


def _plain_globals(function: FunctionType) -> dict[str, Any]:
    """The constants that a function reads from its module; not what it calls, or counts in."""
    code = function.__code__
    names = _names_in(code, "LOAD_GLOBAL") - _names_in(code, "STORE_GLOBAL")
    read = {name: function.__globals__.get(name) for name in sorted(names)}
    return {name: described(value) for name, value in read.items() if _is_constant(value)}


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(as_python(value), bool | int | float | str) or isinstance(value, Tensor)


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
