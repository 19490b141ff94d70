"""Outputs that are no logits, or no numbers, where an explainer or a curve meets them directly."""

import warnings

import captum.attr
import pytest
import torch
from conftest import noise, small_classifier, small_set
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.model.classifier import Classifier
from audiointerp.predict import score
from audiointerp.scoring.curves import curves

PROBABILITIES = r"in \[0, 1\] and sum to 1.*output='probabilities'"


def ends_in_softmax():
    """A network of probabilities, the only object of its kind."""
    return nn.Sequential(small_classifier().network, nn.Softmax(-1))


@pytest.mark.parametrize(
    "method", [ai.Saliency, lambda network: ai.LIME(network, "grid", samples=120)]
)
def test_an_explainer_that_is_called_directly_warns_of_probabilities(method):
    explainer = method(ends_in_softmax())
    db = small_classifier().transform(noise(1.0)).db
    with pytest.warns(UserWarning, match=PROBABILITIES) as caught:
        explainer(db)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings(action="error"):
        # Once for a network, whatever explains it.
        explainer(db)
        method(explainer.network)(db)
        method(ends_in_softmax())(db, output="probabilities")
        method(small_classifier().network)(db)


def test_a_network_in_a_classifier_is_warned_of_once():
    network = ends_in_softmax()
    classifier = Classifier(network, ai.LogMel(), ["a", "b", "c"], 1.0)
    with pytest.warns(UserWarning, match=r"give Classifier\(…, output='probabilities'\)") as caught:
        ai.interpret(classifier, noise(1.0), "saliency")
    assert len(caught) == 1
    with warnings.catch_warnings(action="error"):
        ai.interpret(classifier, noise(1.0), "saliency")


UNSEEING = {
    "deeplift": (captum.attr.DeepLift, {"baselines": -100.0}),
    "deepliftshap": (
        captum.attr.DeepLiftShap,
        {"baselines": lambda db: db.expand(2, 1, -1, -1) - 1},
    ),
    "lrp": (captum.attr.LRP, {}),
    "layer": (lambda explained: captum.attr.LayerDeepLift(explained, first_layer(explained)), {}),
    "noise tunnel": (
        lambda explained: captum.attr.NoiseTunnel(captum.attr.DeepLift(explained)),
        {},
    ),
}


def first_layer(explained):
    return next(module for module in explained.modules() if isinstance(module, nn.Conv2d))


@pytest.mark.parametrize("name", UNSEEING)
@pytest.mark.parametrize("output", ["probabilities", "independent_probabilities"])
def test_a_captum_method_that_cannot_see_the_logarithm_is_refused(name, output):
    make, arguments = UNSEEING[name]
    last = nn.Softmax(-1) if output == "probabilities" else nn.Sigmoid()
    network = nn.Sequential(small_classifier().network, last)
    db = small_classifier().transform(noise(1.0)).db
    explainer = ai.Captum(network, make, name="mine", **arguments)
    with pytest.raises(ArgumentError, match=rf"mine explains logits .* output='{output}' needs"):
        explainer(db, output=output)


def test_a_captum_method_that_takes_gradients_explains_the_logarithm():
    """log p of a softmax is the logit less a sum, so its gradient is that by hand."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    db = torch.randn(1, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    explainer = ai.Captum(nn.Sequential(network, nn.Softmax(-1)), captum.attr.InputXGradient)
    values = explainer(db, target=1, output="probabilities").values
    weight, p = network[1].weight, network(db).softmax(-1)
    expected = db * (weight[1] - p[0] @ weight).view(1, 1, 2, 3)
    assert torch.allclose(values, expected.detach(), atol=1e-6)


class NaNWithout(nn.Module):
    """Two classes, and NaN for a clip without its first bin but with its last one."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 2)

    def forward(self, db):
        is_broken = (db[:, 0, 0, 0] == -100) & (db[:, 0, -1, -1] > -100)
        logits = self.head(db.mean((2, 3)))
        return logits.masked_fill(is_broken[:, None], torch.nan)


def test_nan_on_a_curve_costs_its_area_only():
    classifier = Classifier(NaNWithout(), ai.LogMel(), ["a", "b"], 1.0)
    spectrogram = classifier.transform(noise(1.0))
    # The first bin is removed first, and the last one last.
    values = -torch.arange(float(spectrogram.db.numel())).view_as(spectrogram.db)
    result = curves(classifier, spectrogram, torch.tensor([0]), values, steps=4)
    assert result.deletion.isnan().tolist() == [False, True, True, True, False]
    assert result.deletion_area != result.deletion_area
    assert 0 < result.insertion_area < 1


class NaNForSilence(nn.Module):
    """A network that divides by the level above silence."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, db):
        is_silent = (db <= -100).flatten(1).all(1)
        return self.network(db).masked_fill(is_silent[:, None], torch.nan)


def test_nan_on_a_curve_costs_no_clip():
    clips = small_set(count=2)
    whole = small_classifier(10)

    broken = Classifier(NaNForSilence(whole.network), ai.LogMel(), clips.labels, 1.0)
    arguments = (clips, ["saliency"], ["minmax"])
    settings = {"on": "features", "fill": "silence", "nulls": [], "progress": False}
    rows = score(broken, *arguments, curves=True, **settings)
    expected = score(
        Classifier(whole.network, ai.LogMel(), clips.labels, 1.0),
        *arguments,
        **settings,
    )
    assert rows["status"].tolist() == ["ok", "ok"]
    assert rows["FF"].tolist() == pytest.approx(expected["FF"].tolist(), abs=1e-6)
    assert rows[["deletion", "insertion"]].isna().all(axis=None)


class WithAuxiliaryHead(nn.Module):
    """A network with a head for training, which runs last and does not reach the logits."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        self.auxiliary = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, db):
        maps = self.body(db)
        logits = self.head(maps.mean((2, 3)))
        self.auxiliary(maps)
        return logits


def test_a_head_that_does_not_reach_the_logits_is_not_the_layer_of_gradcam():
    attribution = ai.GradCAM(WithAuxiliaryHead())(torch.randn(1, 1, 16, 20))
    assert attribution.info["layer"] == "body"
