"""Scores on features and audio, of random masks, of curves, of one class against another."""

import copy
import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from conftest import noise, small_classifier, small_set, ten_classes
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.interpretation.nulls import NULLS
from audiointerp.metrics import RELATIVE
from audiointerp.model.classifier import Classifier
from audiointerp.predict import score
from audiointerp.scoring.curves import curves
from audiointerp.scoring.explain import explain_clip
from audiointerp.scoring.outcomes import classify_parts
from audiointerp.scoring.plan import Plan
from audiointerp.util.probability import log_probabilities, probabilities

# Thirty random masks for each verdict are tested in test_verdict.py.
interpret = partial(ai.interpret, compared=2)


class FourBins(nn.Module):
    """Logits of four bins, for scores by hand: bins 0 and 1 support class 0, bin 2 class 1."""

    weights = torch.tensor([[2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.5, 0.0], [0.0, 0.0, 0.0, 0.0]])

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        with torch.no_grad():
            self.linear.weight.copy_(self.weights)
            self.linear.bias.zero_()

    def forward(self, db):
        return self.linear(db.flatten(1) / 100 + 1)  # silence is 0, 0 dB is 1


class TwoFrames(ai.LogSTFT):
    """Two bins, two frames."""

    def num_frames(self, length):
        return 2


def four_bins(output="softmax"):
    """A classifier and a clip whose four bins are all at 0 dB."""
    transform = TwoFrames(sample_rate=8000, n_fft=2, hop_length=1)
    classifier = Classifier(FourBins(), transform, ["a", "b", "c"], 1 / 8000, output=output)
    spec = classifier.transform(torch.zeros(1, 1, 1))
    db = torch.zeros(1, 1, 2, 2)
    return classifier, replace(
        spec, db=db, gain=torch.ones_like(db), stft=torch.ones(1, 1, 2, 2) + 0j
    )


def scored(classifier, spec, target, masks, against=None, on="features"):
    target, against = (
        None if number is None else torch.as_tensor(number).view(1) for number in (target, against)
    )
    return classify_parts(classifier, spec, target, masks, against=against, on=on).scores(masks)


def softmax(*logits):
    total = sum(math.exp(logit) for logit in logits)
    return [math.exp(logit) / total for logit in logits]


def test_scores_by_hand_on_a_four_bin_model():
    classifier, spec = four_bins()
    assert spec.db.shape == (1, 1, 2, 2)
    mask = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)  # keeps the first bin
    scores = {name: value.item() for name, value in scored(classifier, spec, 0, mask).items()}
    p, p_in, p_out = (softmax(*logits) for logits in ((3, 2.5, 0), (2, 0, 0), (1, 2.5, 0)))
    expected = {
        "p": p[0],
        "p_in": p_in[0],
        "p_out": p_out[0],
        "FF": p[0] - p_out[0],
        "AI": 100.0,
        "AD": 0.0,
        "AG": 100 * (p_in[0] - p[0]) / (1 - p[0]),
        "FidIn": 1.0,
        "SPS": 0.75,
        "COMP": 0.0,
        "nCOMP": 0.0,
        "AREA": 0.25,
        "ENERGY": 0.25,
        "HEARD": 0.25,
        "log_odds": math.log(p[0] / (1 - p[0])),
        "log_odds_in": math.log(p_in[0] / (1 - p_in[0])),
        "log_odds_out": math.log(p_out[0] / (1 - p_out[0])),
    }
    assert scores == pytest.approx(expected, abs=1e-6)
    # Keeps the bin that supports no class.
    last = torch.tensor([0.0, 0, 0, 1]).view(1, 1, 2, 2)
    worst = scored(classifier, spec, 0, last)
    assert worst["AD"].item() == pytest.approx(100 * (p[0] - 1 / 3) / p[0], abs=1e-5)
    assert (worst["AI"].item(), worst["AG"].item(), worst["FF"].item()) == (
        0,
        0,
        pytest.approx(0, abs=1e-6),
    )


