"""Convolutions as matrix products equal torch's, and a folded copy uses them for large layers."""

import gc
import weakref

import pytest
import torch
from torch import nn

from audiointerp import Classifier, Cnn10, GradCAM, LayerCAM
from audiointerp.model import optimized
from audiointerp.scoring import explain_clip
from audiointerp.util import folded, products
from audiointerp.util.products import ProductConv2d, can_be_product

SHAPES = {
    "3 x 3": (nn.Conv2d(4, 6, 3, padding=1), (2, 4, 5, 4)),
    "no bias": (nn.Conv2d(4, 6, 3, padding=1, bias=False), (3, 4, 5, 2)),
    "two sizes": (nn.Conv2d(3, 5, (1, 5), padding=(0, 2)), (2, 3, 6, 5)),
    "no padding": (nn.Conv2d(3, 5, (3, 2)), (1, 3, 7, 4)),
    "one cell": (nn.Conv2d(3, 5, 3, padding=1), (2, 3, 1, 1)),
    "a large map": (nn.Conv2d(3, 5, 3, padding=1), (2, 3, 20, 30)),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", SHAPES)
def test_output_and_input_gradient_are_those_of_the_convolution(name, layout, monkeypatch):
    monkeypatch.setattr(products, "LEAST_WEIGHTS", 1)
    layer, size = SHAPES[name]
    layer = layer.to(memory_format=layout)
    product = ProductConv2d(layer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, generator=generator).to(memory_format=layout).requires_grad_()
    expected = layer(x)
    weights = torch.randn(expected.shape, generator=generator)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), x)
    # A ReLU that works in place follows in a folded copy.
    output = nn.functional.relu_(product(x))
    assert torch.allclose(output, expected.relu(), atol=1e-5)
    (gradient,) = torch.autograd.grad((product(x) * weights).sum(), x)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5)
    is_product = name != "a large map"
    assert product.is_small(*size[2:], size[0]) == is_product


@pytest.mark.parametrize("name", ["winograd", "product"])
@pytest.mark.parametrize("backward", ["inside", "outside"])
def test_autocast_makes_no_larger_error_than_of_the_convolution(name, backward):
    size = (128, 128) if name == "winograd" else (512, 256)
    torch.manual_seed(0)
    layer = nn.Conv2d(size[0], size[1], 3, padding=1)
    product = ProductConv2d(layer)
    cells = (8, 8) if name == "winograd" else (4, 4)
    x = torch.randn(1, size[0], *cells)
    assert product.is_small(*cells, 1) == (name == "product")
    assert product.is_winograd(*cells)
    weights = torch.randn(1, size[1], *cells)
    right = nn.functional.conv2d(x.double(), layer.weight.double(), layer.bias.double(), padding=1)
    right_gradient = nn.functional.conv_transpose2d(
        weights.double(), layer.weight.double(), padding=1
    )
    errors = []
    for each in (product, layer):
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            output = each(given)
        with torch.autocast("cpu", torch.bfloat16, enabled=backward == "inside"):
            (gradient,) = torch.autograd.grad((output.float() * weights).sum(), given)
        pairs = (output.detach(), right.detach()), (gradient, right_gradient.detach())
        errors.append([float((ours - theirs).abs().max()) for ours, theirs in pairs])
    assert all(ours <= 1.1 * theirs for ours, theirs in zip(*errors, strict=True))


@pytest.mark.parametrize("cells", [(8, 8), (3, 3)])
def test_a_gradient_under_autocast_is_that_of_the_forward_pass(cells, monkeypatch):
    """The forward pass ran outside, in single precision."""
    monkeypatch.setattr(products, "LEAST_WEIGHTS", 1)
    monkeypatch.setattr(products, "FEW_CELLS", 9)
    monkeypatch.setattr(products, "FEW_ROWS", 9)
    product = ProductConv2d(nn.Conv2d(128, 128, 3, padding=1))
    assert product.is_small(*cells, 1) == (cells == (3, 3))
    x = torch.randn(1, 128, *cells, requires_grad=True)
    total = product(x).square().sum()
    (expected,) = torch.autograd.grad(total, x, retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        (gradient,) = torch.autograd.grad(total, x)
    assert gradient.equal(expected)


def test_only_what_a_product_can_compute_is_replaced():
    large = {"in_channels": 512, "out_channels": 512, "kernel_size": 3}
    assert can_be_product(nn.Conv2d(**large))
    for other in (
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2, "in_channels": 1024, "out_channels": 1024},
        {"padding": 1, "padding_mode": "circular"},
        {"padding": "same"},
        {"out_channels": 8, "padding": 1},
        {"dtype": torch.float64},
        {"device": "meta"},
    ):
        assert not can_be_product(nn.Conv2d(**{**large, **other})), other


@pytest.fixture
def network(monkeypatch):
    """A small network whose folded copy has products, as that of a large one has."""
    monkeypatch.setattr(products, "LEAST_WEIGHTS", 100)
    torch.manual_seed(0)
    network = Cnn10(3, base_channels=4).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Also negative scales, and one of 0.
            module.weight.data.normal_()
            module.bias.data.normal_()
            module.weight.data[1] = 0
    network.bn0.running_mean.fill_(-50)
    network.bn0.running_var.fill_(400)
    return network


DB = 20 * torch.randn(2, 1, 64, 130, generator=torch.Generator().manual_seed(0)) - 50


