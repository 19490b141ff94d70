"""Grad-CAM (Selvaraju et al., ICCV 2017)."""

from typing import Any

import captum.attr
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ArgumentError, ModelError, choose
from .base import Explainer, Score

LAYOUTS = ("FT", "TF")


class GradCAM(Explainer):
    """A layer's activations, weighted by their mean gradients: signed (no ReLU), bilinear to the input's grid.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`.
        layer: the layer whose activations ``(N, channels, …, …)`` are weighted, or its name; the last convolution if None.
        layout: ``"FT"`` if those activations are (frequency, time), ``"TF"`` if the network swapped the axes. By default
            the network's own ``activation_layout``, and ``"FT"`` if it has none.

    >>> import torch
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
        method = captum.attr.LayerGradCam(score, self.layer)
        coarse = method.attribute(db.requires_grad_(), relu_attributions=False)
        if not isinstance(coarse, Tensor) or coarse.ndim != 4:
            raise ModelError(f"Grad-CAM needs a layer with activations (N, channels, F, T); {self.layer} has others")
        if self.layout == "TF":
            coarse = coarse.transpose(2, 3)
        return functional.interpolate(coarse.detach(), db.shape[2:], mode="bilinear", align_corners=False), {}


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
