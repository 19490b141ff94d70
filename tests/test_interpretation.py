"""Attributions of networks that can be calculated by hand; networks are restored."""

import importlib
import random

import numpy as np
import pytest
import torch
from conftest import noise, small_classifier
from torch import nn
from torch.nn import functional

from audiointerp.dataset.esc50 import ESC50
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation import METHODS, is_constant
from audiointerp.interpretation.base import Explainer
from audiointerp.interpretation.captum_methods import IntegratedGradients
from audiointerp.interpretation.random import Random
from audiointerp.interpretation.saliency import Saliency
from audiointerp.interpretation.shap import SHAP
from audiointerp.model.panns import Cnn10
from audiointerp.predict import interpret
from audiointerp.processing.spectrogram import LogMel


def linear_network():
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    return network, network[1].weight.detach().reshape(4, 1, 1, 3, 4)


FEW = {
    "lime": {"segments": "grid", "samples": 120},
    "integrated_gradients": {"steps": 4},
    "smoothgrad": {"samples": 3},
    "gradient_shap": {"samples": 3},
    "kernel_shap": {"samples": 120},
    "occlusion": {"patch": (32, 50), "stride": (32, 50)},
    "rise": {"samples": 20},
    "rise_logit": {"samples": 20},
    "mask_gradient": {"samples": 8},
    "optimal": {"steps": 2},
}


def explainers(classifier, background):
    """Every method, with few samples."""
    return [
        kind(
            classifier.network,
            *([background] if kind.needs_background else []),
            **FEW.get(name, {}),
        )
        for name, kind in METHODS.items()
    ]


def test_saliency_of_a_linear_model_is_its_weights():
    network, weights = linear_network()
    x = torch.randn(5, 1, 3, 4)
    attribution = Saliency(network)(x)
    predicted = network(x).argmax(1)
    assert attribution.target.equal(predicted)
    assert torch.allclose(attribution.values, weights[predicted][:, 0])
    assert torch.allclose(attribution.probs, torch.softmax(network(x), 1))
    chosen = Saliency(network)(x, target=torch.tensor([0, 1, 2, 3, 0]))
    assert torch.allclose(chosen.values, weights[[0, 1, 2, 3, 0]][:, 0])


def test_shap_of_a_linear_model():
    network, weights = linear_network()
    x, background = torch.randn(3, 1, 3, 4), torch.randn(7, 1, 3, 4)
    for chunk in (2, 7, 100):
        attribution = SHAP(network, background, chunk)(x, target=2)
        assert torch.allclose(attribution.values, weights[2] * (x - background.mean(0)), atol=1e-6)


def test_integrated_gradients_are_complete():
    network, weights = linear_network()
    x = 30 * torch.randn(2, 1, 3, 4)
    linear = IntegratedGradients(network)(x, target=2).values
    assert torch.allclose(linear, weights[2] * (x + 100), rtol=1e-4, atol=1e-4)
    deep = small_classifier().network
    clips = torch.randn(2, 1, 64, 101) * 20 - 50
    with torch.no_grad():
        deep.head.weight *= 20 / deep(clips).std(0).max()
        difference = (deep(clips) - deep(torch.full_like(clips, -100.0)))[:, 1]
    values = IntegratedGradients(deep, steps=200)(clips, target=1).values
    assert torch.allclose(
        values.flatten(1).sum(1), difference, rtol=0.02, atol=0.02 * float(difference.abs().max())
    )


@pytest.mark.filterwarnings("ignore:.*only the first 3 of")
@pytest.mark.parametrize("seconds", [3, 5, 10])
def test_shap_adds_up_at_any_length(seconds, esc10):
    dataset = ESC50(esc10, (4, 5), "esc10", duration=float(seconds))
    transform = LogMel()
    clips = torch.cat([transform(dataset[index][0][None]).db for index in (0, 30, 60, 90)])
    network = small_classifier().network
    # Spread the untrained logits, so that there is a difference to explain.
    with torch.no_grad():
        network.head.weight *= 20 / network(clips).std()
    # The class whose logit differs most from that of the background: the gap is a share of that.
    differences = network(clips[2:]) - network(clips[:2]).mean(0)
    targets = differences.abs().argmax(1)
    explainer = SHAP(network, clips[:2], batch=1)
    gap = explainer(clips[2:], targets).info["additivity_gap"]
    assert gap.isfinite().all()
    assert (gap <= 1e-3).all()
    # Of the predicted class it is undefined where the two logits are about equal.
    assert not (explainer(clips[2:]).info["additivity_gap"] > 1e-3).any()


