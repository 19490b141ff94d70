"""The rescale rule gives what shap.DeepExplainer gives, in fewer passes and less memory."""

import gc
import pickle

import pytest
import shap
import torch
from torch import nn

from audiointerp import SHAP, Cnn10
from audiointerp.interpretation.rescale import RescaleRule, can_rescale
from audiointerp.interpretation.rescale_modules import _MaxPool1d
from audiointerp.interpretation.shap import _are_equal


def random_db(count, seed=0, frames=40):
    generator = torch.Generator().manual_seed(seed)
    return 20 * torch.randn(count, 1, 64, frames, generator=generator) - 50


BACKGROUND, CLIPS = random_db(5), random_db(2, seed=1)


def layers_before(*last):
    """A small network that ends in other layers; its levels are about 1."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 5, stride=3), nn.BatchNorm2d(3), nn.ReLU(), *last
    network = nn.Sequential(nn.BatchNorm2d(1), *layers, nn.Flatten(), nn.LazyLinear(3)).eval()
    network[0].running_mean.fill_(-50)
    network[0].running_var.fill_(400)
    network(CLIPS)
    return network


NETWORKS = {
    "max pooling": lambda: layers_before(nn.MaxPool2d(2)),
    "max pooling with its last windows cut": lambda: layers_before(nn.MaxPool2d(3, ceil_mode=True)),
    "padded max pooling": lambda: layers_before(nn.MaxPool2d(2, padding=1)),
    "max pooling in 1-D": lambda: layers_before(nn.Flatten(2), nn.MaxPool1d(4)),
    "max pooling in 3-D": lambda: layers_before(nn.Unflatten(1, (1, 3)), nn.MaxPool3d((1, 2, 2))),
    "average pooling": lambda: layers_before(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
    "grouped convolution": lambda: layers_before(
        nn.Conv2d(3, 6, 3, groups=3, dilation=2, padding=1), nn.ReLU()
    ),
    "reflecting convolution": lambda: layers_before(
        nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), nn.ReLU()
    ),
    "Cnn10": lambda: Cnn10(3, base_channels=4).eval(),
}


@pytest.mark.filterwarnings("ignore:unrecognized nn.Module")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_deep_explainer(name):
    network = NETWORKS[name]()
    for target in range(2):
        ours = SHAP(network, BACKGROUND, batch=2)
        attribution = ours(CLIPS, target=target)
        theirs = shap.DeepExplainer(network, BACKGROUND).shap_values(CLIPS)[..., target]
        difference = (attribution.values - torch.from_numpy(theirs)).abs().max()
        assert difference <= 1e-5 * abs(theirs).max()
        assert attribution.info["additivity_gap"].nan_to_num().max() < 1e-4
        # Flatten(2) and Unflatten are for shap alone.
        assert (ours._rule is not None) == can_rescale(network)


def test_where_nothing_changes_the_multiplier_is_the_derivative():
    """A bin of digital silence in the clip and in the background: 0 / 0."""
    network = layers_before()
    background, clip = BACKGROUND.clone(), CLIPS[:1].clone()
    background[..., :20] = clip[..., :20] = -100.0
    theirs = shap.DeepExplainer(network, background).shap_values(clip)[..., 1]
    values = SHAP(network, background)(clip, target=1).values
    assert values.isfinite().all()
    assert (values - torch.from_numpy(theirs)).abs().max() <= 1e-5 * abs(theirs).max()


def test_what_is_kept_of_the_background_changes_no_bit():
    network = Cnn10(3, base_channels=4).eval()

    def logit(logits):
        return logits[:, 0]

    kept, again = (RescaleRule(network, BACKGROUND, 2, budget) for budget in (2**30, 0))
    first = kept.explain(CLIPS[:1], logit)[0]
    kept.explain(CLIPS[1:], logit)
    assert len(kept._kept) == 3
    for rule in (kept, again):
        assert rule.explain(CLIPS[:1], logit)[0].equal(first)
    assert again._kept == []


def test_a_clip_that_is_in_the_background_is_seen_as_equal(monkeypatch):
    """Sums of other batches are rounded otherwise; a pooling would take that for a change."""
    network = Cnn10(3, base_channels=64).eval()
    changes = []

    def note(module, gradient, background, multiplied=_MaxPool1d.multiplied):
        changes.append((module.clip[0] - background[0]).abs().amax((1, 2)))
        return multiplied(module, gradient, background)

    monkeypatch.setattr(_MaxPool1d, "multiplied", note)
    background = random_db(6)
    SHAP(network, background)(background[4:5], target=0)
    ((*others, same, last),) = changes
    assert same == 0
    assert min(*others, last) > 1e-3


class InPlace(nn.Module):
    """Changes the input of its ReLU after the ReLU has seen it."""

    def __init__(self):
        super().__init__()
        self.linear, self.relu, self.unused = nn.Linear(40, 3), nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, x):
        levels = x.mean(2).flatten(1) / 50 + 1
        levels += self.relu(levels)
        return self.linear(levels)


class FramesFirst(InPlace):
    """Puts the frames before the clips, so the rows of a batch are in another order."""

    def forward(self, x):
        rows = (x.mean(2) / 50 + 1).permute(2, 0, 1).reshape(-1, 1)
        return self.linear(self.relu(rows).view(x.shape[3], len(x)).T)


@pytest.mark.parametrize("kind", [InPlace, FramesFirst])
def test_what_is_computed_alone_does_not_change_the_logits(kind):
    """Also in a network that the rule is not exact for, and with a module that is not used."""
    torch.manual_seed(0)
    network = kind().eval()
    rule = RescaleRule(network, BACKGROUND)
    logits = rule._forward(0, BACKGROUND).logits
    assert torch.allclose(logits, network(BACKGROUND), atol=1e-5)
    assert all(module.alone is None for module in rule._nonlinear())


def test_the_graph_keeps_one_tensor_per_relu():
    """Convolutions and poolings keep nothing, so a hundred background clips fit into memory."""
    network = Cnn10(3, base_channels=4).eval()
    sizes = []

    def count(module, inputs, output):
        sizes.append(output.numel())

    rectifiers = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    handles = [module.register_forward_hook(count) for module in rectifiers]
    network(BACKGROUND[:1])
    for handle in handles:
        handle.remove()
    rule = RescaleRule(network, BACKGROUND, batch=1)
    rule.explain(CLIPS[:1], lambda logits: logits[:, 0])
    weights = sum(parameter.numel() for parameter in rule.network.parameters())
    assert 4 * sum(sizes) <= rule._kept[0].bytes <= 4 * (1.1 * sum(sizes) + weights)


def test_weights_that_change_are_noticed():
    network = Cnn10(3, base_channels=4).eval()
    explainer = SHAP(network, BACKGROUND)
    before = explainer(CLIPS, target=1).values
    with torch.no_grad():
        network.head.weight.mul_(2)
    assert torch.allclose(explainer(CLIPS, target=1).values, 2 * before, rtol=1e-3, atol=1e-6)


def test_a_background_that_changes_is_noticed():
    """In place, or by another tensor, which may get the place in memory of the first."""
    network = NETWORKS["Cnn10"]()
    explainer = SHAP(network, BACKGROUND.clone())
    first = explainer(CLIPS[:1], target=1).values
    explainer.background[1:] -= 20
    changed = explainer(CLIPS[:1], target=1).values
    assert not torch.allclose(first, changed, atol=1e-3 * float(first.abs().max()))
    assert changed.equal(SHAP(network, explainer.background)(CLIPS[:1], target=1).values)
    explainer.background = BACKGROUND.clone()
    assert explainer(CLIPS[:1], target=1).values.equal(first)


def test_statistics_that_change_are_noticed():
    network = layers_before(nn.MaxPool2d(2))
    explainer = SHAP(network, BACKGROUND)
    explainer(CLIPS[:1], target=1)
    network[2].running_var.mul_(4)
    changed = explainer(CLIPS[:1], target=1).values
    assert changed.equal(SHAP(network, BACKGROUND)(CLIPS[:1], target=1).values)


def test_the_batch_changes_rounding_alone():
    network = Cnn10(3, base_channels=4).eval()
    values = [SHAP(network, BACKGROUND, batch)(CLIPS, target=1).values for batch in (1, 2, 5, 9)]
    for others in values[1:]:
        assert (others - values[0]).abs().max() <= 1e-5 * values[0].abs().max()


def test_other_nonlinear_modules_go_to_shap():
    network = layers_before(nn.Sigmoid())
    explainer = SHAP(network, BACKGROUND)
    theirs = shap.DeepExplainer(network, BACKGROUND).shap_values(CLIPS)[..., 1]
    values = explainer(CLIPS, target=1).values
    assert explainer._rule is None
    assert (values - torch.from_numpy(theirs)).abs().max() <= 1e-5 * abs(theirs).max()


def test_it_can_be_pickled_after_a_call():
    explainer = SHAP(Cnn10(3, base_channels=4).eval(), BACKGROUND)
    values = explainer(CLIPS, target=1).values
    assert pickle.loads(pickle.dumps(explainer))(CLIPS, target=1).values.equal(values)


def test_the_copy_is_folded_inside_of_an_explanation():
    """The explainer's own hooks on batch normalisation must not prevent it."""
    network = Cnn10(3, base_channels=4).eval()
    explainer = SHAP(network, BACKGROUND)
    explainer(CLIPS, target=1)
    modules = list(explainer._rule.network.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
    assert explainer._rule.network.has_checked_gradients


@pytest.mark.parametrize("kind", [nn.ReLU, nn.MaxPool2d])
def test_a_rule_that_is_dropped_leaves_nothing(kind):
    """Of each network of a cascade of random weights, SHAP kept the background's activations."""

    def tensors():
        gc.collect()
        return sum(type(thing) is torch.Tensor for thing in gc.get_objects())

    nonlinear = nn.ReLU() if kind is nn.ReLU else nn.MaxPool2d(2)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nonlinear, nn.Flatten(), nn.LazyLinear(2))
    clip = torch.randn(1, 1, 8, 8)
    network.eval()(clip)
    counts = []
    for _ in range(3):
        rule = RescaleRule(network, torch.randn(3, 1, 8, 8), batch=2)
        rule.explain(clip, lambda logits: logits[:, 0])
        del rule
        counts.append(tensors())
    assert counts[0] == counts[1] == counts[2]


