"""Rewrites a network so that shap sees all of it, with equal logits."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from ..util import network_logits, one_line, run_network
from .hidden import hidden_operations
from .shap_modules import Clamp, Log
from .tracing import traced

LARGEST_CHANGE = 1e-5
"""Relative to the largest logit; the most by which a rewritten network's logits may differ."""
BATCH = 10
"""Clips per forward pass of the comparison."""
LONGEST_REASON = 120
"""Characters of another library's message."""
FIRST_NAMED = 3
"""How many of the operations that shap cannot see a message names."""


def visible_network(network: nn.Module, background: Tensor, known: Collection[str]) -> nn.Module:
    """Return a network that shap sees all of: the given one, or one rewritten with equal logits.

    Where a network as written hides nothing, it is returned itself. Otherwise each nonlinear
    function becomes a module that is used once, and overlapping max pooling windows are laid side
    by side first. The weights are shared, and the network is not changed.

    Args:
        network: in evaluation mode, without parameter gradients.
        background: features ``(B, 1, F, T)``, on which the logits are compared.
        known: the names of the module types that shap knows.

    Raises:
        ArgumentError: the network cannot take the background.
        ModelError: it cannot be rewritten; the message names the first operations.

    >>> network = nn.Sequential(nn.MaxPool2d(3, 2), nn.Flatten())
    >>> visible_network(network, torch.zeros(2, 1, 3, 3), {"MaxPool2d"}) is network
    False
    """
    clip = background[:1]
    try:
        hidden = hidden_operations(network, clip, known)
    except (ArgumentError, ModelError) as error:
        raise ArgumentError(
            f"the network cannot take the background {tuple(background.shape)}: {error}"
        ) from error
    if not hidden and _takes_hooks(network, clip):
        return network
    # shap applies its rule for functions of one number to softmax, which is none.
    seen = {*known, Clamp.__name__, Log.__name__} - {"Softmax"}
    try:
        # What torch.compile returns cannot be traced, but the module that it compiles can.
        rewritten = traced(getattr(network, "_orig_mod", network), clip)
        left = hidden_operations(rewritten, clip, seen)
    # The forward of a user's network can raise any error.
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        reason = one_line(f"{type(error).__name__}: {error}", LONGEST_REASON)
        raise _refusal(hidden, f"torch.fx cannot follow its forward ({reason})") from error
    if left:
        raise _refusal(_still_hidden(hidden, left), "no module that shap knows replaces it")
    check_equal(network, rewritten, background)
    _refuse_mixed_clips(rewritten, clip)
    return rewritten


def check_equal(network: nn.Module, rewritten: nn.Module, clips: Tensor) -> None:
    """Check that a rewritten network gives the same logits of features ``(N, 1, F, T)``.

    Raises:
        ModelError: they differ by more than 1e-5 of the largest (8 epsilons in half precision).

    >>> check_equal(nn.Flatten(), nn.Flatten(), torch.ones(2, 1, 2, 3))
    """
    # At least two clips, since the network was traced with one.
    clips = clips if len(clips) > 1 else clips.expand(2, -1, -1, -1)
    for batch in clips.split(BATCH):
        # As when shap runs it: some networks, as ours, choose another memory format without.
        with torch.enable_grad():
            logits = network_logits(network, batch).detach()
            try:
                change = (network_logits(rewritten, batch) - logits).abs().max()
            except (ModelError, RuntimeError) as error:
                reason = one_line(str(error), LONGEST_REASON)
                raise _refusal([], f"rewritten, it fails ({reason})") from error
        if not change <= _rounding(network, LARGEST_CHANGE) * logits.abs().max():
            raise _refusal(
                [],
                f"rewritten with torch.fx, its logits change by {float(change):.2g}, as if its "
                f"forward chose by the clips",
            )


def _refuse_mixed_clips(rewritten: nn.Module, clip: Tensor) -> None:
    """Refuse a network whose nonlinear modules do not take clips along their first axis.

    shap compares the first half of each such input with the second half.
    """
    inputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs[module] = arguments[0]

    # Below "network" are the modules of the given network, which are linear.
    modules = {
        module: name
        for name, module in rewritten.named_modules()
        if not module._modules and not name.startswith("network")
    }
    handles = [module.register_forward_pre_hook(keep) for module in modules]
    try:
        with torch.no_grad():
            run_network(rewritten, clip)
            of_clip = dict(inputs)
            run_network(rewritten, torch.cat([clip, clip.flip(3)]))
    finally:
        for handle in handles:
            handle.remove()
    for module, alone in of_clip.items():
        first, second = inputs[module].tensor_split([len(alone)])
        change = (first - alone).abs().max()
        if len(first) != len(second) or change > _rounding(rewritten, 1e-3) * alone.abs().max():
            operation = modules[module].rsplit("_", 1)[0]
            raise _refusal([operation], "its input does not have the clips along its first axis")


def _rounding(network: nn.Module, least: float) -> float:
    """Return the relative change that rounding can make: ``least``, or more in half precision."""
    precision = next((tensor.dtype for tensor in network.parameters()), torch.float32)
    return max(least, 8 * torch.finfo(precision).eps) if precision.is_floating_point else least


def _takes_hooks(network: nn.Module, clip: Tensor) -> bool:
    """Return whether backward hooks work; they do not if a module's result is changed in place."""
    leaves = [module for module in network.modules() if not module._modules]
    handles = [module.register_full_backward_hook(lambda *_: None) for module in leaves]
    try:
        with torch.enable_grad():
            run_network(network, clip.detach().clone().requires_grad_())
    except ModelError as error:
        return "modified inplace" not in str(error)
    finally:
        for handle in handles:
            handle.remove()
    return True


def _still_hidden(hidden: list[str], left: list[str]) -> list[str]:
    """Return the findings in the network that remain in the rewritten one, with their places."""
    names = {_operation(finding) for finding in left}
    return [finding for finding in hidden if _operation(finding) in names] or left


def _operation(finding: str) -> str:
    return finding.split()[0].rstrip("_")


def _refusal(operations: list[str], reason: str) -> ModelError:
    # One place for each operation says more than many places of the first operation.
    first_places = {_operation(finding): finding for finding in reversed(operations)}
    shown = [finding for finding in operations if finding in first_places.values()][:FIRST_NAMED]
    others = len(operations) - len(shown)
    named = "; ".join(shown) + f" and {others} more" * (others > 0)
    return ModelError(
        f"SHAP cannot see through {named or 'this network'}: {reason}; use gradient_shap, "
        f"which needs only gradients"
    )
