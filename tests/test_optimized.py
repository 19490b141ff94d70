"""The faster copy scores as the network does, and is made anew by each call."""

import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier, small_set
from torch import nn

from audiointerp import Classifier, Cnn6, LogMel, Occlusion, Saliency, score
from audiointerp.dataset import LoadedClip
from audiointerp.errors import ArgumentError
from audiointerp.model import optimized
from audiointerp.scoring import RecentAttributions
from audiointerp.scoring.recent import AnalysedClip

SCORES = ["p", "p_in", "p_out", "FF", "AD"]


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    clips = small_set()
    network = Cnn6(len(clips.labels), base_channels=4)
    network.bn0.running_mean.fill_(-50)
    network.bn0.running_var.fill_(400)
    return Classifier(network, LogMel(), clips.labels, 1.0)


def coarse_occlusion(classifier):
    """Of large patches: the order of its values is not decided by rounding, and it is fast."""
    return Occlusion(classifier.network, samples=100)


@pytest.mark.parametrize("on", ["features", "audio"])
def test_it_scores_and_explains_as_the_network_does(classifier, on):
    settings = {"masks": ["topK_30", "minmax"], "on": on, "fill": "silence", "progress": False}
    methods = ["saliency", "gradcam", coarse_occlusion(classifier)]
    fast, plain = (
        score(classifier, small_set(count=2), methods, optimize=name, **settings)
        for name in ("folded", "none")
    )
    assert fast["optimize"].unique().tolist() == ["folded"]
    assert plain["optimize"].unique().tolist() == ["none"]
    keys = ["method", "clip", "mask", "predicted", "explained", "layer"]
    pd.testing.assert_frame_equal(fast[keys], plain[keys])
    # A bin more or less in the mask of saliency, whose order rounding decides, is allowed for.
    assert (fast["p"] - plain["p"]).abs().max() < 1e-5
    assert (fast[SCORES] - plain[SCORES]).abs().max().drop("AD").max() < 1e-3


def test_class_activation_maps_see_the_network_itself(classifier):
    """The copy's convolutions contain the normalisation; the map is of what was before it."""
    values = []
    for name in ("folded", "none"):
        rows = score(
            classifier, small_set(count=1), ["gradcam"], ["minmax"], optimize=name, progress=False
        )
        values.append(rows["SPS"].item())
    assert values[0] == pytest.approx(values[1], rel=1e-5)


class Scaled(nn.Module):
    """Divides its logits by an attribute that is no weight."""

    def __init__(self, network):
        super().__init__()
        self.network, self.temperature = network, 1.0

    def forward(self, db):
        return self.network(db) / self.temperature


def ablate(module, inputs, output):
    return output * 0


@pytest.mark.parametrize("change", ["weights", "attribute", "hook"])
def test_no_copy_is_older_than_the_call(classifier, change):
    """What has changed since an earlier call, or is no weight, counts."""
    model = Classifier(Scaled(classifier.network), LogMel(), classifier.labels, 1.0)
    settings = {"masks": ["topK_30"], "nulls": [], "progress": False}

    def p_in(optimize):
        methods = [coarse_occlusion(model)]
        rows = score(model, small_set(count=1), methods, optimize=optimize, **settings)
        return rows["p_in"].item()

    before = p_in("folded")
    if change == "weights":
        # Not noted by torch's own counter of versions, and of the same sum.
        weight = model.network.network.head.weight
        weight.data = weight.data.flip(0)
    elif change == "attribute":
        model.network.temperature = 0.1
    else:
        model.network.network.conv_block2.bn1.register_forward_hook(ablate)
    assert p_in("folded") == pytest.approx(p_in("none"), abs=1e-5)
    assert p_in("folded") != pytest.approx(before, abs=1e-4)


