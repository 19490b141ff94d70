"""Networks and random states, left as they were found."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's and numpy's global draws from ``seed``; afterwards their states are as before."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without parameter gradients; afterwards modes, gradients, hooks and tensors are as before."""
    modules = list(network.modules())
    modes = [module.training for module in modules]
    hooks = [_hook_tables(module) for module in modules]
    inplace = [module for module in modules if getattr(module, "inplace", False) is True]
    own = [(dict(module._parameters), dict(module._buffers)) for module in modules]
    attributes = [set(vars(module)) for module in modules]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in network.parameters()]
    try:
        network.eval()
        for module in inplace:  # hooks on gradients do not bear it
            module.inplace = False  # type: ignore[assignment]
        for parameter, _, _ in parameters:
            parameter.grad = None
            parameter.requires_grad_(False)
        yield
    finally:
        for module in inplace:
            module.inplace = True  # type: ignore[assignment]
        for module, mode, tables, (params, buffers) in zip(modules, modes, hooks, own, strict=True):
            module.training = mode
            for name, table in tables.items():
                current = getattr(module, name)
                for key in current.keys() - table:
                    del current[key]
            _restore(module._parameters, params)
            _restore(module._buffers, buffers)
        for module, names in zip(modules, attributes, strict=True):
            for name in vars(module).keys() - names:  # shap leaves activations there when it is interrupted
                del vars(module)[name]
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient


def _hook_tables(module: nn.Module) -> dict[str, set[int]]:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {name: set(getattr(module, name)) for name in names}


def _restore(current: dict[str, Any], before: dict[str, Any]) -> None:
    current.clear()
    current.update(before)
