"""What results depend on differs where it differs."""

import json
from pathlib import Path

import captum.attr
import pytest
from survival import CLASSIFIER, Bursts

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.experiments.data import open_data
from audiointerp.experiments.fingerprint import differences, settings_of, upgraded
from audiointerp.experiments.prepare import prepare_run
from audiointerp.experiments.study import EXPERIMENTS, TEST_FOLDS
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
    with pytest.raises(ArgumentError, match=r"own: <object object at .*cannot be told from others"):
        settings_of(ai.Captum(NETWORK, captum.attr.Saliency, name="own", something=object()))


COMMITTED = sorted((Path(__file__).parents[1] / "results").glob("*/*/*/run.json"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_records_have_todays_keys_once_upgraded(path):
    record = upgraded(json.loads(path.read_text()))
    assert upgraded(record) == record
    assert record["plan"]["protocol"] == "corrected"
    assert record["experiment"]["transform"] == path.parts[-4]
    assert record["transform"]["name"] in ("LogMel", "LogSTFT")
    assert record["environment"]["python"]
    keys = {*record, *record["experiment"], *record["versions"]}
    assert not {"features", "python"} & keys


def test_an_old_record_is_upgraded():
    old = {
        "experiment": {"name": "mel_clean", "features": "mel", "noise": None, "ratio": 0.6},
        "features": {"name": "LogMel"},
        "plan": {"masks": ["bin"], "protocol": "sound"},
        "versions": {"python": "3.11.7", "torch": "2.11.0"},
    }
    assert upgraded(old) == {
        "experiment": {"name": "mel_clean", "transform": "mel", "noise": None, "ratio": 0.6},
        "transform": {"name": "LogMel"},
        "plan": {"masks": ["bin"], "protocol": "corrected"},
        "versions": {"torch": "2.11.0"},
        "environment": {"python": "3.11.7"},
    }


def test_a_committed_run_is_accepted_by_the_run_that_wrote_it(esc10, tmp_path):
    """The committed weights, clips and settings give the committed fingerprint."""
    root = Path(__file__).parents[1]
    classifier = ai.Classifier.load(root / "weights" / "esc10_mel_cnn10.safetensors")
    dataset = open_data(esc10, TEST_FOLDS, "esc10")
    prepared = prepare_run(
        EXPERIMENTS["mel_horse"], classifier, dataset, ["gradcam", "random"], tmp_path
    )
    for name, store in prepared.stores.items():
        path = root / "results" / "mel" / "mel_horse" / name / "run.json"
        committed = upgraded(json.loads(path.read_text()))
        # Another version of a package is another fingerprint, rightly.
        fingerprint = plain(store.fingerprint) | {"versions": committed["versions"]}
        assert differences(committed, fingerprint) == []
