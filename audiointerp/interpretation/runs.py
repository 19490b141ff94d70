"""Records what the modules of a network return in one run, and whether the logits depend on it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..util import run_network
from .preserve import seeded

_Ended = list[tuple[nn.Module, Tensor | None]]


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a module.

    Attributes:
        module: the module.
        shape: of what it returned; ``()`` if that is not one tensor.
        output: a number that is the same for modules that returned the same tensor.
        gradient: the summed magnitude of the gradient at each position of axis 1, ``(shape[1],)``;
            None if the logits do not depend on the output, or if that is not known.

    >>> Run(nn.Flatten(), (1, 6), 0).shape
    (1, 6)
    """

    module: nn.Module
    shape: tuple[int, ...]
    output: int
    gradient: Tensor | None = None


class _EnoughError(Exception):
    """Stops a network when its layers have been seen."""


def record_runs(
    network: nn.Module,
    db: Tensor,
    watched: Collection[nn.Module],
    most: int | None = None,
    *,
    gradients: bool = False,
) -> tuple[list[Run], Exception | None]:
    """Run the network; return the runs of the watched modules, and the error if it fails.

    Random states and the attributes of modules are restored.

    Args:
        network: in evaluation mode.
        db: features ``(1, 1, F, T)`` of one clip.
        watched: the modules.
        most: stop after so many runs.
        gradients: whether to compute the gradients of the largest logit.

    Returns:
        The runs in the order in which they end, so a module follows those inside of it.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> runs, _ = record_runs(network, torch.zeros(1, 1, 2, 3), list(network))
    >>> [run.shape for run in runs]
    [(1, 6), (1, 2)]
    """
    ended: _Ended = []
    handles = [module.register_forward_hook(_recorder(module, ended, most)) for module in watched]
    problem, logits = None, None
    try:
        with _keep_attributes(network), seeded(0), torch.set_grad_enabled(gradients):
            logits = run_network(network, db.clone().requires_grad_(gradients))
    except Exception as error:
        problem = error
    finally:
        for handle in handles:
            handle.remove()
    outputs = [output for _, output in ended]
    by_output = _gradients(logits, outputs) if gradients else {}
    runs = [
        Run(
            module,
            () if output is None else tuple(output.shape),
            id(output) if output is not None else -1 - number,
            by_output.get(id(output)),
        )
        for number, (module, output) in enumerate(ended)
    ]
    return runs, problem


def _recorder(module: nn.Module, ended: _Ended, most: int | None) -> Any:
    # DataParallel runs a copy of the module, so the module is not taken from the hook.
    def record(_: nn.Module, inputs: Any, output: Any) -> None:
        ended.append((module, output if isinstance(output, Tensor) else None))
        if len(ended) == most:
            raise _EnoughError

    return record


def _gradients(logits: Any, outputs: list[Tensor | None]) -> dict[int, Tensor]:
    """Return the gradients of the largest logit by the outputs that it depends on."""
    if not isinstance(logits, Tensor) or not logits.requires_grad or not logits.numel():
        return {}
    different = {id(output): output for output in outputs if output is not None}
    maps = [
        output for output in different.values() if output.ndim in (3, 4) and output.requires_grad
    ]
    if not maps:
        return {}
    try:
        gradients = torch.autograd.grad(logits.max(), maps, allow_unused=True)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        # What is wrong with the gradients of a network is said by the method that needs them.
        return {}
    return {
        id(output): gradient.detach().abs().movedim(1, 0).flatten(1).sum(1)
        for output, gradient in zip(maps, gradients, strict=True)
        if gradient is not None
    }


@contextmanager
def _keep_attributes(network: nn.Module) -> Iterator[None]:
    """Restore attributes of modules, e.g. what a network keeps for clips of the last length."""
    attributes = [(module, dict(vars(module))) for module in network.modules()]
    try:
        yield
    finally:
        for module, values in attributes:
            vars(module).clear()
            vars(module).update(values)
