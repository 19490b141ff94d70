"""A network with its own front end, explained on the levels of an equal transform."""

import math

import pytest
import torch
import torchaudio
from conftest import around_peak, noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.model import network_on_levels
from audiointerp.model.equal_features import LARGEST_DIFFERENCE
from audiointerp.processing import Scaling

NATURAL = math.log(10) / 10


class FrontEnd(nn.Module):
    """Natural logarithms of mel power by torchaudio, standardised: ``(N, T, F)`` of ``(N, L)``."""

    def __init__(self, f_max=14000.0, floor=1e-10):
        super().__init__()
        self.mel = torchaudio.transforms.MelSpectrogram(
            32000, 1024, hop_length=320, n_mels=64, f_min=50.0, f_max=f_max
        )
        self.floor = floor

    def forward(self, wav):
        return (self.mel(wav).clamp_min(self.floor).log().transpose(1, 2) + 3) / 2


class Behind(nn.Module):
    """A network of ours, of what the front end above makes; returns a dictionary."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, features):
        db = (2 * features - 3) / NATURAL
        return {"embedding": db, "logits": self.network(db.transpose(1, 2)[:, None])}


@pytest.fixture
def direct():
    return small_classifier()


def on_levels(classifier, front_end=None, transform=None):
    network = Behind(classifier.network).eval()
    return network_on_levels(front_end or FrontEnd(), network, transform or classifier.transform)


def test_the_outputs_are_those_of_the_front_end_and_the_network(direct):
    network = on_levels(direct)
    assert network.order == "(N, T, F)"
    assert network.scale.weight.item() == pytest.approx(NATURAL / 2, rel=1e-4)
    assert network.scale.bias.item() == pytest.approx(1.5, rel=1e-4)
    wav = noise(1.0)
    expected = Behind(direct.network)(FrontEnd()(wav[:, 0]))["logits"]
    classifier = ai.Classifier(network, direct.transform, direct.labels, 1.0)
    assert torch.allclose(classifier.logits(classifier.transform(wav).db), expected, atol=1e-4)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "gradcam", "layercam"])
def test_maps_are_those_of_the_network_itself_on_a_real_clip(direct, clips, method):
    foreign = ai.Classifier(on_levels(direct), direct.transform, direct.labels, 1.0)
    wav = around_peak(clips[0], 32000)
    pair = [
        ai.interpret(classifier, wav, method, target=1).attribution.values.flatten()
        for classifier in (direct, foreign)
    ]
    assert torch.corrcoef(torch.stack(pair))[0, 1] > 0.9999


def test_shap_takes_the_network_too(direct):
    foreign = ai.Classifier(on_levels(direct), direct.transform, direct.labels, 1.0)
    db, background = (direct.transform(noise(1.0, seed=seed)).db for seed in range(2))
    pair = [
        ai.SHAP(classifier.network, background)(db, target=1).values.flatten()
        for classifier in (direct, foreign)
    ]
    assert torch.corrcoef(torch.stack(pair))[0, 1] > 0.999


@pytest.mark.parametrize("order", ["(N, 1, F, T)", "(N, 1, T, F)", "(N, F, T)"])
def test_other_orders_of_axes_are_found(direct, order):
    class Ordered(nn.Module):
        def forward(self, wav):
            db = direct.transform(wav[:, None]).db
            return {
                "(N, 1, F, T)": db,
                "(N, 1, T, F)": db.transpose(2, 3),
                "(N, F, T)": db[:, 0],
            }[order]

    network = network_on_levels(Ordered(), nn.Flatten(), direct.transform)
    assert network.order == order
    # The network's features are the front end's.
    wav = noise(1.0)
    assert torch.allclose(
        network(direct.transform(wav).db), Ordered()(wav[:, 0]).flatten(1), atol=1e-3
    )


def test_a_front_end_that_takes_a_channel(direct):
    front_end = nn.Sequential(nn.Identity(), FrontEnd().mel, torchaudio.transforms.AmplitudeToDB())
    network = network_on_levels(front_end, nn.Flatten(), direct.transform)
    assert network.order == "(N, F, T)"


def test_a_transform_with_a_scaling_of_its_own():
    scaling = Scaling("natural", offset=1e-6, normalize="clip", epsilon=1e-8, correction=1)
    transform = ai.LogMel(scaling=scaling)

    class Standardised(nn.Module):
        def forward(self, wav):
            values = (FrontEnd().mel(wav) + 1e-6).log()
            mean, std = (f(dim=(1, 2), keepdim=True) for f in (values.mean, values.std))
            return (values - mean) / (std + 1e-8)

    network = network_on_levels(Standardised(), nn.Flatten(), transform)
    assert network.scale.weight.item() == pytest.approx(1, rel=1e-3)
    with pytest.raises(ModelError, match=r"does not compute what LogMel computes"):
        network_on_levels(Standardised(), nn.Flatten(), ai.LogMel())


@pytest.mark.parametrize(
    "front_end",
    [FrontEnd(f_max=12000.0), FrontEnd(floor=1e-6), nn.Sequential(FrontEnd(), nn.ReLU())],
    ids=["bands", "floor", "not linear"],
)
def test_a_front_end_that_computes_something_else_is_refused(direct, front_end):
    with pytest.raises(ModelError, match=r"does not compute .* dB apart, in .* use Classifier\."):
        on_levels(direct, front_end)


def test_features_of_another_shape_are_refused(direct):
    with pytest.raises(ModelError, match=r"features \(6, 46, 64\) of 14599 samples, and the"):
        on_levels(direct, transform=ai.LogMel(n_mels=40))


class Fails(nn.Module):
    def forward(self, wav):
        raise ValueError("a sound of 1 s, please")


class ReturnsPair(nn.Module):
    def forward(self, wav):
        return wav, wav


def test_front_ends_that_cannot_take_sounds_are_refused(direct):
    with pytest.raises(ModelError, match=r"Fails cannot take sounds .* a sound of 1 s, please"):
        on_levels(direct, Fails())
    with pytest.raises(ModelError, match=r"ReturnsPair cannot take sounds .* returned a tuple"):
        on_levels(direct, ReturnsPair())
    with pytest.raises(ArgumentError, match="a module, not a function"):
        on_levels(direct, lambda wav: wav)


def test_a_constant_front_end_is_refused(direct):
    class Constant(nn.Module):
        def forward(self, wav):
            return torch.zeros_like(direct.transform(wav[:, None]).db)

    with pytest.raises(ModelError, match=r"does not compute what LogMel computes"):
        on_levels(direct, Constant())


class OfPower(nn.Module):
    """A function of the mel power ``(N, 64, T)``."""

    def __init__(self, function):
        super().__init__()
        self.mel, self.function = FrontEnd().mel, function

    def forward(self, wav):
        return self.function(self.mel(wav))


def in_db(power):
    return 10 * power.clamp_min(1e-10).log10()


CALLS = []


def with_state(power):
    CALLS.append(0)
    return in_db(power) + len(CALLS)


def batch_standardised(power):
    db = in_db(power)
    return (db - db.mean()) / db.std()


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda power: (power + 1e-10).log(), "noise that fades in"),
        (lambda power: in_db(power).clamp_max(30), "a loud tone"),
        (torchaudio.transforms.AmplitudeToDB(top_db=120), "dB apart, in noise that fades in"),
        (lambda power: in_db(power) - in_db(power).amax(), "in another batch"),
        (batch_standardised, "in another batch"),
        (with_state, "in a second call"),
    ],
    ids=["offset", "limit", "top_db", "batch maximum", "batch statistics", "state"],
)
def test_what_differs_on_some_sounds_or_batches_alone_is_refused(direct, function, reason):
    with pytest.raises(ModelError, match=reason):
        network_on_levels(OfPower(function), nn.Flatten(), direct.transform)


def test_another_number_of_frames_at_another_length_is_refused(direct):
    class NoLastFrame(nn.Module):
        def forward(self, wav):
            return in_db(FrontEnd().mel(wav))[..., : math.ceil(wav.shape[-1] / 320)]

    with pytest.raises(ModelError, match=r"features \(3, 64, 45\) of 14400 samples"):
        network_on_levels(NoLastFrame(), nn.Flatten(), direct.transform)


def test_an_equal_front_end_is_equal_on_real_clips(direct, clips):
    front_end = OfPower(in_db)
    network = network_on_levels(front_end, nn.Flatten(), direct.transform)
    for clip in clips:
        wav = around_peak(clip, 32000)
        levels = network(direct.transform(wav).db)
        assert (levels - front_end(wav[:, 0]).flatten(1)).abs().max() < LARGEST_DIFFERENCE