def flip_two_signs(weight):
    weight[:2, 1].neg_()


def flip_a_column(weight):
    weight[:, 1].neg_()


def swap_two(weight):
    weight[:2, 1] = weight[:2, 1].flip(0).clone()


def change_the_last_bit(weight):
    weight[:, 1].view(torch.int32).bitwise_xor_(1)


CHANGES = [flip_two_signs, flip_a_column, swap_two, change_the_last_bit]


@pytest.mark.parametrize("through", ["weight", "data"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_that_the_clip_does_not_show_is_noticed(change, through):
    """The clip's feature is 0 where the weights change, so its own logits stay."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    background, clip = torch.randn(4, 1, 2, 4), torch.randn(1, 1, 2, 4)
    clip.view(-1)[1] = 0
    explainer = SHAP(network, background)
    explainer(clip, 0)
    kept = explainer._rule
    explainer(clip, 0)
    assert explainer._rule is kept
    with torch.no_grad():
        change(network[1].weight if through == "weight" else network[1].weight.data)
    changed = explainer(clip, 0).values
    assert explainer._rule is not kept
    assert changed.equal(SHAP(network, background)(clip, 0).values)


@pytest.mark.parametrize(
    "weights",
    [
        torch.rand(1000, 1001) + 1,
        torch.rand(8, 4, 3, 3).to(memory_format=torch.channels_last),
        torch.rand(9)[1:],
        torch.rand(7),
        torch.rand(1000).bfloat16(),
        torch.tensor(5),
    ],
    ids=["many", "channels_last", "a slice", "odd", "bfloat16", "a count"],
)
def test_the_last_bit_of_a_weight_is_compared(weights):
    before = weights.clone()
    assert _are_equal([weights], [before])
    bits = weights.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[weights.element_size()])
    bits.view(-1)[:1].add_(1) if bits.is_contiguous() else bits[0, 0, 0, 0].add_(1)
    assert not _are_equal([weights], [before])


def test_weights_of_another_number_or_type_are_not_equal():
    assert _are_equal([], [])
    assert not _are_equal([torch.ones(2)], [])
    assert not _are_equal([torch.ones(2)], [torch.ones(3)])
    assert not _are_equal([torch.ones(2)], [torch.ones(2).double()])
    assert not _are_equal([torch.ones(2)], [torch.ones(2, device="meta")])