def test_curves_by_hand_on_a_four_bin_model():
    classifier, spec = four_bins()
    values = torch.tensor([4.0, 3.0, 1.0, 2.0]).view(1, 1, 2, 2)  # the order: bins 0, 1, 3, 2
    made = curves(classifier, spec, torch.tensor([0]), values, steps=4)
    deletion = [
        softmax(*logits)[0]
        for logits in ((3, 2.5, 0), (1, 2.5, 0), (0, 2.5, 0), (0, 2.5, 0), (0, 0, 0))
    ]
    insertion = [
        softmax(*logits)[0] for logits in ((0, 0, 0), (2, 0, 0), (3, 0, 0), (3, 0, 0), (3, 2.5, 0))
    ]
    assert made.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert made.deletion.tolist() == pytest.approx(deletion, abs=1e-6)
    assert made.insertion.tolist() == pytest.approx(insertion, abs=1e-6)
    area = (deletion[0] / 2 + sum(deletion[1:4]) + deletion[4] / 2) / 4
    assert made.deletion_area == pytest.approx(area, abs=1e-6)
    assert "deletion area" in repr(made)
    with pytest.raises(ArgumentError, match="steps"):
        curves(classifier, spec, torch.tensor([0]), values, steps=0)


def test_against_another_class_by_hand():
    classifier, spec = four_bins()
    attribution = explain_clip(classifier, spec, ai.Saliency(classifier.network), 0, 1)
    weights = (FourBins.weights[0] - FourBins.weights[1]) / 100
    assert torch.allclose(attribution.values.flatten(), weights)
    assert attribution.against.tolist() == [1]
    mask = ai.MASKS["bin"](attribution.values)  # bins 0 and 1
    assert mask.flatten().tolist() == [1, 1, 0, 0]
    scores = scored(classifier, spec, attribution.target, mask, against=attribution.against)
    for name, log_odds in (("", 0.5), ("_in", 3.0), ("_out", -2.5)):
        assert scores[f"log_odds{name}"].item() == pytest.approx(log_odds, abs=1e-6)
        assert scores[f"p{name}"].item() == pytest.approx(1 / (1 + math.exp(-log_odds)), abs=1e-6)
    assert scores["FidIn"].item() == 1
    flipped = scored(classifier, spec, attribution.target, 1 - mask, against=attribution.against)
    assert flipped["FidIn"].item() == 0
    shap = ai.SHAP(classifier.network, torch.full((2, 1, 2, 2), -100.0))(spec.db, 0, against=1)
    assert torch.allclose(shap.values.flatten(), weights * 100, atol=1e-5)
    assert shap.info["difference"].item() == pytest.approx(0.5, abs=1e-5)


def test_every_method_answers_why_this_rather_than_that(classifier):
    wav = noise(1.0)
    background = classifier.transform(noise(1.0, seed=1)).db
    network = classifier.network
    quick = {
        "lime": ai.LIME(network, "grid", samples=120),
        "kernel_shap": ai.KernelSHAP(network, samples=120),
        "occlusion": ai.Occlusion(network, (32, 50), (32, 50)),
        "rise": ai.RISE(network, samples=20),
        "optimal": ai.OptimalMask(network, steps=2),
    }
    turned = {"saliency", "gradcam", "integrated_gradients", "shap", "lime", "occlusion", "rise"}
    for name in ai.METHODS:
        method = quick.get(name, name)
        result = interpret(
            classifier, wav, method, target="label0", against="label1", background=background
        )
        assert result.question == "label0 rather than label1"
        back = interpret(
            classifier, wav, method, target="label1", against="label0", background=background
        )
        assert result.scores["log_odds"] == pytest.approx(-back.scores["log_odds"], abs=1e-6)
        if name in turned:
            scale = result.attribution.values.abs().max()
            assert torch.allclose(
                result.attribution.values, -back.attribution.values, atol=1e-4 * float(scale)
            ), name
    assert "label0 rather than label1" in result._repr_html_()
    with pytest.raises(ArgumentError, match="against itself"):
        interpret(classifier, wav, target="label0", against="label0")
    predicted = interpret(classifier, wav).predicted
    with pytest.raises(ArgumentError, match=f"{predicted} is what the network predicts"):
        interpret(classifier, wav, against=predicted)
    with pytest.raises(ArgumentError, match="unknown label 'cat'"):
        interpret(classifier, wav, against="cat")


