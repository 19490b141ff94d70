"""Clips that are not as long as a window: one map, of the clip's own probability; nothing is lost
unseen.
"""

from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
import torch
from conftest import noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.display import interpretation_page, method_notes
from audiointerp.errors import ArgumentError
from audiointerp.interpretation import additivity_gap, outside_share
from audiointerp.model import windows_of
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret
from audiointerp.scoring import explain_clip
from audiointerp.scoring.pooling import window_weights
from audiointerp.util.probability import log_probabilities

WEIGHTS = Path(__file__).parents[1] / "weights"


def spread(classifier, db):
    """Spread the logits of an untrained network, so that there is a difference to explain."""
    with torch.no_grad():
        classifier.network.head.weight *= 5 / classifier.network(db).std()
    return classifier


def events(seconds):
    """Noise with a loud second in every four, so that the windows of a clip differ."""
    wav = noise(seconds)
    loud = torch.arange(wav.shape[-1]) // 32000 % 4 == 1
    return torch.where(loud, 5.0, 0.02) * wav


def slopes(logits, shares, target, against, output, explains="logit"):
    """The derivatives of a clip's p, by autograd in place of formulas, divided by the largest."""
    logits = logits.clone().requires_grad_()
    own = logits.softmax(1) if output == "softmax" else logits.sigmoid()
    p = shares @ own
    if against is None:
        (slope,) = torch.autograd.grad(p[target], logits)
        slope, own_slope = slope[:, target], own[:, target] * (1 - own[:, target])
    else:
        log_odds = p.log() if output == "softmax" else p.logit()
        (slope,) = torch.autograd.grad((log_odds[target] - log_odds[against]).sigmoid(), logits)
        slope = (slope[:, target] - slope[:, against]) / 2
        of_two = (logits[:, target] - logits[:, against]).sigmoid()
        own_slope = of_two * (1 - of_two)
    slope = (slope / own_slope if explains == "probability" else slope).detach()
    return slope / slope.max()


@pytest.mark.parametrize("explains", ["logit", "probability"])
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("against", [None, 2])
def test_a_weight_is_the_derivative_of_the_clips_probability(explains, output, against):
    logits = 2 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double()
    shares = torch.tensor([0.3, 0.3, 0.3, 0.1], dtype=torch.float64)
    logs = log_probabilities(logits, output)
    weights = window_weights(logs, shares, 0, against, output=output, explains=explains)
    assert torch.allclose(weights, slopes(logits, shares, 0, against, output, explains))
    assert weights.max() == 1


def test_weights_by_hand():
    """p is 0.5, 0.9 and 1 - 1e-30; what explains p itself is weighted by the frames."""
    logits = torch.tensor([[1.0, 1.0], [9.0, 1.0], [1e30, 1.0]], dtype=torch.float64).log()
    logs = log_probabilities(logits)
    shares = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    weights = window_weights(logs, shares, 0)
    assert weights.tolist() == pytest.approx([1, 2 * 0.36, 4e-30])
    of_probabilities = window_weights(logs, shares, 0, explains="probability")
    assert of_probabilities.tolist() == pytest.approx([0.5, 1, 0.5])
    assert window_weights(logs, shares, 0, explains="nothing").tolist() == [1, 1, 1]
    # If the logits fall by these, p falls by 0.4, by 0.4 and by 1 - 1e-30: 1 / (1 + exp(-u)).
    falls = torch.tensor([9.0, 9.0, 1e60], dtype=torch.float64).log()
    drops = torch.tensor([0.25 * 0.4, 0.5 * 0.4, 0.25]) / falls
    of_falls = window_weights(logs, shares, 0, differences=falls)
    assert of_falls.tolist() == pytest.approx((drops / drops.max()).tolist())
    nearly = window_weights(logs, shares, 0, differences=torch.tensor([0.0, 1e-7, -1e-7]))
    assert nearly.tolist() == pytest.approx(weights.tolist(), rel=1e-4)
    with pytest.raises(ArgumentError, match="unknown explains 'mood'"):
        window_weights(logs, shares, 0, explains="mood")


