"""Class activation maps.

Grad-CAM and guided Grad-CAM (Selvaraju et al., ICCV 2017) and LayerCAM (Jiang et al., TIP 2021).
"""

import warnings
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from ..util import before_folding, explained_model, network_name, owners_module
from .base import Explainer
from .grids import placed
from .hidden import hidden_operations
from .layers import MeasuredLayer, measure_layer
from .measurement import LAYOUTS
from .preserve import preserve_state
from .score import Score
from .tokens import checked_grid

ACTIVATIONS = frozenset(
    """
    relu threshold gelu silu mish leaky_relu prelu rrelu rrelu_with_noise elu celu selu hardswish
    hardtanh hardsigmoid sigmoid tanh log_sigmoid_forward softplus softshrink hardshrink clamp
    clamp_min clamp_max maximum minimum
    """.split()  # noqa: SIM905
)
"""ATen operations that are an activation function of their input."""


class GradCAM(Explainer):
    """The activations of a layer, weighted by their mean gradients; signed (no ReLU).

    The map is interpolated bilinearly to the grid of the features. Which axis of the layer is time
    is measured: the network also runs on the clip twice in a row, and that axis grows.
    ``info["layer"]`` is the layer's name, and ``info["grid"]`` its cells in frequency and in time.
    Activations over time alone, ``(N, channels, T)``, give a map that is the same at all
    frequencies, with the grid ``(1, T)``. Of the tokens of a transformer those before the patches
    (of the class, of distillation) are left out.

    If the network, or a module inside of it, has the attributes ``cell_frequencies`` (Hz of each
    row of its own front end, ``(F',)``) and ``frequencies`` (Hz of each row of the features,
    ``(F,)``), the map reaches the features by frequency, see
    :func:`~audiointerp.interpretation.on_grid`.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        layer: a layer with activations ``(N, channels, ..., ...)``, ``(N, channels, T)`` or tokens
            ``(N, tokens, dim)``, or its name. If None, the last block or layer whose activations
            have more than one cell in time and, if there is one, in frequency; the logits must
            depend on it. PANNs of this library take the last convolution among such. The patch
            embedding of a transformer is never taken by itself.
        layout: if it cannot be measured, ``"FT"`` if those activations are (frequency, time),
            ``"TF"`` if the network swaps the axes; by default the network's ``activation_layout``.
        grid: rows and columns of a transformer's tokens, in that order, if its configuration does
            not say it.

    Raises:
        ArgumentError: there is no such layer or layout, no convolution, or the grid is not two
            whole numbers of at least 1. When called: no layer qualifies, or the layout or the grid
            cannot be measured or is not the given one.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> GradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "gradcam"
    gradients_by = "layer"
    # A folded copy gives the activations before folding, see before_folding.
    uses_layers = False

    def __init__(
        self,
        network: nn.Module,
        layer: nn.Module | str | None = None,
        layout: str | None = None,
        grid: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(network)
        self.grid = None if grid is None else checked_grid(grid)
        self.layer = _find_layer(network, layer, self.grid)
        self.layout = None if layout is None else choose("layout", str(layout), LAYOUTS)
        self._measured: dict[Any, MeasuredLayer] = {}
        self._copied: nn.Module | None = None

    def bound_to(self, network: nn.Module) -> Self:
        """Return this explainer for another network; a given layer is that of the same name.

        For a folded copy, the layer is found in the network itself, since layers that are folded
        away would be missed. See :meth:`Explainer.bound_to`.
        """
        explainer = super().bound_to(network)
        if explained_model(network) is explained_model(self.network):
            return explainer
        if getattr(explained_model(network), "has_checked_gradients", False):
            explainer._copied = explained_model(self.network)
            return explainer
        if self.layer is None:
            return explainer
        names = {module: name for name, module in owners_module(self.network).named_modules()}
        modules = dict(owners_module(network).named_modules())
        name = names.get(self.layer)
        if name is not None and self.layer not in modules.values() and name in modules:
            explainer.layer = modules[name]
        return explainer

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        layer = self._measured_layer(db)
        coarse = self._coarse_map(score, db, layer)
        info: dict[str, Any] = {"layer": layer.name}
        values, grid, span = placed(self.network, coarse, db, layer.layout, self.name, layer.name)
        return values, {**info, "grid": grid, **span}

    def _measured_layer(self, db: Tensor) -> MeasuredLayer:
        settings = self.layer, self.layout, self._measured, self.grid
        if self._copied is None:
            return measure_layer(self.network, db, *settings)
        network = self._copied
        if explained_model(self.network) is not self.network:
            # A model of sounds, for which only the bound one takes levels.
            network = self.network.with_model(network)  # type: ignore[operator]
        with preserve_state(network):
            layer = measure_layer(network, db, *settings)
        names = {module: name for name, module in self._copied.named_modules()}
        if layer.module not in names:
            raise ArgumentError(f"{layer.name} is no module of {network_name(network)}")
        twin = explained_model(self.network).get_submodule(names[layer.module])
        return replace(layer, module=twin)

    def _coarse_map(self, score: Score, db: Tensor, layer: MeasuredLayer) -> Tensor:
        """Return the map on the layer's own grid, ``(N, 1, ..., ...)``."""
        activations, gradients = self._activations_and_gradients(score, db, layer)
        return (gradients.mean((2, 3), keepdim=True) * activations).sum(1, keepdim=True)

    def _activations_and_gradients(
        self, score: Score, db: Tensor, layer: MeasuredLayer
    ) -> tuple[Tensor, Tensor]:
        """Return both as ``(N, channels, ..., ...)``, of a layer that the network uses once."""
        recorded: list[Tensor] = []

        def record(module: nn.Module, inputs: Any, activations: Tensor) -> Tensor:
            # The graph starts here, so nothing is kept of what is before.
            recorded.append(activations.detach().requires_grad_())
            # The network goes on with a copy, since it may change it in place.
            return recorded[-1].clone()

        handle = layer.module.register_forward_hook(record)
        try:
            total = score(db).sum()
        finally:
            handle.remove()
        if len(recorded) != 1:
            raise ModelError(
                f"{self.name} needs a layer that the network uses once; "
                f"{layer.name} was used {len(recorded)} times"
            )
        (gradient,) = torch.autograd.grad(total, recorded)
        activations, gradient = before_folding(layer.module, recorded[0].detach(), gradient)
        return layer.as_map(activations), layer.as_map(gradient)


