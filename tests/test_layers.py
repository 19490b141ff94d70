"""Which layer a class activation map is made of, and which of its axes is time: measured."""

import random

import captum.attr
import numpy as np
import pytest
import torch
from conftest import noise, small_classifier
from torch import nn

from audiointerp import interpret
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation import Captum, is_constant
from audiointerp.interpretation.gradcam import GradCAM, GuidedGradCAM, LayerCAM
from audiointerp.interpretation.layers import measure_layer

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")


class Wrapped(nn.Module):
    """A network of one's own around a network; it says nothing about the axes."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        return self.network(db)


class Fixed(Wrapped):
    """A network that takes clips of one length alone, and says so before any layer runs."""

    def forward(self, db):
        if db.shape[3] != 101:
            raise AssertionError("input size (64, 202) does not match the model (64, 101)")
        return self.network(db)


def tone(seconds=1.0):
    """Features in which time and frequency cannot be taken for each other."""
    classifier = small_classifier()
    time = torch.arange(round(32000 * seconds)) / 32000
    sound = torch.sin(6000 * time * time)[None, None] * (time > 0.6)
    return classifier.network, classifier.transform(sound + 0.01 * noise(seconds)).db


WRAPPERS = {
    "DataParallel": nn.DataParallel,
    "Sequential": lambda network: nn.Sequential(network),
    "own": Wrapped,
}


def captum_of_layer(network, layer):
    def make(score):
        return captum.attr.LayerGradCam(score, layer)

    return Captum(network, make, relu_attributions=False)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_does_not_turn_the_map(wrapper):
    """The map was turned: its correlation with the right one was 0.35 to 0.52 here."""
    network, db = tone()
    wrapped = WRAPPERS[wrapper](network)
    for method in (GradCAM, LayerCAM, GuidedGradCAM):
        bare = method(network)(db, target=1)
        attribution = method(wrapped)(db, target=1)
        assert attribution.values.equal(bare.values)
        assert attribution.info["layer"].endswith("conv_block4.conv2")
        assert attribution.info["grid"] == bare.info["grid"] == (8, 12)
    layer = network.conv_block3.conv2
    values = captum_of_layer(wrapped, layer)(db, target=1).values
    assert torch.allclose(values, GradCAM(network, layer)(db, target=1).values, atol=1e-7)


def test_a_network_of_one_length_is_measured_up_to_where_it_refuses():
    torch.manual_seed(0)
    turned = nn.Conv2d(1, 4, 3, padding=1)
    network = nn.Sequential(turned, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64 * 101, 2))
    _, db = tone()
    assert GradCAM(network)(db).info["grid"] == (64, 101)
    assert measure_layer(network, db).layout == "FT"


def test_what_cannot_be_measured_is_asked_for():
    network, db = tone()
    expected = GradCAM(network)(db, target=1).values
    layer = network.conv_block4.conv2
    fixed = Fixed(network)
    for explainer in (
        GradCAM(fixed),
        GradCAM(fixed, layer),
        LayerCAM(fixed),
        captum_of_layer(fixed, layer),
    ):
        with pytest.raises(ArgumentError, match=r"conv_block4\.conv2.* give layout='FT' if"):
            explainer(db)
    with pytest.raises(ArgumentError, match=r"another grid.* give layout='FT' if"):
        Captum(fixed, Unknown)(db)
    assert GradCAM(fixed, layout="TF")(db, target=1).values.equal(expected)
    fixed.activation_layout = "TF"
    assert GradCAM(fixed)(db, target=1).values.equal(expected)
    fixed.activation_layout = "XY"
    with pytest.raises(ArgumentError, match="XY"):
        GradCAM(fixed)(db)


def test_captum_s_guided_gradcam_is_refused_where_it_turns_the_map():
    network, db = tone()
    layer = network.conv_block4.conv2

    def guided(score):
        return captum.attr.GuidedGradCam(score, layer)

    with pytest.raises(ArgumentError, match="use guided_gradcam"):
        Captum(Wrapped(network), guided)(db)


class Unknown:
    """Has attributions on a grid of its own, as a captum method may."""

    def __init__(self, score):
        self.score = score

    def attribute(self, db):
        return torch.zeros(1, 1, 4, 5)


def test_a_layout_that_is_measured_to_be_wrong_is_refused():
    """A layout of one's own was believed; the map of "FT" was turned."""
    network, db = tone()
    with pytest.raises(ArgumentError, match=r"layout='FT' is wrong.*axis 2 .*leave layout out"):
        GradCAM(network, layout="FT")(db)
    assert GradCAM(network, layout="TF")(db).values.equal(GradCAM(network)(db).values)


class Counted(Wrapped):
    calls = ()

    def forward(self, db):
        Counted.calls = (*Counted.calls, tuple(db.shape))
        self.last = db.shape
        return self.network(db)


def test_a_layer_is_measured_once():
    network, db = tone()
    counted = Counted(network)
    counted.last = "untouched"
    counted.network.pool_time.kernel_size = 7
    state = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    measure_layer(counted.eval(), db)
    assert [shape[3] for shape in Counted.calls] == [101, 202]
    assert counted.last == "untouched"
    assert counted.network.pool_time.kernel_size == 7
    Counted.calls = ()
    explainer = GradCAM(counted)
    for _ in range(3):
        explainer(db.expand(2, -1, -1, -1))
    # Two runs for repeatability, two beside a louder clip, two for the layer, then one per call.
    assert [shape[0] for shape in Counted.calls] == [1, 1, 2, 2, 1, 1, 2, 2, 2]
    assert torch.get_rng_state().equal(state[0])
    assert np.random.get_state()[1].tolist() == state[1]
    assert random.getstate() == state[2]