def test_labels_by_themselves():
    """Multi-label: each p is a sigmoid, and the decision is about the explained label alone."""
    classifier, spec = four_bins("sigmoid")
    # Silence has no label.
    nn.init.constant_(classifier.network.linear.bias, -1.0)
    mask = torch.tensor([0.0, 0, 1, 1]).view(1, 1, 2, 2)
    scores = scored(classifier, spec, 0, mask)
    assert scores["p"].item() == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-6)
    assert scores["p_in"].item() == pytest.approx(1 / (1 + math.exp(1)), abs=1e-6)
    assert scores["log_odds_out"].item() == pytest.approx(2, abs=1e-6)
    attribution = explain_clip(classifier, spec, ai.Saliency(classifier.network))
    assert attribution.probs.sum() > 1
    lime = explain_clip(classifier, spec, ai.LIME(classifier.network, "grid", samples=8))
    assert lime.values.shape == spec.db.shape
    other = scored(classifier, spec, 1, torch.tensor([1.0, 1, 0, 0]).view(1, 1, 2, 2))
    # The clip has label b, the kept part does not, whatever its other labels.
    assert other["FidIn"].item() == 0
    pair = scored(classifier, spec, 0, torch.ones(1, 1, 2, 2), against=1)
    # The difference of the logits, as in the attribution.
    assert pair["log_odds"].item() == pytest.approx(0.5, abs=1e-6)
    nn.init.constant_(classifier.network.linear.bias, 20.0)  # both saturated
    pair = scored(classifier, spec, 0, torch.ones(1, 1, 2, 2), against=1)
    assert pair["log_odds"].item() == pytest.approx(0.5, abs=1e-5)
    with pytest.raises(ArgumentError, match="unknown output"):
        Classifier(FourBins(), classifier.transform, ["a", "b", "c"], 1.0, output="tanh")


def test_a_multi_label_classifier_is_saved_as_such(tmp_path):
    classifier = small_classifier()
    tagger = Classifier(
        classifier.network, classifier.transform, classifier.labels, 1.0, output="sigmoid"
    )
    tagger.save(tmp_path / "tagger.safetensors")
    assert Classifier.load(tmp_path / "tagger.safetensors").output == "sigmoid"
    dataset = small_set(count=1)
    dataset.labels = tagger.labels
    rows = score(tagger, dataset, ["saliency"], ["bin"], progress=False)
    assert rows["status"].tolist() == ["ok"]


def test_log_odds_do_not_saturate():
    logits = torch.tensor([[200.0, 0.0, -50.0]])
    for output in ("softmax", "sigmoid"):
        log_p, log_not_p = log_probabilities(logits, output)
        assert torch.allclose(log_p.exp(), probabilities(logits.double(), output))
        odds = log_p - log_not_p
        assert odds.isfinite().all()
        assert odds[0, 0].item() == pytest.approx(200, abs=1e-9)
    ordinary = torch.randn(50, 4, dtype=torch.float64)
    for output in ("softmax", "sigmoid"):
        log_p, log_not_p = log_probabilities(ordinary, output)
        assert torch.allclose(log_p.exp() + log_not_p.exp(), torch.ones_like(log_p))


