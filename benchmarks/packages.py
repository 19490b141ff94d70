"""Packages as people call them, on the library's own network."""

from functools import partial

import captum.attr
import torch
from torch import Tensor, nn


def captum_saliency(network: nn.Module, db: Tensor) -> Tensor:
    """Return captum's saliency of the predicted class."""
    with torch.no_grad():
        predicted = network(db).argmax(1)
    values: Tensor = captum.attr.Saliency(network).attribute(
        db.clone().requires_grad_(), target=predicted, abs=False
    )
    return values


def captum_grad_cam(network: nn.Module, layer: nn.Module, db: Tensor) -> Tensor:
    """Return captum's Grad-CAM, signed, interpolated to the grid of the features."""
    with torch.no_grad():
        predicted = network(db).argmax(1)
    method = captum.attr.LayerGradCam(network, layer)
    coarse = method.attribute(db, target=predicted, relu_attributions=False)
    # The layer's axes are (time, frequency).
    values: Tensor = captum.attr.LayerAttribution.interpolate(
        coarse.transpose(2, 3), tuple(db.shape[2:]), "bilinear"
    )
    return values.detach()


def pytorch_grad_cam(network: nn.Module, layer: nn.Module, db: Tensor) -> Tensor:
    """Return the map of pytorch-grad-cam for the class that it predicts itself."""
    from pytorch_grad_cam import GradCAM

    with GradCAM(model=network, target_layers=[layer]) as method:
        values = method(input_tensor=db, targets=None)
    network.zero_grad(set_to_none=True)
    return torch.from_numpy(values)[:, None]


def shap_deep(network: nn.Module, background: Tensor, db: Tensor, target: int) -> Tensor:
    """Return shap's values of one class; every ReLU and pooling is a module that it knows."""
    import shap

    output = _OneClass(network, target)
    # shap's check costs another forward pass, and its limit is absolute; the page tells the largest
    # difference from the library's values, which are checked.
    values = shap.DeepExplainer(output, background).shap_values(db, check_additivity=False)
    return torch.from_numpy(values[..., 0])


def captum_deep_lift(network: nn.Module, background: Tensor, db: Tensor, target: int) -> Tensor:
    """Return the values of captum's DeepLiftShap."""
    values: Tensor = captum.attr.DeepLiftShap(network).attribute(db, background, target=target)
    return values.detach()


def captum_lime(network: nn.Module, db: Tensor, segments: Tensor, samples: int) -> Tensor:
    """Return the coefficients of captum's LIME, 16 draws in a forward pass."""
    with torch.no_grad():
        predicted = int(network(db).argmax(1))
    values: Tensor = captum.attr.Lime(partial(_probabilities, network)).attribute(
        db,
        target=predicted,
        feature_mask=segments,
        n_samples=samples,
        perturbations_per_eval=16,
    )
    return values


def _probabilities(network: nn.Module, db: Tensor) -> Tensor:
    probabilities: Tensor = network(db).softmax(1)
    return probabilities


class _OneClass(nn.Module):
    def __init__(self, network: nn.Module, target: int) -> None:
        super().__init__()
        self.network, self.target = network, target

    def forward(self, db: Tensor) -> Tensor:
        column: Tensor = self.network(db)[:, [self.target]]
        return column