def test_the_map_of_a_long_clip_is_that_of_its_own_probability():
    """Saliency of two windows is the gradient of the clip's p, up to one factor."""
    classifier = small_classifier()
    # The p of a label by itself depends on its own logit only, which is what is explained.
    classifier.output = "sigmoid"
    size = windows_of(classifier, classifier.transform(noise(1.0))).size
    long = classifier.transform(events(3.0))
    parts = {name: getattr(long, name)[..., : 2 * size] for name in ("db", "gain", "stft")}
    spec = replace(long, **parts)
    spread(classifier, spec.db)
    db = spec.db.clone().requires_grad_()
    probs = classifier.network(torch.cat(db.split(size, -1))).sigmoid()
    (gradient,) = torch.autograd.grad(probs.mean(0)[0], db)
    values = explain_clip(classifier, spec, ai.Saliency(classifier.network), 0).values
    cosine = nn.functional.cosine_similarity(values.flatten(), gradient.flatten(), dim=0)
    assert cosine.item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("seconds", "against"),
    [(1, None), (2, None), (5, None), (6, None), (7.5, None), (12, None), (6, 1)],
)
def test_the_gap_of_a_clip_is_what_is_missing_from_the_values_returned(seconds, against):
    """Of a clip as long as a window nothing is missing; a padded or overlapping frame is."""
    classifier = small_classifier(duration=5.0)
    background = classifier.transform(torch.cat([noise(5.0, seed=1), events(5.0)])).db
    spec = classifier.transform(events(seconds))
    windows = windows_of(classifier, spec)
    cut = windows.cut(spec.db)[:, 0]
    spread(classifier, torch.cat([cut, background]))
    attribution = explain_clip(
        classifier, spec, ai.SHAP(classifier.network, background), 0, against
    )
    with torch.no_grad():
        logits, expected = (classifier.network(db).double() for db in (cut, background))
    scores, expected = (
        logit[:, 0] if against is None else logit[:, 0] - logit[:, against]
        for logit in (logits, expected)
    )
    weights = attribution.info["window_weights"][0]
    difference = weights @ (scores - expected.mean())
    assert abs(difference) > 0.1
    missing = 1 - attribution.values.double().sum() / difference
    assert attribution.info["difference"].item() == pytest.approx(difference.item(), abs=1e-3)
    assert additivity_gap(attribution) == pytest.approx(abs(missing.item()), abs=1e-3)
    assert outside_share(attribution) == pytest.approx(missing.item(), abs=1e-3)
    if against is None:
        # What the clip's p loses in each window when the window loses its own difference.
        differences = scores - expected.mean()
        fallen = logits - differences[:, None] * torch.tensor([1.0, 0, 0])
        lost = windows.weights * (logits.softmax(1) - fallen.softmax(1))[:, 0] / differences
        assert torch.allclose(weights, lost / lost.max(), atol=1e-4)
    if seconds == 5:
        assert additivity_gap(attribution) < 1e-3
        assert attribution.info["outside"].item() == 0
    else:
        assert additivity_gap(attribution) > 1e-2


def test_a_single_window_is_the_explainers_own_result_to_the_last_bit():
    classifier = small_classifier()
    spec = classifier.transform(noise(1.0))
    background = classifier.transform(events(2.0)[..., 32000:]).db
    spread(classifier, torch.cat([spec.db, background]))
    for explainer in (
        ai.Saliency(classifier.network),
        ai.SHAP(classifier.network, background),
        ai.Random(classifier.network),
    ):
        own, joined = explainer(spec.db), explain_clip(classifier, spec, explainer)
        assert joined.values.equal(own.values)
        assert joined.probs.allclose(own.probs)
        for name in ("difference", "additivity_gap"):
            if name in own.info:
                assert joined.info[name].double().equal(own.info[name].double())


def test_random_values_know_nothing_of_the_windows():
    """Weighted, they would fill the window that decides, and be no baseline."""
    classifier = small_classifier()
    spec = classifier.transform(events(4.0))
    spread(classifier, windows_of(classifier, spec).cut(spec.db)[:, 0])
    attribution = explain_clip(classifier, spec, ai.Random(classifier.network))
    assert set(attribution.info["window_weights"].flatten().tolist()) == {1.0}
    assert attribution.values[..., :100].std().item() == pytest.approx(1, abs=0.05)


def test_shap_lies_where_the_event_is_and_not_in_the_faint_noise_behind_it():
    """The mean share of the mask in the noise: 0.40 without weights, as it was; 0.30 with them.

    With the derivative at the clip itself in place of its mean over the difference it is 0.35.
    """
    classifier = Classifier.load(WEIGHTS / "synthetic_mel_cnn10.safetensors")
    train, test = (Synthetic(folds, sample_rate=32000) for folds in ((1,), (5,)))
    background = classifier.transform(torch.stack([train[0][0], train[20][0]])).db
    explainer = ai.SHAP(classifier.network, background)
    shares = []
    for index in (24, 36, 72):
        wav = torch.cat([test[index][0][None], 1e-2 * noise(5.0)], -1)
        spec = classifier.transform(wav)
        values = explain_clip(classifier, spec, explainer).values
        mask = ai.MASKS["topK_30"](values)
        size = windows_of(classifier, spec).size
        shares.append(float(mask[..., size:].sum() / mask.sum()))
    assert max(shares) < 0.33


def test_what_is_missing_is_said():
    classifier = small_classifier(duration=2.0)
    background = classifier.transform(noise(2.0, seed=1)).db
    spread(classifier, torch.cat([background, classifier.transform(events(2.0)).db]))
    result = interpret(classifier, events(1.0), "shap", background=background)
    share = outside_share(result.attribution)
    assert abs(share) > 0.01
    said = f"{share:.0%} of f(x) - E f(b) lies outside the values shown"
    assert said in method_notes(result)[1]
    assert said in result._repr_html_()


def test_the_noise_of_random_masks_and_the_fit_of_lime_are_said():
    classifier = small_classifier()
    rise = interpret(classifier, events(1.0), ai.RISE(classifier.network, samples=8), compared=0)
    share = float(rise.attribution.info["noise_share"])
    assert method_notes(rise) == [f"{share:.0%} of the map's variance is noise of its random masks"]
    lime = interpret(classifier, events(1.0), ai.LIME(classifier.network, samples=8), compared=0)
    fit = float(lime.attribution.info["surrogate_r2"])
    assert method_notes(lime) == [f"R² of LIME's linear model: {fit:.2f}"]
    page = unescape(interpretation_page("clip", [[rise]]))
    assert f"RISE: {method_notes(rise)[0]}." in page
    assert method_notes(interpret(classifier, events(1.0), "saliency", compared=0)) == []
