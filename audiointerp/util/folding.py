"""A copy of a network for inference: batch normalisation folded into the layer before it."""

import copy
import itertools
import weakref
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from .batch_norm import match_gradient, right_batch_norm_gradients
from .batches import set_forward_batch
from .forward import evaluating
from .memory import return_memory
from .products import ProductConv2d, can_be_product

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
Foldable = nn.Conv1d | nn.Conv2d | nn.Linear
AGREEMENT = 1e-4
"""The largest difference of an output of the copy, as a share of the largest |output|."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Where torch keeps the hooks of a module."""
LEAST_COSINE = 0.999
"""The smallest cosine between the input gradients of the copy and of the network."""


class Affine(nn.Module):
    """Batch normalisation with fixed statistics: each channel times a scale, plus a shift.

    Unlike torch 2.11's own it has right input gradients in any memory format on the CPU.

    >>> norm = nn.BatchNorm2d(3).eval()
    >>> x = torch.rand(2, 3, 4, 5)
    >>> bool(torch.allclose(Affine(norm)(x), norm(x)))
    True
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: BatchNorm) -> None:
        super().__init__()
        self.num_features = norm.num_features
        # In double precision, since scale and shift are rounded once for all clips.
        mean, variance = _statistics(norm)
        scale = (variance.double() + norm.eps).rsqrt()
        if norm.weight is not None:
            scale = scale * norm.weight.detach().double()
        shift = -mean.double() * scale
        if norm.bias is not None:
            shift = shift + norm.bias.detach().double()
        self.register_buffer("scale", scale.to(mean.dtype))
        self.register_buffer("shift", shift.to(mean.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, C, …)`` of ``(N, C, …)``."""
        size = (-1, *[1] * (x.ndim - 2))
        return torch.addcmul(self.shift.view(size), x, self.scale.view(size))


@dataclass(frozen=True)
class _Observed:
    """What a forward pass shows: layers and the batch normalisations that follow them, ReLUs after
    those, the modules that return a layer's tensor, and the bytes of the largest output.
    """

    pairs: list[tuple[str, str]]
    rectifiers: list[str]
    same_outputs: dict[str, list[str]]
    largest: int


class _Numbers:
    """Gives each object that it sees a number of its own, without keeping it.

    Activations that were kept until the end of a forward pass would be most of its memory.
    """

    def __init__(self) -> None:
        # By id, which another object can have as soon as this one is gone.
        self._known: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._next = itertools.count()

    def of(self, thing: Any) -> int:
        """Return the number of an object; a new one each time if it takes no weak reference."""
        reference, number = self._known.get(id(thing), (None, -1))
        if reference is None or reference() is not thing:
            number = next(self._next)
            if isinstance(thing, Tensor):
                self._known[id(thing)] = weakref.ref(thing), number
        return number


def folded(network: nn.Module, example: Tensor) -> nn.Module | None:
    """Return a copy of a network for inference, with the same outputs but for rounding.

    Batch normalisation with fixed statistics is folded into the convolution or linear layer whose
    output it takes; where none precedes it, it becomes a scale and a shift. ReLUs that follow work
    in place. On the CPU the weights are in channels_last, and large convolutions on small maps are
    matrix products, see :mod:`~audiointerp.util.products`. The copy's parameters need no gradients,
    so a backward pass computes those of the input alone.

    The copy is used only if its outputs and input gradients agree with the network's on the
    example. So a layer whose output is also used elsewhere is noticed.

    Args:
        network: any module from one tensor to one tensor ``(N, C)``.
        example: an input ``(N, …)``.

    Returns:
        The copy, in evaluation mode; None if there is no batch normalisation with statistics, if a
        module has hooks, or if the copy does not agree or cannot be made.

    >>> layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
    >>> folded(nn.Sequential(*layers).eval(), torch.rand(1, 1, 8, 8))
    Sequential(
      (0): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))
      (1): Identity()
      (2): ReLU(inplace=True)
      (3): Flatten(start_dim=1, end_dim=-1)
    )
    """
    modules = list(network.modules())
    # What a hook does to a module that is folded away would be lost.
    if any(_is_hooked(module) for module in modules) or not any(
        _has_statistics(module) for module in modules
    ):
        return None
    with evaluating(network):
        # Whatever a user's network raises here, it raises again where it is run.
        try:
            # One clip shows the order of the layers.
            observed = _observe(network, example[:1])
            expected = _outputs_and_gradient(network, example)
            # The network is not run beside its copy: each takes much memory, but not both at once.
            twin = _fold(copy.deepcopy(network), observed)
            return_memory()
            return twin if _agree(expected, _outputs_and_gradient(twin, example)) else None
        except Exception:
            return None


def _is_hooked(module: nn.Module) -> bool:
    """Whether a module has hooks, other than that for right gradients, which a copy has anyway."""
    hooks = [hook for name in HOOKS for hook in getattr(module, name, {}).values()]
    return any(hook is not match_gradient for hook in hooks)