class LayerCAM(GradCAM):
    """The activations of a layer, each weighted by its own gradient where that is positive; signed.

    It is finer than Grad-CAM, and works on early layers too. The arguments are those of
    :class:`GradCAM`.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> LayerCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "layercam"
    uses_layers = False

    def _coarse_map(self, score: Score, db: Tensor, layer: MeasuredLayer) -> Tensor:
        activations, gradients = self._activations_and_gradients(score, db, layer)
        return (gradients.clamp_min(0) * activations).sum(1, keepdim=True)


class GuidedGradCAM(GradCAM):
    """Guided backpropagation times the positive part of Grad-CAM (Selvaraju et al., ICCV 2017).

    Guided backpropagation changes gradients in ReLU modules only, so a network with a functional
    ReLU, with another activation function or without a ReLU is refused. Unlike captum's class, this
    one supports networks that swap the axes. The arguments are those of :class:`GradCAM`.

    >>> layers = nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    >>> network = nn.Sequential(*layers)
    >>> GuidedGradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "guided_gradcam"
    gradients_by = "levels"

    def _coarse_map(self, score: Score, db: Tensor, layer: MeasuredLayer) -> Tensor:
        return super()._coarse_map(score, db, layer).clamp_min(0)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        # The import takes most of a second, so it happens only when needed.
        import captum.attr

        self._refuse_other_activations(db[:1].detach())
        cam, info = super()._attribute(score, db)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
            guided = captum.attr.GuidedBackprop(score).attribute(db.requires_grad_())
        return guided * cam, info

    def _refuse_other_activations(self, db: Tensor) -> None:
        operations = hidden_operations(self.network, db, ())
        relus = [phrase for phrase in operations if phrase.endswith("(ReLU)")]
        others = [
            phrase
            for phrase in operations
            if phrase not in relus and phrase.split()[0].rstrip("_") in ACTIVATIONS
        ]
        instead = "use gradcam, layercam or integrated_gradients, which take any activation"
        if others:
            raise ModelError(
                f"{self.name} cannot see {_first_of(others)}; make each ReLU a module nn.ReLU(); "
                f"for other activations {instead}"
            )
        if not relus:
            raise ModelError(
                f"{self.name}: {network_name(self.network)} runs no nn.ReLU, so guided "
                f"backpropagation is the plain gradient; {instead}"
            )


def _first_of(phrases: list[str]) -> str:
    """Return the first three phrases, and how many follow."""
    more = f" and {len(phrases) - 3} more" if len(phrases) > 3 else ""
    return "; ".join(phrases[:3]) + more


def _find_layer(
    network: nn.Module, layer: nn.Module | str | None, grid: tuple[int, int] | None
) -> nn.Module | None:
    """Return the given layer, or None if it is to be measured."""
    if isinstance(layer, nn.Module):
        return layer
    layers: dict[str, nn.Module] = {
        name: module for name, module in owners_module(network).named_modules() if name
    }
    if layer is not None:
        return layers[choose("layer", layer, layers)]
    convolutions = (nn.Conv1d, nn.Conv2d)
    if grid is None and not any(isinstance(module, convolutions) for module in network.modules()):
        raise ArgumentError(
            f"{network_name(network)} has no Conv2d or Conv1d; give GradCAM a layer with "
            f"activations (N, channels, F, T), or grid=(rows, columns) of a transformer's tokens"
        )
    return None