def test_shap_gap_exposes_a_network_that_it_cannot_see_through_as_written():
    class Hidden(Cnn10):
        def forward(self, db):
            x = self.bn0(db.transpose(1, 2)).permute(0, 2, 3, 1)
            for number in range(1, 5):
                block = getattr(self, f"conv_block{number}")
                x = block.pool(
                    torch.relu(block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x))))))
                )
            x = x.mean(3)
            return self.head(torch.relu(self.fc1(x.amax(2) + x.mean(2))))

    seen = small_classifier().network
    hidden = Hidden(3, base_channels=4).eval()
    hidden.load_state_dict(seen.state_dict())
    clips = torch.randn(3, 1, 64, 101) * 20 - 50
    with torch.no_grad():
        scale = 20 / seen(clips).std()
        for network in (seen, hidden):
            network.head.weight *= scale
        assert torch.allclose(seen(clips), hidden(clips), atol=1e-3)
    attribution = SHAP(seen, clips[:2])(clips[2:])
    assert attribution.info["additivity_gap"].item() < 1e-3
    rewritten = SHAP(hidden, clips[:2])(clips[2:])
    assert rewritten.info["additivity_gap"].item() < 1e-3
    largest = attribution.values.abs().max()
    assert torch.allclose(rewritten.values, attribution.values, rtol=0, atol=1e-5 * largest)
    # A warning of its first import would be raised anew at the end of the block.
    importlib.import_module("shap")
    with pytest.warns(UserWarning, match="does not see all of the network"):
        assert SHAP(hidden, clips[:2], strict=False)(clips[2:]).info["additivity_gap"].item() > 1e-2


def test_shap_gap_is_undefined_where_there_is_nothing_to_explain():
    network, _ = linear_network()
    x = torch.randn(1, 1, 3, 4)
    info = SHAP(network, x)(x).info
    assert info["additivity_gap"].isnan().all()
    assert info["difference"].abs().max() < 1e-6


def test_shap_asks_for_a_background_that_fits():
    network, _ = linear_network()
    for background in (
        torch.zeros(3, 4),
        torch.zeros(0, 1, 3, 4),
        torch.full((1, 1, 3, 4), torch.nan),
    ):
        with pytest.raises(ArgumentError, match="background"):
            SHAP(network, background)
    with pytest.raises(ArgumentError, match="cannot take the background"):
        SHAP(network, torch.zeros(2, 1, 3, 5))
    with pytest.raises(ArgumentError, match="differ in shape"):
        SHAP(small_classifier().network, torch.zeros(2, 1, 64, 80))(torch.zeros(1, 1, 64, 70))


def test_explainers_leave_the_network_as_it_was():
    classifier = small_classifier()
    network = classifier.network
    network.train()
    network.conv_block1.eval()
    network.fc1.weight.requires_grad_(False)
    seen = []
    network.head.register_forward_hook(lambda *_: seen.append(1))
    x = torch.randn(2, 1, 64, 101)
    network(x).sum().backward()

    def state():
        return (
            [module.training for module in network.modules()],
            [
                (p.requires_grad, None if p.grad is None else p.grad.clone())
                for p in network.parameters()
            ],
            [
                len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks)
                for m in network.modules()
            ],
            {key: value.clone() for key, value in network.state_dict().items()},
        )

    before = state()
    for explainer in explainers(classifier, x):
        attribution = explainer(x)
        assert not attribution.values.requires_grad
        assert attribution.values.shape == x.shape
        after = state()
        assert before[0] == after[0]
        assert before[2] == after[2]
        assert before[3].keys() == after[3].keys()
        assert all(value.equal(after[3][key]) for key, value in before[3].items())
        for (wanted, grad), (wants, now) in zip(before[1], after[1], strict=True):
            assert wanted == wants
            assert (grad is None and now is None) or grad.equal(now)


def test_the_network_is_put_back_after_a_failure():
    network = small_classifier().network.train()

    class Failing(Explainer):
        name = "failing"

        def _attribute(self, score, db):
            return db * torch.nan + score(db).sum(), {}

    with pytest.raises(ModelError, match="NaN"):
        Failing(network)(torch.randn(1, 1, 64, 64))
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())

    class Silent(Explainer):
        name = "silent"

        def _attribute(self, score, db):
            return score.target, {}

    with pytest.raises(ModelError, match="must call its score"):
        Silent(network)(torch.randn(1, 1, 64, 64))


