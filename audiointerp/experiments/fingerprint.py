"""The fingerprint of a run: everything its results depend on, as plain values to compare."""

import hashlib
import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..interpretation import Explainer

LONGEST_VALUE = 40
"""Characters of a value that a difference shows."""


def sha256_of_state(module: nn.Module) -> str:
    """SHA-256 of a module's class name and of its parameters and buffers: names, shapes, values.

    >>> from torch import nn
    >>> weights = nn.Linear(2, 1)
    >>> sha256_of_state(weights) == sha256_of_state(weights), len(sha256_of_state(weights))
    (True, 64)
    """
    digest = hashlib.sha256(type(module).__name__.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def settings_of(explainer: Explainer) -> dict[str, Any]:
    """The class of an explainer and its constructor's arguments, without the network.

    Raises:
        ArgumentError: an argument cannot be described by plain values.

    >>> from audiointerp.interpretation import Random
    >>> settings_of(Random(nn.Linear(1, 1), seed=7))
    {'class': 'Random', 'seed': 7}
    """
    arguments, keywords = explainer.made_with
    bound = inspect.signature(type(explainer).__init__).bind(explainer, *arguments, **keywords)
    bound.apply_defaults()
    # The first two arguments are the explainer itself and its network.
    settings = dict(list(bound.arguments.items())[2:])
    try:
        described_settings = {name: described(value) for name, value in settings.items()}
    except ArgumentError as error:
        raise ArgumentError(f"{explainer.name}: {error}") from None
    return {"class": type(explainer).__name__, **described_settings}


def described(value: Any) -> Any:
    """Plain values (numbers, text, lists, dicts) that differ wherever two values differ.

    Tensors, modules and functions are described by a SHA-256 of their content.

    Raises:
        ArgumentError: the value is of another type, so its content is unknown.

    >>> described({"steps": 3, "baseline": torch.zeros(2)})["baseline"]["shape"]
    [2]
    """
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
        f"{value!r:.80} cannot be told from others of its kind in results; "
        f"give plain values or a function"
    )


def _described_function(function: FunctionType) -> dict[str, Any]:
    code = function.__code__
    # The code of inner functions is left out: its repr holds an address.
    constants = [constant for constant in code.co_consts if not hasattr(constant, "co_code")]
    content = f"{code.co_code!r} {code.co_names} {constants}"
    return {
        "function": f"{function.__module__}.{function.__qualname__}",
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "closed": [described(cell.cell_contents) for cell in function.__closure__ or ()],
    }


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def upgraded(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record (``run.json``) with today's keys, whichever version wrote it.

    Version 0.1 wrote ``features`` for the transform, called the corrected protocol ``sound``, and
    kept Python's version among those of the packages.

    >>> upgraded({"features": {"name": "LogMel"}, "plan": {"protocol": "sound"}})
    {'transform': {'name': 'LogMel'}, 'plan': {'protocol': 'corrected'}}
    >>> upgraded({"versions": {"python": "3.11.7", "torch": "2.11.0"}})
    {'versions': {'torch': '2.11.0'}, 'environment': {'python': '3.11.7'}}
    """
    record = _transform_renamed(record)
    experiment, plan, versions = (record.get(key) for key in ("experiment", "plan", "versions"))
    if isinstance(experiment, dict):
        record["experiment"] = _transform_renamed(experiment)
    if isinstance(plan, dict) and plan.get("protocol") == "sound":
        record["plan"] = plan | {"protocol": "corrected"}
    if isinstance(versions, dict) and "python" in versions:
        packages = {name: number for name, number in versions.items() if name != "python"}
        record |= {"versions": packages, "environment": {"python": versions["python"]}}
    return record


def _transform_renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"transform" if key == "features" else key: value for key, value in record.items()}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two records, one phrase per value; only the keys of ``now`` count.

    >>> differences({"plan": {"masks": ["bin"]}}, {"plan": {"masks": ["minmax"]}})
    ["plan.masks: ['bin'] there, ['minmax'] now"]
    """
    phrases = []
    for key, value in now.items():
        phrases += _differences(key, before.get(key), value)
    return phrases


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        phrases = []
        for key in {**before, **now}:
            phrases += _differences(f"{name}.{key}", before.get(key), now.get(key))
        return phrases
    return [] if before == now else [f"{name}: {_shortened(before)} there, {_shortened(now)} now"]


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
