"""Runs a network on features: in its number type, and with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AudioInterpError, ModelError
from .devices import is_out_of_memory
from .probability import to_logits
from .text import one_line

LONGEST_REASON = 200
GRADIENT_SIGNS = ("grad", "derivative", "backward", "differentiated")
"""Parts of the messages of torch where a gradient cannot be computed."""
FIRST_LAYERS = (nn.Conv1d, nn.Conv2d, nn.RNNBase, nn.TransformerEncoderLayer, nn.Linear)
"""Layers whose type and size say what a network takes."""
WRAP = "wrap it in a module that does so"
BLACK_BOX_METHODS = "rise, rise_logit, occlusion, lime or kernel_shap"
"""Methods that need only the network's outputs."""


def network_logits(network: nn.Module, db: Tensor, output: str = "softmax") -> Tensor:
    """Return the logits ``(N, C)`` of features ``(N, 1, F, T)``, differentiable by the features.

    Args:
        network: any module from features to one tensor of outputs.
        db: the features; they are converted to the type of the network's weights.
        output: what the outputs are, see :data:`~audiointerp.util.OUTPUTS`.

    Returns:
        The logits; float16 and bfloat16 become float32.

    Raises:
        ModelError: the network cannot take the features, does not return one tensor, or its outputs
            are not probabilities although ``output`` says so.

    >>> halves = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).half()
    >>> network_logits(halves, torch.zeros(1, 1, 2, 3)).dtype
    torch.float32
    """
    outputs = run_network(network, db)
    if not isinstance(outputs, Tensor):
        raise ModelError(
            f"the network must return logits ({len(db)}, C) as one tensor, not a "
            f"{type(outputs).__name__}; wrap it in a module that returns that tensor"
        )
    return to_logits(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), output)


def run_network(network: nn.Module, db: Tensor) -> Any:
    """Return what a network returns for features ``(N, 1, F, T)``, in the type of its weights.

    Raises:
        ModelError: the network cannot take the features; the message says what it said, and how to
            wrap it if its first layer shows that.

    >>> run_network(nn.Flatten(), torch.zeros(1, 1, 2, 3)).shape
    torch.Size([1, 6])
    """
    # A copy, since a network may change its input in place.
    features = db.to(_input_type(network, db.dtype), copy=True)
    try:
        return network(features)
    # A network of the user can raise any error.
    except Exception as error:
        if isinstance(error, AudioInterpError) or is_out_of_memory(error):
            raise
        dtype = str(db.dtype).removeprefix("torch.")
        raise ModelError(
            f"the network cannot take features {tuple(db.shape)} {dtype}: {_reason(error)}; it "
            f"must map (N, 1, F, T) in dB to logits (N, C): {_advice(network, db, str(error))}"
        ) from error


def set_evaluation(network: nn.Module) -> nn.Module:
    """Switch a network to evaluation mode; an exported graph keeps the mode of its export.

    Raises:
        ModelError: an exported graph has dropout or batch normalisation in training mode.

    >>> set_evaluation(nn.Linear(2, 2)).training
    False
    """
    try:
        return network.eval()
    except NotImplementedError:
        # torch.export replaces eval; a container of such a graph stops at it.
        network.training = False
    graph = getattr(network, "graph", None)
    if any(_is_training_node(node) for node in getattr(graph, "nodes", ())):
        raise ModelError(
            "the network was exported in training mode, so its answers are random or depend on "
            "the other clips of a batch; call network.eval() before torch.export.export"
        )
    for child in network.children():
        set_evaluation(child)
    return network


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Switch a network to evaluation mode, and restore the modes of its modules afterwards.

    >>> network = nn.Dropout().train()
    >>> with evaluating(network):
    ...     print(network.training)
    False
    >>> network.training
    True
    """
    in_training = [module for module in network.modules() if module.training]
    if in_training:
        set_evaluation(network)
    try:
        yield
    finally:
        for module in in_training:
            module.training = True


@contextmanager
def explain_gradient_errors(method: str) -> Iterator[None]:
    """Turn torch's errors about missing gradients into a :class:`ModelError` with advice.

    Args:
        method: the name of the method that needs the gradients.

    Raises:
        ModelError: torch could not compute a gradient inside of the ``with`` block.

    >>> try:
    ...     with explain_gradient_errors("saliency"):
    ...         torch.zeros(1).backward()
    ... except ModelError as error:
    ...     print(str(error).split(":")[0])
    saliency needs gradients, which this network does not give
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if is_out_of_memory(error) or not any(sign in text for sign in GRADIENT_SIGNS):
            raise
        raise ModelError(
            f"{method} needs gradients, which this network does not give: {_reason(error)}; "
            f"remove torch.no_grad, detach and in-place operations from its forward, or use a "
            f"method without gradients: {BLACK_BOX_METHODS}"
        ) from error


def explained_model(network: nn.Module) -> nn.Module:
    """Return the network; of a model of sounds that is bound to a clip, the model.

    It is the same for every clip, so what was measured of it is kept by it.

    >>> network = nn.Identity()
    >>> explained_model(network) is network
    True
    """
    model: nn.Module = getattr(network, "explained_model", network)
    return model


