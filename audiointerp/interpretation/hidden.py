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
    "_reshape_alias", "permute", "transpose", "t", "select", "slice", "split", "unsafe_split", "split_with_sizes",
    "unbind", "chunk", "narrow", "index", "gather", "squeeze", "unsqueeze", "expand", "repeat", "flip", "clone",
    "detach", "alias", "as_strided", "contiguous", "copy_", "_to_copy", "to", "lift_fresh", "constant_pad_nd",
    "reflection_pad1d", "reflection_pad2d", "replication_pad2d", "roll", "flatten", "unflatten", "native_dropout",
    "dropout", "cumsum", "addcmul", "lerp", "rsub", "index_select", "unfold", "im2col", "col2im", "fill", "zero",
    "masked_fill", "upsample_nearest1d", "upsample_linear1d",
))  # fmt: skip
"""Operations that are linear in the one tensor that depends on the input, by their names in ATen."""
PRODUCTS = frozenset((
    "mul", "div", "mm", "bmm", "matmul", "mv", "dot", "addmm", "linear", "convolution", "addcmul", "lerp", "index", "gather",
    "index_select", "masked_fill",
))  # fmt: skip
"""Those that are not where two tensors depend on it."""


def hidden_operations(network: nn.Module, db: Tensor, known: Collection[str]) -> list[str]:
    """What is not linear in one forward and lies outside the modules of the ``known`` type names; what is used twice.

    An operation counts if the output depends on it: a check of the input for NaN does not.

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
    with _followed(network, inside, calls), torch.no_grad(), _Watch(db, inside) as watch:
        output = network(db)
    used = {finding for tensor in _tensors(output) for finding in watch.behind(tensor)}
    bent = [(operation, module) for number, (operation, module) in enumerate(watch.found) if number in used]
    found = [
        f"{operation} in {names[module]} ({type(module).__name__})"
        for operation, module in bent
        if type(module).__name__ not in known
    ]
    twice = [
        f"{names[module]} ({type(module).__name__}) used {count} times"
        for module, count in calls.items()
        if count > 1 and type(module).__name__ in known and any(module is one for _, one in bent)
    ]
    overlapping = [
        f"overlapping or dilated windows in {names[module]} ({type(module).__name__})"
        for module in calls
        if isinstance(module, nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d) and _overlaps(module)
    ]
    return [*dict.fromkeys(found), *twice, *overlapping]


def _overlaps(module: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d) -> bool:
    sizes, steps = (
        value if isinstance(value, tuple) else (value,) * 3 for value in (module.kernel_size, module.stride)
    )
    return module.dilation not in (1, (1, 1), (1, 1, 1)) or any(
        step < size for size, step in zip(sizes, steps, strict=False)
    )


class _Watch(TorchDispatchMode):
    """Follows what depends on the input, by its storage, and the operations that are not linear in it."""

    def __init__(self, db: Tensor, inside: list[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inside = inside
        self.alive: list[Tensor] = [db]  # keeps storages from being used again
        self.dependent: dict[int, frozenset[int]] = {_storage(db): frozenset()}
        self.found: list[tuple[str, nn.Module]] = []

    def behind(self, tensor: Tensor) -> frozenset[int]:
        """The numbers of the findings that a tensor depends on."""
        return self.dependent.get(_storage(tensor), frozenset())

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler, two seconds, to keep it from what is never compiled."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        touched = [one for one in _tensors((args, kwargs)) if _storage(one) in self.dependent]
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if touched and not name.endswith("_like") and not name.startswith("new_"):
            behind = frozenset().union(*(self.behind(one) for one in touched))
            if self._bends(name, args, touched):
                behind |= {len(self.found)}
                self.found.append((name, self.inside[-1]))
            for one in _tensors(result):
                self.alive.append(one)
                self.dependent[_storage(one)] = self.behind(one) | behind
        return result

    def _bends(self, name: str, args: Any, touched: list[Tensor]) -> bool:
        """Whether an operation is not linear in the tensors that depend on the input."""
        plain = name.removesuffix("_")
        if "batch_norm" in name and any(one is True for one in args[5:6]):  # the batch's own statistics
            return True
        if name not in LINEAR and plain not in LINEAR:
            return True
        divided = plain == "div" and len(args) > 1 and any(args[1] is one for one in touched)
        return divided or (plain in PRODUCTS and len(touched) > 1)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() or id(tensor)


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
