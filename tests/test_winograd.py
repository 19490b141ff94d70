"""Winograd's method gives the outputs and input gradients of a convolution, as precisely."""

import copy
import pickle

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.nn import functional

from audiointerp.util import products
from audiointerp.util.products import ProductConv2d, has_winograd
from audiointerp.util.winograd import evaluated_weights, winograd, winograd_gradient


@given(
    clips=st.integers(1, 3),
    channels=st.integers(1, 5),
    outputs=st.integers(1, 5),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    seed=st.integers(0, 99),
)
def test_it_is_the_convolution_and_its_gradient(clips, channels, outputs, height, width, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*size):
        return torch.randn(size, generator=generator, dtype=torch.float64)

    x = draw(clips, channels, height, width).requires_grad_()
    weight, bias = draw(outputs, channels, 3, 3), draw(outputs)
    expected = functional.conv2d(x, weight, bias, padding=1)
    gradient = draw(*expected.shape)
    (expected_gradient,) = torch.autograd.grad(expected, x, gradient)
    weights = evaluated_weights(weight)
    assert torch.allclose(winograd(x.detach(), weights, bias), expected, atol=1e-10)
    assert torch.allclose(winograd_gradient(gradient, weights), expected_gradient, atol=1e-10)


@pytest.mark.parametrize("size", [(128, 20, 33), (256, 62, 16)])
def test_in_float32_its_error_is_that_of_the_direct_convolution(size):
    """The usual points 0, ±1, ±2 have five times that error."""
    channels, height, width = size
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels, 3, padding=1)
    x = torch.randn(1, channels, height, width).relu()
    weights = evaluated_weights(layer.weight)
    with torch.no_grad():
        direct = layer(x)
        expected = layer.double()(x.double())
        layer.float()
        error = (winograd(x, weights, layer.bias) - expected).abs().max() / expected.abs().max()
    assert error < 3e-6
    assert (direct - expected).abs().max() < 3e-6 * expected.abs().max()


@pytest.fixture
def layer(monkeypatch):
    """A small layer that is computed by Winograd's method."""
    monkeypatch.setattr(products, "LEAST_WINOGRAD_WEIGHTS", 9)
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3, padding=1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_layer_of_a_copy_takes_it_on_maps_of_any_size(layer, layout):
    module = ProductConv2d(layer)
    for height, width in ((7, 9), (3, 3), (2, 9), (9, 1), (1, 1)):
        assert module.is_winograd(height, width) == (min(height, width) > 2)
        x = torch.randn(2, 3, height, width).to(memory_format=layout).requires_grad_()
        expected, output = layer(x), module(x)
        assert torch.allclose(output, expected, atol=1e-5)
        # A ReLU that works in place follows.
        weights = torch.randn_like(expected)
        (expected_gradient,) = torch.autograd.grad((expected.relu() * weights).sum(), x)
        (gradient,) = torch.autograd.grad((output.relu_() * weights).sum(), x)
        assert torch.allclose(gradient, expected_gradient, atol=1e-5)


def test_weights_that_change_are_evaluated_anew(layer):
    module, x = ProductConv2d(layer), torch.randn(1, 3, 8, 8)
    module(x)
    with torch.no_grad():
        layer.weight.mul_(2)
    assert torch.allclose(module(x), layer(x), atol=1e-5)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert twin._evaluated is None
        assert torch.allclose(twin(x), layer(x), atol=1e-5)


def test_only_large_kernels_of_three_padded_by_one_take_it():
    assert has_winograd(nn.Conv2d(128, 128, 3, padding=1))
    for layer in (
        nn.Conv2d(64, 128, 3, padding=1),
        nn.Conv2d(128, 128, 3),
        nn.Conv2d(256, 256, (3, 1), padding=(1, 0)),
        nn.Conv2d(128, 128, 5, padding=2),
        nn.Conv2d(2048, 2048, 3, padding=1, device="meta"),
    ):
        assert not has_winograd(layer), layer
