"""What an explainer by module hooks cannot see in a network: operations outside the modules it knows, modules used twice."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

LINEAR = frozenset((
    "add", "sub", "neg", "mean", "sum", "cat", "stack", "convolution", "_convolution", "mkldnn_convolution",
    "cudnn_convolution", "addmm", "mm", "bmm", "matmul", "linear", "mv", "dot", "native_batch_norm", "cudnn_batch_norm",
    "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "batch_norm", "_batch_norm_with_update",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "mul", "div", "view", "_unsafe_view", "reshape",
    "_reshape_alias", "permute", "transpose", "t", "select", "slice", "split", "split_with_sizes", "unbind", "chunk",
    "narrow", "index", "gather", "squeeze", "unsqueeze", "expand", "repeat", "flip", "clone", "detach", "alias",
    "as_strided", "contiguous", "copy_", "_to_copy", "to", "lift_fresh", "constant_pad_nd", "reflection_pad1d",
    "reflection_pad2d", "replication_pad2d", "roll", "flatten", "unflatten", "native_dropout", "dropout", "cumsum",
    "addcmul", "lerp", "zeros_like", "ones_like", "empty_like", "new_zeros", "new_ones", "new_empty", "zeros", "ones",
    "empty", "full", "arange",
))  # fmt: skip
"""Operations that are linear in the one tensor that depends on the input, by their names in ATen."""
PRODUCTS = frozenset((
    "mul", "div", "mm", "bmm", "matmul", "mv", "dot", "addmm", "linear", "convolution", "addcmul", "lerp",
))  # fmt: skip
"""Those that are not where two tensors depend on it."""


def hidden_operations(network: nn.Module, db: Tensor, known: Collection[str]) -> list[str]:
    """What is not linear in one forward and lies outside the modules of the ``known`` type names; what is used twice.

    Args:
        network: run once, without gradients.
        db: features ``(N, 1, F, T)``.
        known: the names of the module types whose nonlinearity the explainer handles.

    Returns:
        Each finding in words, ``"relu in block1 (ConvBlock)"`` say, without repetition.

    >>> class Functional(nn.Module):
    ...     def forward(self, db):
    ...         return torch.relu(db).flatten(1)
    >>> hidden_operations(Functional(), torch.zeros(1, 1, 2, 3), {"ReLU"})
    ['relu in the network itself (Functional)']
    """
    names = {module: name or "the network itself" for name, module in network.named_modules()}
    inside: list[nn.Module] = []
    calls: Counter[nn.Module] = Counter()
    with _followed(network, inside, calls), torch.no_grad(), _Watch(db, inside, known) as watch:
        network(db)
    found = [f"{operation} in {names[module]} ({type(module).__name__})" for operation, module in watch.found]
    twice = [
        f"{names[module]} ({type(module).__name__}) used {count} times"
        for module, count in calls.items()
        if count > 1 and type(module).__name__ in known and module in watch.bent
    ]
    return list(dict.fromkeys(found)) + twice


class _Watch(TorchDispatchMode):
    """Follows what depends on the input, and notes each operation that is not linear in it."""

    def __init__(self, db: Tensor, inside: list[nn.Module], known: Collection[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inside, self.known = inside, known
        self.alive = [db]  # keeps ids from being used again
        self.dependent = {id(db)}
        self.found: list[tuple[str, nn.Module]] = []
        self.bent: set[nn.Module] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        touched = [one for one in _tensors((args, kwargs or {})) if id(one) in self.dependent]
        if touched:
            name = func.overloadpacket.__name__
            different = len({id(one) for one in touched})
            square = sum(id(one) in self.dependent for one in args if isinstance(one, Tensor)) > 1
            plain = name.removesuffix("_") in LINEAR or name in LINEAR
            divided = name.startswith("div") and len(args) > 1 and id(args[1]) in self.dependent
            if not plain or divided or (name.removesuffix("_") in PRODUCTS and (different > 1 or square)):
                self._note(name)
            for one in _tensors(result):
                self.alive.append(one)
                self.dependent.add(id(one))
        return result

    def _note(self, operation: str) -> None:
        module = self.inside[-1]
        self.bent.add(module)
        if type(module).__name__ not in self.known:
            self.found.append((operation, module))


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


@contextmanager
def _followed(network: nn.Module, inside: list[nn.Module], calls: Counter[nn.Module]) -> Iterator[None]:
    """Keep the stack of modules that are running, and count their calls."""

    def enter(module: nn.Module, inputs: Any) -> None:
        inside.append(module)
        calls[module] += 1

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        inside.pop()

    handles = []
    for module in network.modules():
        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