def test_a_batch_is_explained_clip_by_clip():
    classifier = small_classifier()
    x = torch.randn(3, 1, 64, 101) * 20 - 50
    for explainer in explainers(classifier, x[:2]):
        together = explainer(x)
        for number in range(3):
            alone = explainer(x[number : number + 1])
            assert alone.target[0] == together.target[number]
            scale = together.values[number].abs().max()
            assert (alone.values[0] - together.values[number]).abs().max() <= 1e-4 * scale


def test_random_depends_on_the_clip_and_the_seed_alone():
    network = small_classifier().network
    x = torch.randn(2, 1, 64, 101)
    values = Random(network)(x).values
    assert values[1].equal(Random(network)(x[1:]).values[0])
    assert not values[0].equal(values[1])
    assert not values.equal(Random(network, seed=1)(x).values)
    assert values.mean().abs() < 0.04
    assert values.std() == pytest.approx(1, abs=0.04)


def test_channels_last_is_refused():
    """torch 2.11 computes wrong gradients of such networks on the CPU.

    SHAP missed 150 % of the logit's difference, without any warning.
    """
    network = small_classifier().network.to(memory_format=torch.channels_last)
    with pytest.raises(ArgumentError, match=r"conv_block1.conv2.weight .*contiguous_format"):
        Saliency(network)(torch.randn(1, 1, 64, 101))
    Saliency(network.to(memory_format=torch.contiguous_format))(torch.randn(1, 1, 64, 101))


def test_wrong_features_are_refused():
    explainer = Saliency(small_classifier().network)
    for db in (
        torch.zeros(64, 100),
        torch.zeros(1, 2, 64, 100),
        torch.full((1, 1, 64, 100), torch.inf),
    ):
        with pytest.raises(ArgumentError, match="features"):
            explainer(db)
    with pytest.raises(ArgumentError, match="not a Spectrogram"):
        explainer(LogMel()(torch.zeros(1, 1, 2000)))
    with pytest.raises(ArgumentError, match="not a Classifier"):
        Saliency(small_classifier())
    for wrong in (3, -1, 1.0, "dog", torch.tensor([0, 1])):
        with pytest.raises(ArgumentError, match="target"):
            explainer(torch.zeros(1, 1, 64, 100), target=wrong)
    with pytest.raises(ModelError, match=r"finite logits \(1, C\)"):
        Saliency(nn.Flatten(2))(torch.zeros(1, 1, 3, 4))
    holes = linear_network()[0]
    nn.init.constant_(holes[1].bias, torch.nan)
    with pytest.raises(ModelError, match="NaN"):
        Random(holes)(torch.zeros(1, 1, 3, 4))


class Around(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network


class FunctionalDropout(Around):
    def forward(self, db):
        return functional.dropout(self.network(db), 0.3)


class Noisy(Around):
    def forward(self, db):
        return self.network(db + torch.randn_like(db))


class NumpyNoise(Around):
    def forward(self, db):
        return self.network(db + float(np.random.randn()))


class Cropping(Around):
    def forward(self, db):
        start = random.randrange(8)
        return self.network(db[..., start : start + 80])


@pytest.mark.parametrize("kind", [FunctionalDropout, Noisy, NumpyNoise, Cropping])
def test_a_random_network_is_refused(kind):
    """A picture of one draw came out."""
    network, db = small_classifier().network, torch.randn(1, 1, 64, 101)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with pytest.raises(ModelError, match=f"{kind.__name__} is random: .*when it is not training"):
        Saliency(kind(network))(db)
    assert torch.get_rng_state().equal(before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]
    # Dropout as a module is off in evaluation.
    Saliency(network.train())(db)
    assert network.training


def test_constant_values_are_known_up_to_rounding():
    """Equal values that were rounded differently made a mask that nobody called arbitrary."""
    assert is_constant(torch.zeros(1, 1, 2, 3))
    assert is_constant(torch.full((1, 1, 2, 3), -5.0))
    rounded = torch.full((1, 1, 40, 60), 0.1) + 1e-8 * torch.rand(1, 1, 40, 60)
    assert rounded.unique().numel() > 1
    assert is_constant(rounded)
    # Small values are not constant ones.
    assert not is_constant(1e-12 * torch.rand(1, 1, 2, 3))
    assert not is_constant(torch.tensor([1.0, 1.0 + 1e-5]))
    assert not is_constant(torch.tensor([1.0, torch.nan]))
    result = interpret(small_classifier(), noise(1.0), Flat)
    assert result.arbitrary


class Flat(Saliency):
    """A method whose values are equal up to rounding."""

    name = "flat"

    def _attribute(self, score, db):
        values, info = super()._attribute(score, db)
        return 0.1 + 1e-8 * values / values.abs().max(), info
