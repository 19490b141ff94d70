"""The copy for inference equals the network, or is not used."""

import copy
import weakref
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from audiointerp import ESC50, Classifier, Cnn6, Cnn10, Cnn14
from audiointerp.model import initialise
from audiointerp.util import right_batch_norm_gradients
from audiointerp.util.folding import Affine, folded

WEIGHTS = Path(__file__).parents[1] / "weights"
DB = 20 * torch.randn(2, 1, 64, 130, generator=torch.Generator().manual_seed(0)) - 50


def with_statistics(network, seed=0):
    """Give batch normalisation statistics as after training, also negative scales."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.weight.data, module.bias.data):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.1)
    return network.eval()


def gradient(network, db):
    inputs = db.double().requires_grad_()
    (result,) = torch.autograd.grad(network(inputs).amax(1).sum(), inputs)
    return result


def gradient_cosine(network, twin, db):
    gradients = []
    for model in (network, twin):
        inputs = db.clone().requires_grad_()
        with right_batch_norm_gradients(model):
            gradients.append(torch.autograd.grad(model(inputs).amax(1).sum(), inputs)[0])
    return float(functional.cosine_similarity(*(part.flatten() for part in gradients), dim=0))


class Residual(nn.Module):
    """The output of the convolution is used twice, so it must not be folded."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x):
        made = self.conv(x)
        return self.head((made + functional.relu(self.bn(made))).mean((2, 3)))


class Shared(nn.Module):
    """One convolution before two normalisations."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.first, self.second = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        parts = self.first(self.conv(x)), self.second(self.conv(2 * x))
        return self.head(torch.cat(parts, 1).relu().mean((2, 3)))


NETWORKS = {
    "Cnn6": lambda: Cnn6(5, base_channels=4),
    "Cnn10": lambda: Cnn10(5, base_channels=4),
    "Cnn14": lambda: Cnn14(5, base_channels=2),
    "shared convolution": Shared,
    "linear": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(64 * 130, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)
    ),
    "one dimension": lambda: nn.Sequential(
        nn.Flatten(1, 2), nn.Conv1d(64, 4, 3), nn.BatchNorm1d(4), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_the_copy_has_the_same_outputs_and_gradients(name):
    """In double precision, where no ReLU changes its side by rounding."""
    network = with_statistics(NETWORKS[name]()).double()
    twin = folded(network, DB[:1].double())
    assert twin is not None
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in twin.modules())
    assert torch.allclose(twin(DB.double()), network(DB.double()), rtol=1e-9, atol=1e-9)
    with right_batch_norm_gradients(network):
        expected = gradient(network, DB)
    assert torch.allclose(gradient(twin, DB), expected, rtol=1e-9, atol=1e-12)
    assert not any(parameter.requires_grad for parameter in twin.parameters())


def test_its_gradients_are_finite_differences():
    """Also of PANNs' first normalisation, of which torch 2.11 has wrong ones in channels_last."""
    network = Cnn10(5, base_channels=4)
    # Of weights drawn anew, some have a ReLU or a class that changes within the step.
    initialise(network, 0)
    network = with_statistics(network).double()
    twin = folded(network, DB[:1].double())
    direction = torch.randn(DB.shape, generator=torch.Generator().manual_seed(1)).double()
    step = 1e-5 * direction
    with torch.no_grad():
        upper, lower = (network(DB.double() + sign * step).amax(1).sum() for sign in (1, -1))
    slope = (gradient(twin, DB) * direction).sum()
    assert float(slope) == pytest.approx(float(upper - lower) / 2e-5, rel=1e-4)


@pytest.mark.parametrize("name", ["esc10_mel_cnn10", "esc10_stft_cnn10"])
def test_trained_weights_and_real_clips(name, esc10):
    classifier = Classifier.load(WEIGHTS / f"{name}.safetensors")
    clips = ESC50(esc10, (5,), "esc10", sample_rate=classifier.sample_rate)
    db = torch.cat([classifier.transform(clips[number][0][None]).db for number in range(0, 80, 10)])
    twin = folded(classifier.network, db[:1])
    with torch.no_grad():
        plain, fast = (network(db).softmax(1) for network in (classifier.network, twin))
    assert (plain - fast).abs().max() < 1e-5
    assert gradient_cosine(classifier.network, twin, db) > 0.9999


def test_a_layer_that_is_used_elsewhere_too_is_noticed():
    assert folded(with_statistics(Residual()), DB) is None


def test_no_copy_where_there_is_nothing_to_fold():
    assert folded(nn.Sequential(nn.Flatten(), nn.Linear(64 * 130, 3)), DB) is None
    batch_statistics = nn.BatchNorm2d(1, track_running_stats=False)
    assert folded(nn.Sequential(batch_statistics, nn.Flatten()), DB) is None


def test_the_network_is_left_as_it_was():
    network = with_statistics(Cnn10(5, base_channels=4))
    network.train()
    before = copy.deepcopy(network.state_dict())
    assert folded(network, DB) is not None
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("affine", [True, False])
def test_affine_is_batch_normalisation(affine):
    norm = with_statistics(nn.BatchNorm2d(3)) if affine else nn.BatchNorm2d(3, affine=False).eval()
    x = torch.randn(2, 3, 4, 1)
    assert torch.allclose(Affine(norm)(x), norm(x), atol=1e-6)
    assert Affine(norm).num_features == 3


class Counting(nn.Module):
    """Layers in a row, and how many of their outputs are there at once, without gradients."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(12):
            self.layers += [nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU()]
        self.most = 0

    def forward(self, x):
        made = []
        for layer in self.layers:
            x = layer(x)
            made.append(weakref.ref(x))
            if not torch.is_grad_enabled():
                self.most = max(self.most, sum(reference() is not None for reference in made))
        return x.mean((2, 3))


def test_to_see_the_order_of_the_layers_their_outputs_are_not_kept():
    """Of Cnn14 and ten seconds, they were 350 MiB."""
    network = Counting().eval()
    twin = folded(network, torch.rand(2, 2, 8, 8))
    assert sum(isinstance(layer, nn.Identity) for layer in twin.layers) == 12
    assert network.most == 1


class Counted(nn.Module):
    """Counts how often it was run, and knows that count when it is copied."""

    def __init__(self, network):
        super().__init__()
        self.network, self.runs, self.runs_before_the_copy = network, 0, None

    def forward(self, x):
        self.runs += 1
        return self.network(x)

    def __deepcopy__(self, memo):
        self.runs_before_the_copy = self.runs
        twin = Counted(copy.deepcopy(self.network, memo))
        return twin.eval()


def test_the_network_is_not_run_beside_its_copy():
    """Of Cnn14, the memory of a run and that of the copy were needed at the same time."""
    network = Counted(with_statistics(Cnn6(2, base_channels=2)))
    assert folded(network, DB) is not None
    assert network.runs == network.runs_before_the_copy > 0
