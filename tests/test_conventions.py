"""Explainers as captum's and Quantus' users call them; captum and Quantus are the oracles."""

import captum.attr
import numpy as np
import pytest
import quantus
import torch
from conftest import noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.interpretation import from_captum


def network_and_clips():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    ).eval()
    return network, 20 * torch.randn(4, 1, 8, 12) - 50


def test_attribute_is_that_of_captum():
    network, db = network_and_clips()
    expected = captum.attr.Saliency(network).attribute(db.clone().requires_grad_(), 1, abs=False)
    assert torch.allclose(ai.Saliency(network).attribute(db, target=1), expected, atol=1e-7)
    targets = [0, 1, 2, 0]
    expected = captum.attr.IntegratedGradients(network).attribute(db, -100.0, targets)
    values = ai.IntegratedGradients(network).attribute(db, targets)
    assert torch.allclose(values, expected, rtol=1e-3, atol=1e-4)
    assert values.equal(ai.IntegratedGradients(network)(db, torch.tensor(targets)).values)


@pytest.mark.parametrize(
    "kind",
    [
        captum.attr.Saliency,
        captum.attr.InputXGradient,
        captum.attr.IntegratedGradients,
        captum.attr.DeepLift,
        captum.attr.Deconvolution,
        captum.attr.GradientShap,
    ],
)
@pytest.mark.filterwarnings("ignore:Setting .*hooks:UserWarning")
def test_captum_classes_are_taken_bare(kind):
    """Their baseline is silence; captum's own default is 0 dB."""
    network, db = network_and_clips()
    explainer = from_captum(network, kind)
    values = explainer(db[:1], target=1).values
    assert values.shape == db[:1].shape
    if kind in (captum.attr.IntegratedGradients, captum.attr.DeepLift):
        clip = db[:1].clone().requires_grad_()
        expected = kind(network).attribute(clip, torch.full_like(clip, -100.0), target=1)
        assert torch.allclose(values, expected, rtol=1e-3, atol=1e-4)


def test_interpret_takes_a_captum_class():
    classifier, wav = small_classifier(), noise(1.0)
    result = ai.interpret(classifier, wav, captum.attr.InputXGradient)
    assert result.attribution.method == "inputxgradient"
    expected = ai.Captum(classifier.network, captum.attr.InputXGradient)
    assert result.attribution.values.equal(
        ai.interpret(classifier, wav, expected).attribution.values
    )
    for kind, needed in (
        (captum.attr.Occlusion, "sliding_window_shapes"),
        (captum.attr.LayerGradCam, "layer"),
        (captum.attr.NoiseTunnel, "attribution_method"),
    ):
        with pytest.raises(ArgumentError, match=rf"{kind.__name__} needs {needed}.*Captum\("):
            ai.interpret(classifier, wav, kind)


@pytest.mark.parametrize("method", ["saliency", "gradcam", "rise", captum.attr.DeepLift])
@pytest.mark.filterwarnings("ignore:Setting .*hooks:UserWarning")
def test_quantus_takes_the_function(method):
    """Its scores are those of the attributions that the explainer itself gives."""
    network, db = network_and_clips()
    few = {"samples": 50, "cells": (2, 2)} if method == "rise" else {}
    explain = ai.explain_func(method, **few)
    targets = np.array([0, 1, 2, 1])
    values = explain(network, db.numpy(), targets)
    batch = {"model": network, "x_batch": db.numpy(), "y_batch": targets, "device": "cpu"}
    quiet = {"disable_warnings": True, "normalise": False, "abs": False}
    scores = quantus.Sparseness(**quiet)(**batch, a_batch=None, explain_func=explain)
    expected = quantus.Sparseness(**quiet)(**batch, a_batch=values)
    assert scores == pytest.approx(expected)
    # Here Quantus explains changed clips by itself.
    metric = quantus.MaxSensitivity(nr_samples=2, **quiet)
    sensitivity = metric(**batch, a_batch=None, explain_func=explain)
    assert np.isfinite(sensitivity).all()


def test_explain_func_builds_what_it_is_asked_for():
    network, db = network_and_clips()
    rise = ai.explain_func(ai.RISE, cells=(2, 2))
    values = rise(model=network, inputs=db.numpy(), targets=np.array([0] * 4), samples=50)
    expected = ai.RISE(network, (2, 2), samples=50)(db, target=0).values
    assert np.array_equal(values, expected.numpy())
    predicted = ai.explain_func("saliency")(network, db.numpy())
    assert np.array_equal(predicted, ai.Saliency(network)(db).values.numpy())
    with pytest.raises(ArgumentError, match="unknown method"):
        ai.explain_func("salience")
    with pytest.raises(ArgumentError, match="background"):
        ai.explain_func("shap")(network, db.numpy(), np.array([0] * 4))
    with pytest.raises(ArgumentError, match="a method is a name"):
        ai.explain_func(torch.relu)(network, db.numpy())
