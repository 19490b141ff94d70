"""Gradients through batch normalisation, which torch 2.11 computes wrongly on the CPU."""

from itertools import product

import pytest
import torch
from torch import nn

from audiointerp.interpretation import SHAP, IntegratedGradients, Saliency
from audiointerp.util.batch_norm import right_batch_norm_gradients


def prepared(norm):
    generator = torch.Generator().manual_seed(0)
    norm.running_mean.normal_(generator=generator)
    norm.running_var.uniform_(0.5, 2, generator=generator)
    return norm.eval()


ORDERS = [(0, 1, 2, 3), (0, 3, 1, 2), (0, 3, 2, 1), (0, 1, 3, 2), (0, 2, 1, 3), (1, 0, 2, 3)]
"""Of the axes in memory, for an input (N, C, H, W)."""


def laid_out(shape, order):
    """Random numbers of a shape, whose axes lie in memory in another order."""
    return torch.randn([shape[axis] for axis in order]).permute(
        [order.index(axis) for axis in range(4)]
    )


@pytest.mark.parametrize("size", [(1, 6), (4, 1), (4, 6), (1, 1)])
def test_the_gradient_is_that_of_an_affine_function(size):
    norm = prepared(nn.BatchNorm2d(5))
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None, None].detach()
    for clips, of_input, of_gradient in product((1, 3), ORDERS, ORDERS):
        shape = (clips, 5, *size)
        x, gradient = laid_out(shape, of_input).requires_grad_(), laid_out(shape, of_gradient)
        with right_batch_norm_gradients(norm):
            (back,) = torch.autograd.grad(norm(x), x, gradient)
        torch.testing.assert_close(back, gradient * scale)
    assert not norm._forward_hooks


class FirstLayers(nn.Module):
    """The first layers of the official PANNs, whose input is (N, 1, T, F), behind our features."""

    def __init__(self):
        super().__init__()
        self.bn0 = prepared(nn.BatchNorm2d(6))
        self.head = nn.Linear(48, 2)

    def forward(self, db):
        x = self.bn0(db.transpose(2, 3).transpose(1, 3)).transpose(1, 3)
        return self.head(x.flatten(1))


@pytest.mark.parametrize("method", [Saliency, IntegratedGradients, SHAP])
def test_attributions_of_the_official_first_layers(method):
    """The network is affine, so the gradient is the change of the logit by a change of a bin."""
    network = FirstLayers().eval()
    clip = torch.randn(1, 1, 6, 8)
    with torch.no_grad():
        change = network(clip + torch.eye(48).view(48, 1, 6, 8)) - network(clip)
    slope = change[:, 1].view(1, 1, 6, 8)
    if method is SHAP:
        values, expected = SHAP(network, 0 * clip)(clip, 1).values, slope * clip
    elif method is IntegratedGradients:
        values, expected = method(network)(clip, 1).values, slope * (clip + 100)
    else:
        values, expected = method(network)(clip, 1).values, slope
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-4)
