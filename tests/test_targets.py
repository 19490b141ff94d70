"""Which class score explains, scores of one's own, and methods by name."""

import pytest
import torch
from conftest import noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError


class HalfLevels(nn.Module):
    """Logits of two independent labels: levels of the lower and the upper half, above -60 dB."""

    def forward(self, db):
        lower, upper = db[:, 0].chunk(2, 1)
        return torch.stack([lower.mean((1, 2)), upper.mean((1, 2))], 1) / 10 + 6


def tagger():
    return ai.Classifier(HalfLevels(), ai.LogMel(), ["low", "high"], 1.0, output="sigmoid")


def clips(targets):
    pairs = [(noise(1.0, seed=number)[0], target) for number, target in enumerate(targets)]
    return ai.as_dataset(pairs, 32000, labels=["low", "high"])


def score(classifier, dataset, **arguments):
    settings = {"masks": ["topK_30"], "nulls": [], "progress": False}
    settings |= {"on": "features", "fill": "silence"}
    return ai.score(classifier, dataset, ["saliency"], **settings | arguments)


def test_each_present_label_is_explained():
    rows = score(tagger(), clips([("low", "high"), ("high",)]), target="present")
    assert rows[["clip", "explained"]].values.tolist() == [
        ["0", "low"],
        ["0", "high"],
        ["1", "high"],
    ]
    assert (rows["status"] == "ok").all()
    by_hand = ai.interpret(tagger(), noise(1.0), "saliency", target="low").scores["FF"]
    assert rows["FF"][0] == pytest.approx(by_hand, abs=1e-6)


def test_the_label_is_explained():
    rows = score(tagger(), clips(["low", "low"]), target="label")
    assert rows["explained"].tolist() == ["low", "low"]
    several = score(tagger(), clips([("low", "high")]), target="label")
    assert several["error"].tolist() == [
        "target='label': the clip has 2 labels; give target='present' to explain each one, or "
        "target='predicted'"
    ]
    with pytest.raises(ArgumentError, match="unknown target 'lable'"):
        score(tagger(), clips(["low"]), target="lable")


def test_scores_of_ones_own():
    metrics = {
        "P_IN": lambda scored: scored.of_target(scored.probs_in),
        "AREA2": ai.METRICS["AREA"],
    }
    rows = score(tagger(), clips(["low", "high"]), metrics=metrics)
    assert rows["P_IN"].tolist() == pytest.approx(rows["p_in"].tolist())
    assert rows["AREA2"].tolist() == rows["AREA"].tolist()
    with pytest.raises(ArgumentError, match="FF is a column of the results"):
        score(tagger(), clips(["low"]), metrics={"FF": metrics["P_IN"]})


def test_methods_by_name():
    classifier = small_classifier()
    network = classifier.network
    dataset = ai.as_dataset([(noise(1.0)[0], "label0")], 32000, labels=classifier.labels)
    layers = {
        "early": ai.GradCAM(network, network.conv_block1),
        "late": "gradcam",
    }
    settings = {"masks": ["topK_30"], "nulls": [], "progress": False}
    rows = ai.score(classifier, dataset, layers, **settings)
    assert rows["method"].tolist() == ["early", "late"]
    assert rows["layer"][0] != rows["layer"][1]
    assert layers["early"].name == "gradcam"
    with pytest.raises(ArgumentError):
        ai.score(classifier, dataset, {"a/b": "gradcam"}, **settings)


def test_absent_labels_are_said():
    class Never(HalfLevels):
        def forward(self, db):
            return super().forward(db) - 20

    classifier = ai.Classifier(Never(), ai.LogMel(), ["low", "high"], 1.0, output="sigmoid")
    with pytest.warns(UserWarning, match=r"no label is present \(all p are below 1/2\)"):
        ai.interpret(classifier, noise(1.0), "saliency")


def test_any_form_of_clips_is_scored(tmp_path):
    for label in ("low", "high"):
        (tmp_path / label).mkdir()
        for number in range(2):
            ai.save_audio(tmp_path / label / f"{number}.wav", noise(0.7, 16000, number), 16000)
    rows = score(tagger(), tmp_path)
    assert len(rows) == 4
    assert (rows["status"] == "ok").all()
    pairs = [(noise(1.0)[0].numpy(), "low"), (noise(1.0, seed=1)[0].numpy(), "high")]
    assert score(tagger(), pairs)["target"].tolist() == ["low", "high"]