class Loud(nn.Module):
    """Answers quiet clips in another way, which random levels do not show."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        logits = self.network(db)
        is_copy = isinstance(self.network.conv_block1.bn1, nn.Identity)
        return logits + 3 * (is_copy and db.mean() < -45) * torch.arange(logits.shape[1])


def test_a_copy_that_disagrees_on_a_clip_is_not_used_for_it(classifier):
    labels = classifier.labels
    model = Classifier(Loud(classifier.network), LogMel(), labels, normalize="none")
    assert optimized(model, "folded") is not model
    clip = 1e-5 * torch.randn(1, 160000)
    assert model.transform(clip[None]).db.mean() < -45
    rows = score(model, [((clip[0], 32000), labels[0])], ["saliency"], ["topK_30"])
    assert rows["optimize"].tolist() == ["none"]


class Flattened(nn.Module):
    """Takes several clips only in the plain layout in memory."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 10)

    def forward(self, db):
        x = self.bn(self.conv(db)).relu()
        flat = x.view(x.shape[0] * x.shape[1], 1, *x.shape[2:])
        return self.head(flat.mean((1, 2, 3)).view(len(db), -1))


def test_a_network_whose_copy_takes_one_clip_alone_has_none():
    model = Classifier(Flattened(), LogMel(), list("abcdefghij"))
    assert optimized(model, "folded") is model


def test_a_model_of_sounds(classifier):
    front_end = Sounds(classifier.network)
    model = Classifier.from_waveform(
        front_end, classifier.labels, sample_rate=32000, duration=5.0, normalize="none"
    )
    assert optimized(model, "folded") is not model
    fast, plain = (
        score(model, small_set(count=1), ["saliency"], ["topK_30"], optimize=name, progress=False)
        for name in ("folded", "none")
    )
    assert fast["status"].tolist() == plain["status"].tolist() == ["ok"]
    assert (fast["p_in"] - plain["p_in"]).abs().max() < 1e-4


class Sounds(nn.Module):
    """A network with a front end of its own."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.filters = nn.Conv1d(1, 64, 1024, 320, bias=False)

    def forward(self, wav):
        power = self.filters(wav[:, None] if wav.ndim == 2 else wav).square()
        return self.network(10 * (power + 1e-10).log10()[:, None])


def test_nothing_is_run_where_there_is_nothing_to_fold():
    calls = []

    def predict(wavs):
        calls.append(len(wavs))
        return torch.ones(len(wavs), 2).numpy() / 2

    function = Classifier.from_function(
        predict, ["a", "b"], sample_rate=8000, duration=1.0, normalize="none"
    )
    assert optimized(function, "folded") is function
    assert calls == []


def test_a_wrong_name_names_the_right_ones(classifier):
    with pytest.raises(ArgumentError, match="folded"):
        score(classifier, small_set(count=1), ["saliency"], optimize="fold", progress=False)


def test_a_kept_copy_is_that_of_the_classifier_and_of_the_setting(classifier):
    """Whatever was asked for before."""
    kept, other = RecentAttributions(), small_classifier(10, seed=1)
    db = classifier.transform(noise(1.0)).db
    assert kept.fast(classifier, "none") is classifier
    copies = [kept.fast(each, "folded") for each in (classifier, other)]
    for copy, each in zip(copies, (classifier, other), strict=True):
        assert isinstance(copy.network.conv_block1.bn1, nn.Identity)
        assert torch.allclose(copy.probabilities(db), each.probabilities(db), atol=1e-5)
        assert kept.fast(each, "folded") is copy
        assert kept.fast(each, "none") is each
    assert not torch.allclose(*(copy.probabilities(db) for copy in copies), atol=1e-5)


def test_a_kept_attribution_is_that_of_the_network():
    kept, classifiers = RecentAttributions(), [small_classifier(seed=seed) for seed in (0, 1)]
    wav = noise(1.0)[0]
    clip = AnalysedClip(LoadedClip("a", "a", wav, "b", "0"), classifiers[0].transform(wav[None]))
    for classifier in classifiers:
        explainer = Saliency(classifier.network)
        expected = explainer(clip.spectrogram.db, 1).values
        assert kept.explain(classifier, clip, explainer, 1).values.equal(expected)