def owners_module(network: nn.Module) -> nn.Module:
    """Return the module that its owner gave: of a model of sounds, what it contains.

    >>> network = nn.Identity()
    >>> owners_module(network) is network
    True
    """
    model = explained_model(network)
    # Only models of sounds say whether they have gradients.
    module: nn.Module = (
        getattr(model, "module", model) if hasattr(model, "has_gradients") else model
    )
    return module


def network_name(network: nn.Module) -> str:
    """Return what its owner calls a network, for messages.

    >>> network_name(nn.Identity())
    'Identity'
    """
    model = explained_model(network)
    return str(getattr(model, "model_name", type(model).__name__))


def reason_of_nan(network: nn.Module, inputs: Tensor, outputs: Tensor) -> str:
    """Return why the outputs of a network are not finite, as far as its weights and inputs show.

    Args:
        network: takes the inputs.
        inputs: ``(N, …)``, features or sounds.
        outputs: ``(N, C)``, what it returned for them.

    Returns:
        What to put behind "NaN or infinite values"; nothing if neither shows a reason.

    >>> reason_of_nan(nn.Linear(2, 2), torch.zeros(1, 1, 8), torch.tensor([[torch.nan]]))[:24]
    ' for a window of silence'
    """
    module = owners_module(network)
    for name, parameter in module.named_parameters():
        if parameter.is_floating_point() and not parameter.float().isfinite().all():
            return f"; its weights {name} have such values, too"
    for name, buffer in module.named_buffers():
        # Attention masks are buffers with values of -inf.
        if buffer.is_floating_point() and not (buffer.float() < torch.inf).all():
            return f"; its buffer {name} has such values, too"
    if len(outputs) != len(inputs):
        return ""
    is_wrong = ~outputs.isfinite().flatten(1).all(1).to(inputs.device)
    windows = inputs[is_wrong].flatten(1)
    if len(windows) and bool((windows == windows[:, :1]).all()):
        return (
            " for a window of silence: does it divide by a level or a standard deviation? Add a "
            "small number there, e.g. x / (x.std() + 1e-6)"
        )
    return ""


def weight_type(network: nn.Module, default: torch.dtype) -> torch.dtype:
    """Return the type of the network's first weights with fractions, or ``default``.

    >>> weight_type(nn.Linear(2, 2).half(), torch.float32)
    torch.float16
    """
    types = (parameter.dtype for parameter in network.parameters())
    return next((dtype for dtype in types if dtype.is_floating_point), default)


def _input_type(network: nn.Module, default: torch.dtype) -> torch.dtype:
    """Return the type of the features; what has a front end before its weights declares it."""
    declared = getattr(network, "input_type", None)
    return declared if isinstance(declared, torch.dtype) else weight_type(network, default)


def _is_training_node(node: Any) -> bool:
    """Return whether a node of an exported graph is dropout or batch normalisation in training."""
    name = str(node.target)
    # aten.dropout(input, p, train); aten.batch_norm(input, weight, bias, mean, var, training, …)
    place = 2 if "dropout" in name else 5 if "batch_norm" in name else None
    return place is not None and any(argument is True for argument in node.args[place : place + 1])


def _reason(error: Exception) -> str:
    """Return the line of an error's message that says what is wrong."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    # TorchScript puts its own traceback before the message.
    is_script = bool(lines) and "TorchScript interpreter" in lines[0]
    line = lines[-1 if is_script else 0] if lines else type(error).__name__
    return one_line(line, LONGEST_REASON).rstrip(".")


def _advice(network: nn.Module, db: Tensor, message: str) -> str:
    """Return how to wrap a network, as its message and its first layer show."""
    # The second is what torch 2.6 says.
    if "Guard failed" in message or "Expected input at" in message:
        return "export it with dynamic_shapes for the number of clips and of frames"
    if "same device" in message:
        return "put the features on the network's device, e.g. db.to(classifier.device)"
    layers = (module for module in network.modules() if isinstance(module, FIRST_LAYERS))
    first = next(layers, None)
    return _advice_of_layer(first, db) if first is not None else WRAP


def _advice_of_layer(layer: nn.Module, db: Tensor) -> str:
    """Return how to wrap a network that has this first layer."""
    bins = db.shape[2] if db.ndim == 4 else 0
    if isinstance(layer, nn.Conv2d) and layer.in_channels != 1:
        count = layer.in_channels
        return (
            f"its first layer takes {count} channels, so wrap it in a module that calls "
            f"network(db.expand(-1, {count}, -1, -1))"
        )
    if isinstance(layer, nn.Conv1d) and layer.in_channels == 1:
        return (
            "its first layer takes a waveform, so give only the part behind its spectrogram, and "
            "a transform that computes the same spectrogram"
        )
    if isinstance(layer, nn.Conv1d):
        return "it takes (N, F, T), so wrap it in a module that calls network(db[:, 0])"
    if isinstance(layer, nn.RNNBase | nn.TransformerEncoderLayer) or (
        isinstance(layer, nn.Linear) and layer.in_features == bins
    ):
        call = "network(db[:, 0].transpose(1, 2))"
        return f"it takes (N, T, F), so wrap it in a module that calls {call}"
    return WRAP
