"""What results depend on differs where it differs."""

import json

import captum.attr
import pytest
from survival import CLASSIFIER, Bursts

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.fingerprint import settings_of

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
                NETWORK, lambda score: captum.attr.NoiseTunnel(captum.attr.Saliency(score)), name="own", nt_samples=2
            ),
            ai.Captum(NETWORK, lambda score: captum.attr.NoiseTunnel(captum.attr.Deconvolution(score)), name="own"),
        ),
    ],
)
def test_each_setting_of_a_method_counts(one, other):
    assert settings_of(one) != settings_of(other)
    assert settings_of(one) == settings_of(one)
    assert json.loads(json.dumps(settings_of(one))) == settings_of(one)
    with pytest.raises(ArgumentError, match=r"own: <object object at .*cannot be told from others"):
        settings_of(ai.Captum(NETWORK, captum.attr.Saliency, name="own", something=object()))
