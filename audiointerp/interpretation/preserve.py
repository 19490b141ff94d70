"""Context managers that restore networks and random states."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from ..util import explained_model, is_owned, set_evaluation

_locks: WeakKeyDictionary[nn.Module, Any] = WeakKeyDictionary()
_locks_change = Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random states of torch, numpy and Python, and restore them afterwards.

    >>> with seeded(7):
    ...     first = torch.rand(1)
    >>> with seeded(7):
    ...     print(torch.rand(1).equal(first))
    True
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


@contextmanager
def preserve_state(network: nn.Module) -> Iterator[None]:
    """Switch to evaluation mode without parameter gradients, and restore the network afterwards.

    Modes, gradients, hooks, parameters, buffers and attributes are as before, whatever happens.
    Another thread that wants the same network waits; one that only runs it does not.

    >>> network = nn.Linear(2, 2)
    >>> with preserve_state(network):
    ...     print(network.training, network.weight.requires_grad)
    False False
    >>> network.training, network.weight.requires_grad
    (True, True)
    """
    # Else a thread would take for the network's own state what another one has set.
    with _lock_of(explained_model(network)), _restored(network):
        yield


def _lock_of(network: nn.Module) -> Any:
    with _locks_change:
        return _locks.setdefault(network, RLock())


@contextmanager
def _restored(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    # TorchScript modules have no hooks, and their parameters cannot be replaced.
    modules = [module for module, _ in modes if not isinstance(module, torch.jit.ScriptModule)]
    hooks = [_hook_keys(module) for module in modules]
    kinds = [module._is_full_backward_hook for module in modules]
    inplace = [module for module in modules if getattr(module, "inplace", False) is True]
    tensors = [(dict(module._parameters), dict(module._buffers)) for module in modules]
    attributes = [set(vars(module)) for module in modules]
    parameters = [
        (parameter, parameter.requires_grad, parameter.grad) for parameter in network.parameters()
    ]
    try:
        set_evaluation(network)
        # Backward hooks do not work on in-place modules.
        for module in inplace:
            module.inplace = False  # type: ignore[assignment]
        for parameter, _, _ in parameters:
            parameter.grad = None
            parameter.requires_grad_(False)
        yield
    finally:
        for module in inplace:
            module.inplace = True  # type: ignore[assignment]
        for module, mode in modes:
            module.training = mode
        for module, kind in zip(modules, kinds, strict=True):
            module._is_full_backward_hook = kind
        for module, keys, (params, buffers) in zip(modules, hooks, tensors, strict=True):
            _remove_new_hooks(module, keys)
            _restore(module._parameters, params)
            _restore(module._buffers, buffers)
        # shap leaves activations in attributes when it is interrupted.
        for module, names in zip(modules, attributes, strict=True):
            for name in vars(module).keys() - names:
                del vars(module)[name]
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient


def _hook_keys(module: nn.Module) -> dict[str, set[int]]:
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {name: set(getattr(module, name)) for name in names}


def _remove_new_hooks(module: nn.Module, keys_before: dict[str, set[int]]) -> None:
    for name, keys in keys_before.items():
        hooks = getattr(module, name)
        for key in hooks.keys() - keys:
            if not is_owned(hooks.get(key)):
                hooks.pop(key, None)


def _restore(current: dict[str, Any], before: dict[str, Any]) -> None:
    # Another thread may be running the network, and an emptied module has no weights.
    if current.keys() == before.keys() and all(current[name] is before[name] for name in before):
        return
    current.clear()
    current.update(before)
