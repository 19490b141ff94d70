"""Class activation maps: Grad-CAM (Selvaraju et al., ICCV 2017), LayerCAM (Jiang et al., TIP 2021), guided Grad-CAM."""

import warnings
from typing import Any

import captum.attr
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, Score, on_grid
from .hidden import hidden_operations

LAYOUTS = ("FT", "TF")


class GradCAM(Explainer):
    """A layer's activations, weighted by their mean gradients: signed (no ReLU), bilinear to the input's grid.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`.
        layer: the layer whose activations ``(N, channels, …, …)`` are weighted, or its name; the last convolution if None.
        layout: ``"FT"`` if those activations are (frequency, time), ``"TF"`` if the network swapped the axes. By default
            the network's own ``activation_layout``, and ``"FT"`` if it has none.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> GradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "gradcam"

    def __init__(self, network: nn.Module, layer: nn.Module | str | None = None, layout: str | None = None) -> None:
        super().__init__(network)
        self.layer = _find_layer(network, layer)
        self.layout = choose("layout", str(layout or getattr(network, "activation_layout", "FT")), LAYOUTS)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        coarse = self._weighted(score, db.requires_grad_())
        if coarse.ndim != 4:
            raise ModelError(f"{self.name} needs a layer with activations (N, channels, F, T); {self.layer} has others")
        return on_grid(coarse, db, self.layout), {}

    def _weighted(self, score: Score, db: Tensor) -> Tensor:
        """The map on the layer's own grid, ``(N, 1, …, …)``."""
        coarse: Tensor = captum.attr.LayerGradCam(score, self.layer).attribute(db, relu_attributions=False)
        return coarse


class LayerCAM(GradCAM):
    """A layer's activations, each weighted by its own gradient where that is positive; signed, bilinear to the input's grid.

    It is finer than Grad-CAM, and works on early layers too. The arguments are Grad-CAM's.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> LayerCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "layercam"

    def _weighted(self, score: Score, db: Tensor) -> Tensor:
        seen: list[Tensor] = []
        handle = self.layer.register_forward_hook(lambda module, inputs, activations: seen.append(activations))
        try:
            total = score(db).sum()
        finally:
            handle.remove()
        if len(seen) != 1:
            raise ModelError(
                f"layercam needs a layer that the network uses once; {self.layer} was used {len(seen)} times"
            )
        (gradient,) = torch.autograd.grad(total, seen)
        return (gradient.clamp_min(0) * seen[0]).sum(1, keepdim=True)


class GuidedGradCAM(GradCAM):
    """Guided backpropagation times the positive part of Grad-CAM (Selvaraju et al., ICCV 2017).

    Guided backpropagation changes the gradient in ReLU modules alone; a network with a functional ReLU is refused. The
    arguments are Grad-CAM's. captum's own class does not know networks that swap the axes; this one does.

    >>> network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> GuidedGradCAM(network)(torch.randn(1, 1, 8, 9)).values.shape
    torch.Size([1, 1, 8, 9])
    """

    name = "guided_gradcam"

    def _weighted(self, score: Score, db: Tensor) -> Tensor:
        return super()._weighted(score, db).clamp_min(0)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        hidden = [one for one in hidden_operations(self.network, db[:1].detach(), {"ReLU"}) if one.startswith("relu")]
        if hidden:
            raise ModelError(f"{self.name} cannot see {'; '.join(hidden)}; make each ReLU a module nn.ReLU()")
        cam, info = super()._attribute(score, db)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting backward hooks on ReLU", UserWarning)
            guided = captum.attr.GuidedBackprop(score).attribute(db)
        return guided * cam, info


def _find_layer(network: nn.Module, layer: nn.Module | str | None) -> nn.Module:
    if isinstance(layer, nn.Module):
        return layer
    named: dict[str, nn.Module] = {name: module for name, module in network.named_modules() if name}
    if layer is not None:
        return named[choose("layer", layer, named)]
    convolutions = [module for module in named.values() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ArgumentError(
            f"{type(network).__name__} has no Conv2d; give GradCAM a layer with activations (N, channels, F, T)"
        )
    return convolutions[-1]
