"""Finds what module hooks cannot see in a network.

These are nonlinear operations outside the modules that an explainer knows, and modules that are
used more than once.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..util import run_network

LINEAR = frozenset(
    """
    add sub neg mean sum cat stack convolution _convolution mkldnn_convolution cudnn_convolution
    addmm mm bmm matmul linear mv dot native_batch_norm cudnn_batch_norm _native_batch_norm_legit
    _native_batch_norm_legit_no_training batch_norm _batch_norm_with_update avg_pool1d avg_pool2d
    avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    upsample_nearest2d upsample_bilinear2d mul div view _unsafe_view reshape _reshape_alias permute
    transpose t select slice split unsafe_split split_with_sizes unbind chunk narrow index gather
    squeeze unsqueeze expand repeat flip clone detach alias as_strided contiguous copy_ _to_copy to
    lift_fresh constant_pad_nd reflection_pad1d reflection_pad2d replication_pad2d roll flatten
    unflatten native_dropout dropout cumsum addcmul lerp rsub index_select unfold im2col col2im fill
    zero masked_fill upsample_nearest1d upsample_linear1d
    """.split()  # noqa: SIM905
)
"""ATen operations that are linear in one tensor that depends on the input."""
PRODUCTS = frozenset(
    """
    mul div mm bmm matmul mv dot addmm linear convolution addcmul lerp index gather index_select
    masked_fill
    """.split()  # noqa: SIM905
)
"""Operations of ``LINEAR`` that are linear only if one operand depends on the input."""
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)


def hidden_operations(network: nn.Module, db: Tensor, known: Collection[str]) -> list[str]:
    """List what hooks on the modules of the ``known`` types do not see in one forward pass.

    An operation counts only if the output depends on it; a check of the input for NaN does not.

    Args:
        network: it is run once, without gradients.
        db: features ``(N, 1, F, T)``.
        known: the names of the module types whose nonlinearity the explainer handles.

    Returns:
        The findings as phrases, without repetition: nonlinear operations outside known modules,
        known modules used more than once, and max poolings with overlapping windows.

    >>> class Functional(nn.Module):
    ...     def forward(self, db):
    ...         return torch.relu(db).flatten(1)
    >>> hidden_operations(Functional(), torch.zeros(1, 1, 2, 3), {"ReLU"})
    ['relu in the network itself (Functional)']
    """
    names = {module: name or "the network itself" for name, module in network.named_modules()}
    running: list[nn.Module] = []
    calls: Counter[nn.Module] = Counter()
    with _track_modules(network, running, calls), torch.no_grad(), _Tracer(db, running) as tracer:
        output = run_network(network, db)
    relevant: set[int] = set()
    for tensor in _tensors_in(output):
        relevant |= tracer.operations_behind(tensor)
    nonlinear = [tracer.nonlinear[number] for number in sorted(relevant)]

    def is_known(module: nn.Module) -> bool:
        return type(module).__name__ in known

    def place(module: nn.Module) -> str:
        return f"{names[module]} ({type(module).__name__})"

    nonlinear_modules = {module for _, module in nonlinear}
    outside = [f"{name} in {place(module)}" for name, module in nonlinear if not is_known(module)]
    repeated = [
        f"{place(module)} used {count} times"
        for module, count in calls.items()
        if count > 1 and is_known(module) and module in nonlinear_modules
    ]
    overlapping = [
        f"overlapping or dilated windows in {place(module)}"
        for module in calls
        if isinstance(module, MAX_POOLS) and _windows_overlap(module)
    ]
    return [*dict.fromkeys(outside), *repeated, *overlapping]


def _windows_overlap(module: nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d) -> bool:
    sizes, strides = (
        value if isinstance(value, tuple) else (value,) * 3
        for value in (module.kernel_size, module.stride)
    )
    if module.dilation not in (1, (1, 1), (1, 1, 1)):
        return True
    return any(stride < size for size, stride in zip(sizes, strides, strict=False))


class _Tracer(TorchDispatchMode):
    """Follows which tensors depend on the input, and through which nonlinear operations.

    Tensors are identified by their storage, so that views and in-place operations are followed.
    """

    def __init__(self, db: Tensor, running: list[nn.Module]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.running = running
        # Tensors are kept alive, since a freed storage's address would be used again.
        self.alive: list[Tensor] = [db]
        self.dependent: dict[int, frozenset[int]] = {_storage(db): frozenset()}
        self.nonlinear: list[tuple[str, nn.Module]] = []

    def operations_behind(self, tensor: Tensor) -> frozenset[int]:
        """Return the indices into ``nonlinear`` of the operations that a tensor depends on."""
        return self.dependent.get(_storage(tensor), frozenset())

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep torch from importing its compiler, which takes two seconds and is not needed."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = [
            tensor for tensor in _tensors_in((args, kwargs)) if _storage(tensor) in self.dependent
        ]
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if operands and not name.endswith("_like") and not name.startswith("new_"):
            behind = frozenset().union(*(self.operations_behind(tensor) for tensor in operands))
            if _is_nonlinear(name, args, operands):
                behind |= {len(self.nonlinear)}
                self.nonlinear.append((name, self.running[-1]))
            for tensor in _tensors_in(result):
                self.alive.append(tensor)
                self.dependent[_storage(tensor)] = self.operations_behind(tensor) | behind
        return result


def _is_nonlinear(name: str, args: Any, operands: list[Tensor]) -> bool:
    """Return whether an operation is nonlinear in its operands that depend on the input."""
    # The sixth argument of batch normalisation says whether the batch's own statistics are used.
    if "batch_norm" in name and any(argument is True for argument in args[5:6]):
        return True
    plain_name = name.removesuffix("_")
    if name not in LINEAR and plain_name not in LINEAR:
        return True
    if plain_name == "div" and len(args) > 1 and any(args[1] is tensor for tensor in operands):
        return True
    return plain_name in PRODUCTS and len(operands) > 1


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() or id(tensor)


def _tensors_in(tree: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if isinstance(leaf, Tensor)]


@contextmanager
def _track_modules(
    network: nn.Module, running: list[nn.Module], calls: Counter[nn.Module]
) -> Iterator[None]:
    """Keep the stack of the modules that are running, and count their calls."""

    def enter(module: nn.Module, inputs: Any) -> None:
        running.append(module)
        calls[module] += 1

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    handles = []
    for module in network.modules():
        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
