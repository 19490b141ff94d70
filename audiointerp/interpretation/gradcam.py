"""Class activation maps.

Grad-CAM and guided Grad-CAM (Selvaraju et al., ICCV 2017) and LayerCAM (Jiang et al., TIP 2021).
"""

import warnings
from typing import Any

import captum.attr
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, on_grid
from .hidden import hidden_operations
from .score import Score

LAYOUTS = ("FT", "TF")


class GradCAM(Explainer):
    """The activations of a layer, weighted by their mean gradients; signed (no ReLU).

    The map is interpolated bilinearly to the grid of the features.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        layer: a layer with activations ``(N, channels, ..., ...)``, or its name; the last
            convolution if None.
        layout: ``"FT"`` if those activations are (frequency, time), ``"TF"`` if the network swaps
            the axes; by default the network's ``activation_layout``, or ``"FT"`` if it has none.

    Raises:
        ArgumentError: there is no such layer or layout, or no convolution.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> GradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "gradcam"

    def __init__(
        self, network: nn.Module, layer: nn.Module | str | None = None, layout: str | None = None
    ) -> None:
        super().__init__(network)
        self.layer = _find_layer(network, layer)
        layout = str(layout or getattr(network, "activation_layout", "FT"))
        self.layout = choose("layout", layout, LAYOUTS)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        coarse = self._coarse_map(score, db.requires_grad_())
        if coarse.ndim != 4:
            raise ModelError(
                f"{self.name} needs a layer with activations (N, channels, F, T); "
                f"those of {self.layer} have another shape"
            )
        return on_grid(coarse, db, self.layout), {}

    def _coarse_map(self, score: Score, db: Tensor) -> Tensor:
        """Return the map on the layer's own grid, ``(N, 1, ..., ...)``."""
        method = captum.attr.LayerGradCam(score, self.layer)
        coarse: Tensor = method.attribute(db, relu_attributions=False)
        return coarse


class LayerCAM(GradCAM):
    """The activations of a layer, each weighted by its own gradient where that is positive; signed.

    It is finer than Grad-CAM, and works on early layers too. The arguments are those of
    :class:`GradCAM`.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> LayerCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "layercam"

    def _coarse_map(self, score: Score, db: Tensor) -> Tensor:
        recorded: list[Tensor] = []
        handle = self.layer.register_forward_hook(
            lambda module, inputs, activations: recorded.append(activations)
        )
        try:
            total = score(db).sum()
        finally:
            handle.remove()
        if len(recorded) != 1:
            raise ModelError(
                f"layercam needs a layer that the network uses once; "
                f"{self.layer} was used {len(recorded)} times"
            )
        (gradient,) = torch.autograd.grad(total, recorded)
        return (gradient.clamp_min(0) * recorded[0]).sum(1, keepdim=True)


class GuidedGradCAM(GradCAM):
    """Guided backpropagation times the positive part of Grad-CAM (Selvaraju et al., ICCV 2017).

    Guided backpropagation changes gradients in ReLU modules only, so a network with a functional
    ReLU is refused. Unlike captum's class, this one supports networks that swap the axes. The
    arguments are those of :class:`GradCAM`.

    >>> layers = nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    >>> network = nn.Sequential(*layers)
    >>> GuidedGradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "guided_gradcam"

    def _coarse_map(self, score: Score, db: Tensor) -> Tensor:
        return super()._coarse_map(score, db).clamp_min(0)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        hidden = hidden_operations(self.network, db[:1].detach(), {"ReLU"})
        hidden_relus = [operation for operation in hidden if operation.startswith("relu")]
        if hidden_relus:
            raise ModelError(
                f"{self.name} cannot see {'; '.join(hidden_relus)}; "
                f"make each ReLU a module nn.ReLU()"
            )
        cam, info = super()._attribute(score, db)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
            guided = captum.attr.GuidedBackprop(score).attribute(db)
        return guided * cam, info


def _find_layer(network: nn.Module, layer: nn.Module | str | None) -> nn.Module:
    if isinstance(layer, nn.Module):
        return layer
    layers: dict[str, nn.Module] = {
        name: module for name, module in network.named_modules() if name
    }
    if layer is not None:
        return layers[choose("layer", layer, layers)]
    convolutions = [module for module in layers.values() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ArgumentError(
            f"{type(network).__name__} has no Conv2d; "
            f"give GradCAM a layer with activations (N, channels, F, T)"
        )
    return convolutions[-1]