def test_the_network_behind_the_layer_does_not_see_the_longer_clip():
    """On a GPU, an embedding of too many positions would end the process."""

    class Positions(Wrapped):
        def forward(self, db):
            x = self.network(db)
            lengths.append(x.shape[3])
            return x.mean((2, 3))

    lengths = []
    GradCAM(Positions(nn.Conv2d(1, 3, 3)))(torch.randn(1, 1, 8, 20))
    assert set(lengths) == {18}


class Mobile(nn.Module):
    """A network with a 1 x 1 convolution behind the pooling, and a head that is not used."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, stride=2)
        self.last = nn.Conv2d(4, 6, 3, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Conv2d(6, 3, 1)
        self.auxiliary = nn.Conv2d(6, 3, 3)

    def forward(self, db):
        x = self.last(self.first(db).relu()).relu()
        return self.head(self.pool(x)).flatten(1)


def test_the_layer_is_the_last_that_runs_and_still_knows_time():
    """The unused head was taken before, and without it the one behind the pooling."""
    torch.manual_seed(0)
    network, db = Mobile(), torch.randn(2, 1, 20, 31)
    attribution = GradCAM(network)(db)
    assert attribution.info["layer"] == "last"
    assert attribution.info["grid"] == (4, 7)
    assert attribution.values.equal(GradCAM(network, "last")(db).values)
    assert not any(is_constant(values) for values in attribution.values)
    with pytest.raises(ArgumentError, match=r"auxiliary \(Conv2d\) is not used in the forward"):
        GradCAM(network, "auxiliary")(db)
    only_a_head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 3, 1), nn.Flatten())
    with pytest.raises(ArgumentError, match="more than one cell in time; give layer="):
        GradCAM(only_a_head)(db)


class Transformer(nn.Module):
    """A transformer on patches of 4 x 4, as ViT and AST are."""

    def __init__(self, stride, tokens=None):
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride)
        self.positions = nn.Parameter(torch.randn(1, tokens, 8)) if tokens else 0.0
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, 3)

    def forward(self, db):
        x = self.patches(db).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.block(x).mean(1))


class Overlapping(Transformer):
    def __init__(self):
        super().__init__(4)
        self.patches = nn.Conv2d(1, 8, 16, 10)


@pytest.mark.parametrize("make", [lambda: Transformer(4), lambda: Transformer(4, 48), Overlapping])
def test_the_patches_of_a_transformer_are_not_explained(make):
    """They were, and a picture came out."""
    torch.manual_seed(0)
    network = make().eval()
    db = torch.randn(1, 1, 24, 32)
    for method in (GradCAM, LayerCAM):
        with pytest.raises(ArgumentError, match=r"patches \(Conv2d\).*use occlusion, lime"):
            method(network)(db)
    assert GradCAM(network, "patches")(db).info["layer"] == "patches"
    # A network of convolutions may begin with patches.
    convolutions = nn.Sequential(
        nn.Conv2d(1, 4, 4, 4), nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert GradCAM(convolutions)(db).info["layer"] == "1"


ACTIVATIONS = [nn.GELU(), nn.SiLU(), nn.LeakyReLU(), nn.Hardswish(), nn.ReLU6(), nn.Tanh()]


def activated(*layers):
    return nn.Sequential(nn.Conv2d(1, 3, 3), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_guided_backpropagation_refuses_what_is_no_relu(activation):
    """The plain gradient came out under its name."""
    db = torch.randn(1, 1, 8, 9)
    name = type(activation).__name__
    for network in (activated(activation), activated(nn.ReLU(), nn.Conv2d(3, 3, 3), activation)):
        with pytest.raises(ModelError, match=rf"cannot see .* \({name}\).*use gradcam"):
            GuidedGradCAM(network)(db)
    with pytest.raises(ModelError, match=r"runs no nn\.ReLU"):
        GuidedGradCAM(activated())(db)
    GuidedGradCAM(activated(nn.ReLU(inplace=True), nn.MaxPool2d(2)))(db)


class Residual(nn.Module):
    """A network that adds to the activations of a layer in place, or out of place."""

    def __init__(self, in_place):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.head, self.in_place = nn.Linear(4, 3), in_place

    def forward(self, db):
        x = self.first(db)
        y = self.layer(x)
        if self.in_place:
            y += x
        else:
            y = y + x
        return self.head(y.relu().mean((2, 3)))


@pytest.mark.parametrize("method", [GradCAM, LayerCAM])
def test_activations_are_read_before_they_are_changed(method):
    """LayerCAM read the sum: its map had a correlation of 0.49 with the right one."""
    db = torch.randn(2, 1, 12, 17)
    changed, unchanged = (method(Residual(way))(db, target=1).values for way in (True, False))
    assert changed.equal(unchanged)


def test_the_layer_is_in_the_info_and_scoring_and_pages_take_it():
    classifier = small_classifier()
    result = interpret(classifier, noise(2.5), "gradcam")
    assert not result.arbitrary
    assert "gradcam" in repr(result)
    assert result._repr_html_()