def test_relabelling_changes_nothing(classifier):
    order = torch.tensor([2, 0, 1])
    network = copy.deepcopy(classifier.network)
    with torch.no_grad():
        network.head.weight.copy_(classifier.network.head.weight[order])
        network.head.bias.copy_(classifier.network.head.bias[order])
    renamed = Classifier(
        network, classifier.transform, [classifier.labels[int(i)] for i in order], 1.0
    )
    for method in ("saliency", "gradcam"):
        before, after = (interpret(one, noise(1.0), method) for one in (classifier, renamed))
        assert before.explained == after.explained
        assert torch.allclose(before.attribution.values, after.attribution.values, atol=1e-7)
        assert before.scores == pytest.approx(after.scores, abs=1e-5)


@pytest.mark.parametrize("on", ["features", "audio"])
@pytest.mark.parametrize("seconds", [1.0, 2.3])
def test_an_all_ones_mask_is_the_clip_itself(classifier, on, seconds):
    spec = classifier.transform(noise(seconds))
    masks = torch.stack(
        [torch.ones_like(spec.db[0]), torch.zeros_like(spec.db[0]), torch.rand_like(spec.db[0])]
    )
    scores = scored(classifier, spec, 1, masks, on=on)
    assert [scores[name][0].item() for name in ("AD", "AG", "AI", "SPS")] == [0, 0, 0, 0]
    assert scores["FidIn"][0] == 1
    assert scores["p_in"][0] == scores["p"][0] == scores["p_out"][1]
    assert scores["p_out"][0] == scores["p_in"][1]  # silence
    assert scores["FF"][1] == 0


def test_scores_on_audio_are_those_of_the_audio(classifier):
    """Classify the audio of the kept and removed parts like any clip, and compare."""
    result = interpret(classifier, noise(1.0), "gradcam", on="audio")
    for wav, name in ((result.kept, "p_in"), (result.removed, "p_out")):
        probs = classifier.probabilities(classifier.transform(wav).db)
        assert probs[0, int(result.attribution.target)].item() == pytest.approx(
            result.scores[name], abs=1e-5
        )
    assert result.scores != interpret(classifier, noise(1.0), "gradcam").scores
    with pytest.raises(ArgumentError, match="unknown on 'ears'"):
        interpret(classifier, noise(1.0), on="ears")


def test_both_kinds_of_scores_in_one_run():
    classifier, dataset = ten_classes(), small_set(count=2)
    rows = score(
        classifier,
        dataset,
        ["saliency"],
        ["bin", "minmax"],
        on=["features", "audio"],
        curves=True,
        progress=False,
    )
    assert rows.groupby(["clip", "mask"])["on"].apply(list).tolist() == [["features", "audio"]] * 4
    assert set(rows["protocol"]) == {"corrected"}
    for null in NULLS:
        areas = () if null == "matched" else ("deletion", "insertion")
        for name in (*RELATIVE, *areas):
            assert rows[f"{name}_{null}"].notna().all()
    for on in ("features", "audio"):
        alone = score(
            classifier, dataset, ["saliency"], ["bin", "minmax"], on=on, curves=True, progress=False
        )
        part = rows[rows["on"] == on].reset_index(drop=True)
        assert alone.equals(part)
    published = score(
        classifier,
        dataset,
        ["saliency"],
        ["topK_50_pos"],
        protocol="published",
        nulls=[],
        progress=False,
    )
    assert set(published["protocol"]) == {"published"}
    assert published["FF_smooth"].isna().all()
    for wrong in (
        {"on": "ears"},
        {"on": []},
        {"on": ["audio", "audio"]},
        {"protocol": "mine"},
        {"masks": ["best"]},
    ):
        with pytest.raises(ArgumentError):
            score(classifier, dataset, ["saliency"], **{"masks": ["bin"], **wrong}, progress=False)
    with pytest.raises(ArgumentError, match="same name"):
        score(classifier, dataset, ["saliency", ai.Saliency], ["bin"], progress=False)
    with pytest.raises(ArgumentError):
        Plan(masks="bin")