@pytest.mark.parametrize("method", [GradCAM, LayerCAM])
@pytest.mark.parametrize("layer", [None, "conv_block2.conv1", "conv_block3.bn2", "conv_block3"])
def test_class_activation_maps_of_a_copy_are_those_of_the_network(network, method, layer):
    """The copy's convolutions contain the normalisation; the map is that of what was before."""
    explainer = method(network, layer)
    twin = folded(network, DB[:1])
    assert any(isinstance(module, ProductConv2d) for module in twin.modules())
    plain, fast = explainer(DB, target=1), explainer.bound_to(twin)(DB, target=1)
    assert plain.info["layer"] == fast.info["layer"]
    largest = plain.values.abs().max()
    assert largest > 0
    assert (plain.values - fast.values).abs().max() < 1e-4 * largest
    assert explainer.network is network


def test_a_layer_that_is_given_as_a_module_is_found_in_the_copy(network):
    explainer = GradCAM(network, network.conv_block2.conv2)
    fast = explainer.bound_to(folded(network, DB[:1]))(DB, target=1)
    plain = GradCAM(network, "conv_block2.conv2")(DB, target=1)
    assert fast.info["layer"] == "conv_block2.conv2"
    assert torch.allclose(fast.values, plain.values, atol=1e-4 * float(plain.values.abs().max()))


def norm_last():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6))


def norm_behind_a_block():
    block = nn.Sequential(nn.Conv2d(4, 6, 3))
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), block, nn.BatchNorm2d(6), nn.ReLU())


def norm_of_a_sequence():
    layers = nn.Conv1d(64, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 6, 3)
    return nn.Sequential(nn.Flatten(1, 2), *layers, nn.BatchNorm1d(6), nn.ReLU())


@pytest.mark.parametrize("layer", [None, "0.2"])
@pytest.mark.parametrize("method", [GradCAM, LayerCAM])
@pytest.mark.parametrize("body", [norm_last, norm_behind_a_block, norm_of_a_sequence])
def test_a_copy_has_the_layers_of_the_network(body, method, layer):
    """The default is the network's, though its normalisation is folded away; so is a block."""
    torch.manual_seed(0)
    body = body()
    norms = [module for module in body if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    for norm in norms:
        norm.weight.data.normal_()
        norm.bias.data.normal_()
    pool = nn.AdaptiveAvgPool1d(1) if isinstance(body[0], nn.Flatten) else nn.AdaptiveAvgPool2d(1)
    network = nn.Sequential(body, pool, nn.Flatten(), nn.Linear(6, 3)).eval()
    # LayerCAM of the first class has gradients above 0.
    network[-1].weight.data[0].abs_()
    explainer = method(network, layer)
    twin = folded(network, DB[:1] / 50)
    plain, fast = (each(DB / 50, target=0) for each in (explainer, explainer.bound_to(twin)))
    assert plain.info["layer"] == fast.info["layer"]
    largest = plain.values.abs().max()
    assert largest > 0
    assert (plain.values - fast.values).abs().max() < 1e-4 * largest


def test_copies_do_not_pile_up_in_an_explainer(network):
    """Each call of score makes a copy, which an explainer that is given must not keep alive."""
    explainer = GradCAM(network)
    copies = []
    for _ in range(2):
        twin = folded(network, DB[:1])
        explainer.bound_to(twin)(DB, target=1)
        copies.append(weakref.ref(twin))
        del twin
    gc.collect()
    # The last one that was checked for randomness is kept.
    assert copies[0]() is None


def test_class_activation_maps_of_a_fast_model_of_sounds_are_those_of_the_model():
    torch.manual_seed(0)
    layers = nn.Conv1d(1, 4, 400, 160), nn.BatchNorm1d(4), nn.ReLU(), nn.AdaptiveAvgPool1d(1)
    norm = layers[1]
    norm.running_mean.normal_()
    norm.weight.data.fill_(-1.0)
    model = nn.Sequential(nn.Unflatten(1, (1, -1)), *layers, nn.Flatten(), nn.Linear(4, 2)).eval()
    labels = ["cat", "dog"]
    classifier = Classifier.from_waveform(
        model, sample_rate=8000, labels=labels, duration=1.0, normalize="none"
    )
    spectrogram = classifier.transform(0.1 * torch.randn(1, 1, 8000))
    fast = optimized(classifier, "folded")
    assert fast is not classifier
    for layer in (None, "1"):
        explainer = GradCAM(classifier.network, layer)
        plain, quick = (
            explain_clip(each, spectrogram, explainer, target=1) for each in (classifier, fast)
        )
        assert plain.info["layer"] == quick.info["layer"]
        largest = plain.values.abs().max()
        assert largest > 0
        assert (plain.values - quick.values).abs().max() < 1e-3 * largest


def test_grad_cam_keeps_no_graph_before_its_layer(network):
    """Only what follows the layer is run backward."""
    seen = []

    def watch(module, inputs, output):
        seen.append(output.requires_grad)

    handles = [
        network.get_submodule(name).register_forward_hook(watch)
        for name in ("conv_block1.conv1", "conv_block4.conv1", "head")
    ]
    explainer = GradCAM(network, "conv_block4.conv2")
    explainer(DB, target=0)
    seen.clear()
    explainer(DB, target=0)
    for handle in handles:
        handle.remove()
    assert seen == [False, False, True]
