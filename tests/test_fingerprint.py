"""What results depend on differs where it differs."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from functools import partial
from pathlib import Path

import captum.attr
import pytest
import torch
from survival import CLASSIFIER, Bursts, go

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.experiments.data import open_data
from audiointerp.experiments.differences import differences
from audiointerp.experiments.fingerprint import PACKAGES, settings_of
from audiointerp.experiments.model_record import described_model
from audiointerp.experiments.plain_values import described, sha256_of_state
from audiointerp.experiments.prepare import prepare_run
from audiointerp.experiments.study import EXPERIMENTS, TEST_FOLDS
from audiointerp.scoring import Plan
from audiointerp.util.files import plain

NETWORK = CLASSIFIER.network
BACKGROUND = CLASSIFIER.transform(Bursts()[0][0][None]).db


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ai.IntegratedGradients(NETWORK, steps=2), ai.IntegratedGradients(NETWORK, steps=3)),
        (ai.IntegratedGradients(NETWORK, steps=2), ai.IntegratedGradients(NETWORK, 0.0, 2)),
        (ai.SmoothGrad(NETWORK, 0.1, 2), ai.SmoothGrad(NETWORK, 0.2, 2)),
        (ai.Occlusion(NETWORK, (32, 16), (32, 16)), ai.Occlusion(NETWORK, (32, 8), (32, 8))),
        (ai.SHAP(NETWORK, BACKGROUND), ai.SHAP(NETWORK, BACKGROUND + 1)),
        (ai.GradCAM(NETWORK), ai.GradCAM(NETWORK, NETWORK.conv_block3.conv2)),
        (
            ai.Captum(
                NETWORK,
                lambda score: captum.attr.NoiseTunnel(captum.attr.Saliency(score)),
                name="own",
                nt_samples=2,
            ),
            ai.Captum(
                NETWORK,
                lambda score: captum.attr.NoiseTunnel(captum.attr.Deconvolution(score)),
                name="own",
            ),
        ),
    ],
)
def test_each_setting_of_a_method_counts(one, other):
    assert settings_of(one) != settings_of(other)
    assert settings_of(one) == settings_of(one)
    assert json.loads(json.dumps(settings_of(one))) == settings_of(one)
    with pytest.raises(ArgumentError, match=r"own: <object object at .*cannot be recorded"):
        settings_of(ai.Captum(NETWORK, captum.attr.Saliency, name="own", something=object()))


COMMITTED = sorted((Path(__file__).parents[1] / "results").glob("*/*/*/run.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_records_have_todays_keys(path):
    record = json.loads(path.read_text())
    assert record["plan"]["protocol"] == "corrected"
    assert record["experiment"]["transform"] == path.parts[-4]
    assert record["transform"]["name"] in ("LogMel", "LogSTFT")
    assert record["versions"].keys() == set(PACKAGES)
    assert record["environment"]["python"]


def test_a_committed_run_is_accepted_by_the_run_that_wrote_it(esc10, tmp_path):
    """The committed weights, clips and settings give the committed fingerprint."""
    root = Path(__file__).parents[1]
    prepared = prepare_run(
        EXPERIMENTS["mel_horse"],
        ai.Classifier.load(root / "weights" / "esc10_mel_cnn10.safetensors"),
        open_data(esc10, TEST_FOLDS, "esc10"),
        ["gradcam", "random"],
        tmp_path,
        Plan(on=("features", "audio"), fills=("background", "silence")),
        background=None,
        noise=None,
        device=None,
        attributions=True,
        shard=(1, 1),
        workers=1,
    )
    for name, store in prepared.stores.items():
        path = root / "results" / "mel" / "mel_horse" / name / "run.json"
        committed = json.loads(path.read_text())
        # Another version of a package is another fingerprint, rightly.
        fingerprint = plain(store.fingerprint) | {"versions": committed["versions"]}
        # The committed records are of a version that described only models of sounds.
        del fingerprint["model"]
        # Of clips that the distance is measured to, the test has none.
        assert [phrase.split(":")[0] for phrase in differences(committed, fingerprint)] == [
            "plan.reference"
        ]


def with_default(db, share=0.3):
    return (db > share).to(db)


def with_other_default(db, share=0.05):
    return (db > share).to(db)


def with_keyword(db, *, share=0.3):
    return (db > share).to(db)


SHARE = 0.3


def with_global(db):
    return (db > SHARE).to(db)


def with_inner(db):
    def inner(values):
        return values > 0.3

    return inner(db).to(db)


def with_other_inner(db):
    def inner(values):
        return values > 0.05

    return inner(db).to(db)


CALLS = 0
KINDS = []


def that_counts(db):
    global CALLS
    CALLS += 1
    KINDS.append(CALLS)
    return db


PLACE = torch.device("cpu")


def with_types(db, kind=torch.float32, place=PLACE, function=torch.sigmoid):
    return function(db.to(kind)).to(place)


def test_what_a_function_counts_or_calls_is_no_setting():
    before = described(that_counts), described(with_types)
    that_counts(torch.zeros(1))
    assert (described(that_counts), described(with_types)) == before
    assert json.loads(json.dumps(before)) == list(before)
    *types, name = before[1]["defaults"]
    assert types == ["torch.float32", "cpu"]
    assert name.endswith("sigmoid")


def without_name(function):
    return {name: value for name, value in described(function).items() if name != "function"}


def test_what_a_function_does_counts(monkeypatch):
    """Its defaults, the values that it reads from its module, and its inner functions."""
    assert without_name(with_default) != without_name(with_other_default)
    assert without_name(with_inner) != without_name(with_other_inner)
    before = described(with_keyword), described(with_global)
    monkeypatch.setitem(with_keyword.__kwdefaults__, "share", 0.05)
    monkeypatch.setattr(sys.modules[__name__], "SHARE", 0.05)
    assert described(with_keyword) != before[0]
    assert described(with_global) != before[1]
    monkeypatch.undo()
    assert (described(with_keyword), described(with_global)) == before
    assert json.loads(json.dumps(before)) == list(before)


class Own(torch.nn.Module):
    """A network with an attribute that is no weight, and one that counts."""

    def __init__(self, temperature=1.0):
        super().__init__()
        self.head = torch.nn.Linear(1, 3)
        self.temperature = temperature
        self.calls = 0

    def forward(self, db):
        self.calls += 1
        self.last = db
        return self.head(db.mean((2, 3))) / self.temperature


class OtherCode(Own):
    def forward(self, db):
        return self.head(db.amax((2, 3))) / self.temperature


def classifier_of(network):
    return ai.Classifier(network, ai.LogMel(), CLASSIFIER.labels, 0.3)


def same_weights(kind, *arguments):
    torch.manual_seed(0)
    return classifier_of(kind(*arguments))


def test_a_network_is_more_than_its_weights():
    """An attribute of its own, what it does with the weights, a hook, and a setting of Cnn6."""
    network = same_weights(Own).network
    before = described_model(classifier_of(network))
    assert json.loads(json.dumps(before)) == before
    halved = deepcopy(network)
    halved.register_forward_hook(lambda module, inputs, logits: logits / 2)
    others = [same_weights(Own, 2.0), same_weights(OtherCode), classifier_of(halved)]
    assert all(described_model(classifier) != before for classifier in others)
    small = partial(ai.Cnn6, 3, base_channels=4)
    with_range, without = (same_weights(partial(small, level_range=of)) for of in (60, None))
    assert sha256_of_state(with_range.network) == sha256_of_state(without.network)
    assert described_model(with_range) != described_model(without)


def test_a_network_that_fails_on_noise_is_described():
    class Fails(Own):
        def forward(self, db):
            raise RuntimeError("no noise")

    assert described_model(same_weights(Fails)) == {"answers": [None, None]}
    unsure = same_weights(Own, 0.0)
    with torch.no_grad():
        unsure.network.head.weight.zero_()
        unsure.network.head.bias.zero_()
    assert described_model(unsure) == {"answers": [[0, "nan"], [0, "nan"]]}


def test_what_a_network_counts_is_no_setting():
    classifier = same_weights(Own)
    before = described_model(classifier)
    classifier.logits(torch.zeros(1, 1, 64, 31))
    assert classifier.network.calls >= 3
    assert described_model(classifier) == before


def test_a_set_of_names_in_a_function_has_no_order():
    script = """from audiointerp.experiments.plain_values import described
exec("def f(x): return x in {'dog', 'cat', 'rooster', 'rain'}")
print(described(f)["sha256"])"""
    seen = set()
    for seed in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_a_run_is_not_resumed_with_another_network_of_equal_weights(tmp_path):
    settings = {"methods": ["random"], "shard": (1, 2)}
    classifiers = [same_weights(Own, temperature) for temperature in (1.0, 2.0)]
    go(tmp_path, classifier=classifiers[0], **settings)
    with pytest.raises(ArgumentError, match=r"other settings \(model.answers: \[\["):
        go(tmp_path, classifier=classifiers[1], **settings)