@torch.no_grad()
def _observe(network: nn.Module, example: Tensor) -> _Observed:
    """Run the network, and see which module takes what which other one has made."""
    calls: list[tuple[str, nn.Module, int, int]] = []
    numbers, sizes = _Numbers(), [1]
    named = network.named_modules()

    def note(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        taken = inputs[0] if inputs else None
        calls.append((name, module, numbers.of(taken), numbers.of(output)))
        sizes.append(output.nbytes if isinstance(output, Tensor) else 1)

    handles = [module.register_forward_hook(partial(note, name)) for name, module in named]
    try:
        network(example)
    finally:
        for handle in handles:
            handle.remove()
    uses = Counter(name for name, *_ in calls)
    # What is called twice is not one layer followed by one normalisation.
    once = [
        call
        for call in calls
        if uses[call[0]] == 1 and isinstance(call[1], Foldable | BatchNorm | nn.ReLU)
    ]
    pairs, rectifiers = [], []
    for name, module, _, output in once:
        for next_name, following, taken, _ in once:
            if taken == output and _fit(module, following):
                pairs.append((name, next_name))
            elif taken == output and isinstance(following, nn.ReLU) and _has_statistics(module):
                rectifiers.append(next_name)
    outputs = {name: output for name, _, _, output in once}
    same_outputs = {}
    for layer, _ in pairs:
        others = [name for name, _, _, output in calls if output == outputs[layer]]
        same_outputs[layer] = [name for name in others if name != layer]
    return _Observed(pairs, rectifiers, same_outputs, max(sizes))


def _fit(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether the channels that the layer makes are those that are normalised."""
    # A linear layer's features are its last axis, which BatchNorm1d takes as channels only in 2-D.
    kinds: dict[type[nn.Module], type[nn.Module]] = {
        nn.Conv1d: nn.BatchNorm1d,
        nn.Conv2d: nn.BatchNorm2d,
        nn.Linear: nn.BatchNorm1d,
    }
    return _has_statistics(norm) and type(norm) is kinds.get(type(layer))


def _has_statistics(module: nn.Module) -> bool:
    return isinstance(module, BatchNorm) and module.running_mean is not None


def _statistics(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    return mean.detach(), variance.detach()


def _fold(network: nn.Module, observed: _Observed) -> nn.Module:
    """Fold the pairs in place, and make the other batch normalisations affine."""
    modules = dict(network.named_modules())
    norms = {name: module for name, module in modules.items() if _has_statistics(module)}
    for layer, norm in observed.pairs:
        affine = Affine(norms[norm])
        _fuse(modules[layer], norms.pop(norm))
        _replace(network, norm, nn.Identity())
        for name in (layer, *observed.same_outputs[layer]):
            # See before_folding.
            network.get_submodule(name).register_buffer("folded_scale", affine.scale)
            network.get_submodule(name).register_buffer("folded_shift", affine.shift)
    for name, module in norms.items():
        _replace(network, name, Affine(module))
    for name in observed.rectifiers:
        _replace(network, name, nn.ReLU(inplace=True))
    if all(parameter.device.type == "cpu" for parameter in network.parameters()):
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, module in list(network.named_modules()):
            if isinstance(module, nn.Conv2d) and can_be_product(module):
                _replace(network, name, ProductConv2d(module))
        set_forward_batch(network, observed.largest)
    # See interpretation/base.py, which refuses other networks in channels_last.
    network.has_checked_gradients = True  # type: ignore[assignment]
    return network.requires_grad_(False)


def _fuse(layer: Any, norm: Any) -> None:
    """Fold the normalisation into the layer's weights, without a second copy of the layer."""
    fuse = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    statistics = (norm.running_mean, norm.running_var, norm.eps)
    layer.weight, layer.bias = fuse(layer.weight, layer.bias, *statistics, norm.weight, norm.bias)


def before_folding(layer: nn.Module, output: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return a layer's output, and the gradient by it, as they are without folding.

    Args:
        layer: of a copy that :func:`folded` made, or of any network.
        output: of the layer, ``(N, C, …)``.
        gradient: with respect to that output.

    >>> layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
    >>> network, x = nn.Sequential(*layers).eval(), torch.rand(1, 1, 8, 8)
    >>> _ = nn.init.normal_(network[1].bias)
    >>> twin = folded(network, x)
    >>> output, _ = before_folding(twin[0], twin[0](x), torch.ones(1, 4, 6, 6))
    >>> bool(torch.allclose(output, network[0](x), atol=1e-5))
    True
    """
    scale, shift = getattr(layer, "folded_scale", None), getattr(layer, "folded_shift", None)
    if scale is None or shift is None:
        return output, gradient
    size = (1, -1, *[1] * (output.ndim - 2))
    scale, shift = scale.view(size), shift.view(size)
    # A channel with scale 0 says nothing of what was before, and its gradient is 0.
    before = torch.where(scale == 0, 0.0, (output - shift) / scale)
    return before, gradient * scale


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, module.eval())


def _agree(of_network: tuple[Tensor, Tensor], of_twin: tuple[Tensor, Tensor]) -> bool:
    """Whether outputs and input gradients are equal but for rounding."""
    (expected, expected_gradient), (outputs, gradient) = of_network, of_twin
    difference = (outputs - expected).abs().max()
    if not difference <= AGREEMENT * expected.abs().max():
        return False
    # Rounding moves some ReLU across 0, so single values differ.
    cosine = functional.cosine_similarity(gradient.flatten(), expected_gradient.flatten(), dim=0)
    return bool(cosine >= LEAST_COSINE) or not bool(expected_gradient.any())


def _outputs_and_gradient(network: nn.Module, example: Tensor) -> tuple[Tensor, Tensor]:
    inputs = example.detach().clone().requires_grad_()
    with torch.enable_grad(), right_batch_norm_gradients(network):
        outputs: Tensor = network(inputs)
        (gradient,) = torch.autograd.grad(outputs.amax(1).sum(), inputs)
    results = outputs.detach(), gradient
    del outputs
    return_memory()
    return results
