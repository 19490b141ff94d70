"""Grad-CAM and LayerCAM by hand, in both layouts."""

import copy

import pytest
import torch
from conftest import small_classifier
from torch import nn

from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation.gradcam import GradCAM, LayerCAM


def test_gradcam_by_hand():
    """If the head takes the mean over positions, a channel's weight is the head's / positions."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    x = 5 * torch.randn(2, 1, 6, 8)
    values = GradCAM(network)(x, target=1).values
    expected = torch.einsum("c,ncft->nft", network[3].weight[1], network[0](x)) / 48
    assert torch.allclose(values[:, 0], expected, atol=1e-5)
    # Without a ReLU, some values are negative.
    assert values.min() < 0
    assert torch.allclose(
        GradCAM(network, "0")(x, 1).values, GradCAM(network, network[0])(x, 1).values
    )


def test_layercam_by_hand():
    """With that head all gradients of a channel are equal: its weight, if that is positive."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    x = 5 * torch.randn(2, 1, 6, 8)
    weights = network[3].weight[1].clamp_min(0)
    assert 0 < (weights > 0).sum() < 3
    expected = torch.einsum("c,ncft->nft", weights, network[0](x)) / 48
    assert torch.allclose(LayerCAM(network)(x, target=1).values[:, 0], expected, atol=1e-5)
    with pytest.raises(ModelError, match="used 2 times"):
        LayerCAM(
            nn.Sequential(network[0], nn.Conv2d(3, 1, 1), network[0], *network[1:]), network[0]
        )(x)


class Swapped(nn.Module):
    """A network that works on (time, frequency), as PANNs do."""

    activation_layout = "TF"

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        return self.network(db.transpose(2, 3))


def test_gradcam_follows_the_layout():
    torch.manual_seed(0)
    straight = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    turned = Swapped(copy.deepcopy(straight))
    with torch.no_grad():
        turned.network[0].weight.copy_(straight[0].weight.transpose(2, 3))
    x = torch.randn(1, 1, 6, 15)
    expected = GradCAM(straight)(x, target=0).values
    assert torch.allclose(GradCAM(turned)(x, target=0).values, expected, atol=1e-6)
    attribution = GradCAM(small_classifier().network)(torch.randn(1, 1, 64, 101))
    assert attribution.info == {"layer": "conv_block4.conv2", "grid": (8, 12)}


def test_gradcam_refuses_what_it_cannot_explain():
    with pytest.raises(ArgumentError, match="no Conv2d"):
        GradCAM(nn.Sequential(nn.Flatten(), nn.Linear(12, 4)))
    with pytest.raises(ArgumentError, match="conv_block7"):
        GradCAM(small_classifier().network, "conv_block7")
    with pytest.raises(ArgumentError, match="XY"):
        GradCAM(small_classifier().network, layout="XY")
    with pytest.raises(ModelError, match="needs a layer"):
        GradCAM(small_classifier().network, "fc1")(torch.randn(1, 1, 64, 64))
