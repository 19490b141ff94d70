"""Comparisons with independent libraries, which only the tests need, on random and real clips."""

import captum.attr
import numpy as np
import pytest
import quantus
import shap
import torch
from conftest import noise, small_classifier
from lime.lime_image import LimeImageExplainer
from pytorch_grad_cam import GradCAM as TheirGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional

from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation.base import seed_of
from audiointerp.interpretation.captum import Captum
from audiointerp.interpretation.captum_methods import (
    IntegratedGradients,
    SmoothGrad,
)
from audiointerp.interpretation.coalitions import weighted_fit
from audiointerp.interpretation.gradcam import GradCAM, GuidedGradCAM
from audiointerp.interpretation.kernel_shap import END_WEIGHT, KernelSHAP, _draw_sets
from audiointerp.interpretation.lime import LIME, RIDGE, _weights
from audiointerp.interpretation.occlusion import Occlusion
from audiointerp.interpretation.preserve import seeded
from audiointerp.interpretation.segments import SEGMENTS, filling, segmented
from audiointerp.interpretation.shap import SHAP
from audiointerp.metrics import complexity, sparseness
from audiointerp.processing.audio import load_audio
from audiointerp.processing.spectrogram import LogMel
from audiointerp.scoring.protocols import PROTOCOLS


@pytest.fixture(scope="module")
def real(esc10):
    """Three real clips of one second as features."""
    names = ("1-100032-A-0", "1-187207-A-20", "1-21934-A-38")
    wavs = [load_audio(esc10 / "audio" / f"{name}.ogg", 32000)[..., :32000] for name in names]
    return torch.cat([LogMel()(wav).db for wav in wavs])


@pytest.fixture(scope="module")
def network(real):
    network = small_classifier().network
    # Spread the untrained logits, so that there is something to explain.
    with torch.no_grad():
        network.head.weight *= 5 / network(real).std(0).max()
    return network


def synthetic():
    return torch.cat([LogMel()(noise(1.0, seed=seed)).db for seed in range(3)])


def features(kind, request):
    return request.getfixturevalue("real") if kind == "real" else synthetic()


both = pytest.mark.parametrize("kind", ["random", "real"])


def relative(ours, theirs):
    return float((ours - theirs).detach().norm() / theirs.detach().norm())


@both
def test_sparseness_and_complexity_are_quantus(kind, request, network):
    db = features(kind, request)
    values = GradCAM(network)(db).values
    masks = torch.cat(
        [PROTOCOLS["corrected"].masks[name](values) for name in PROTOCOLS["corrected"].masks]
        + [torch.rand(3, 1, 64, 101)]
    )
    masks = masks[masks.flatten(1).sum(1) > 0]
    batch = {
        "model": None,
        "x_batch": masks.numpy(),
        "y_batch": np.zeros(len(masks), int),
        "a_batch": masks.double().numpy(),
    }
    options = {
        "normalise": True,
        "abs": True,
        "disable_warnings": True,
        "display_progressbar": False,
    }
    gini, entropy = (
        np.array(score(**options)(**batch)) for score in (quantus.Sparseness, quantus.Complexity)
    )
    offset = masks.double() / masks.double().amax((1, 2, 3), keepdim=True) + 1e-7
    assert np.abs(sparseness(offset).numpy() - gini).max() <= 1e-6
    assert np.abs(complexity(masks).numpy() - entropy).max() <= 1e-6
    published = PROTOCOLS["published"].metrics
    varied = masks.flatten(1).std(1) > 1e-3
    scored = type("Scored", (), {"mask": masks[varied]})
    assert np.abs(published["SPS"].compute(scored).numpy() - gini[varied.numpy()]).max() <= 1e-6
    assert np.abs(published["COMP"].compute(scored).numpy() - entropy[varied.numpy()]).max() <= 1e-6


@both
def test_shap_is_deep_explainer(kind, request, network):
    db = features(kind, request)
    background, clip = db[:2], db[2:]
    theirs = torch.from_numpy(shap.DeepExplainer(network, background).shap_values(clip))
    for target in range(3):
        ours = SHAP(network, background, batch=1)(clip, target=target).values
        assert relative(ours, theirs[..., target]) <= 1e-5


class WithoutMax(nn.Module):
    """A network without max pooling, for which captum's DeepLIFT and shap have different rules."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.AvgPool2d(4),
            nn.Conv2d(4, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 3),
        )

    def forward(self, db):
        return self.layers(db / 20 + 2)


@both
def test_shap_is_deep_lift_shap(kind, request):
    db = features(kind, request)
    plain = WithoutMax().eval()
    ours = SHAP(plain, db[:2])(db[2:], target=1).values
    with pytest.warns(UserWarning, match="hooks"):
        theirs = captum.attr.DeepLiftShap(plain).attribute(
            db[2:].clone().requires_grad_(), baselines=db[:2], target=1
        )
    assert relative(ours, theirs.float()) <= 1e-5


@both
def test_gradcam_is_pytorch_grad_cam(kind, request, network):
    """Our map is theirs before ReLU and rescaling, interpolated to the grid."""
    db = features(kind, request)
    layer = network.conv_block4.conv2
    theirs = TheirGradCAM(network, [layer])
    for target in range(3):
        targets = [ClassifierOutputTarget(target)] * len(db)
        theirs(db, targets=targets)
        seen = theirs.activations_and_grads
        coarse = theirs.get_cam_image(
            db,
            layer,
            targets,
            seen.activations[0].numpy(),
            seen.gradients[0].numpy(),
            eigen_smooth=False,
        )
        # PANNs work on (time, frequency).
        grid = torch.from_numpy(coarse)[:, None].transpose(2, 3)
        expected = functional.interpolate(grid, db.shape[2:], mode="bilinear", align_corners=False)
        assert relative(GradCAM(network)(db, target=target).values, expected) <= 1e-5
    theirs.activations_and_grads.release()


@both
def test_integrated_gradients_occlusion_and_smoothgrad_are_captum(kind, request, network):
    db = features(kind, request)[1:2].clone().requires_grad_()
    ours = IntegratedGradients(network, steps=12)(db, target=1).values
    theirs = captum.attr.IntegratedGradients(network).attribute(
        db, baselines=-100.0, target=1, n_steps=12
    )
    assert relative(ours, theirs.float()) <= 1e-5
    ours = Occlusion(network, patch=(32, 50), stride=(32, 25))(db, target=2).values
    theirs = captum.attr.Occlusion(network).attribute(
        db, sliding_window_shapes=(1, 32, 50), strides=(1, 32, 25), baselines=-100.0, target=2
    )
    assert relative(ours, theirs) <= 1e-5
    without = SmoothGrad(network, noise=0.0, samples=2)(db, target=0).values
    assert (
        relative(without, captum.attr.Saliency(network).attribute(db, target=0, abs=False)) <= 1e-4
    )
    noisy = [SmoothGrad(network, samples=3, seed=seed)(db, target=0).values for seed in (0, 0, 1)]
    assert noisy[0].equal(noisy[1])
    assert not noisy[0].equal(noisy[2])


@both
def test_guided_gradcam_is_captum_where_the_axes_are_not_swapped(kind, request):
    db = features(kind, request)
    plain = WithoutMax().eval()
    layer = plain.layers[3]
    method = captum.attr.GuidedGradCam(plain, layer)
    ours = torch.stack(
        [GuidedGradCAM(plain, layer)(db, target=target).values for target in range(3)]
    )
    with pytest.warns(UserWarning, match="hooks"):
        theirs = torch.stack(
            [
                method.attribute(
                    db.clone().requires_grad_(), target=target, interpolate_mode="bilinear"
                )
                for target in range(3)
            ]
        )
    assert relative(ours, theirs) <= 1e-5


@both
@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("fill", ["segment_mean", "silence"])
def test_lime_is_lime(kind, request, network, segments, fill):
    """The lime package gets our segments, number of draws and random state."""
    db = features(kind, request)[1:2]
    ours = LIME(network, segments, fill, samples=150, seed=12345)(db, target=2)
    random = np.random.RandomState(12345)
    where = segmented(db, segments, int(random.randint(0, 1000)))[0, 0].numpy()

    def probabilities(images):
        with torch.no_grad():
            return network(torch.from_numpy(images[..., 0]).float()[:, None]).softmax(1).numpy()

    explanation = LimeImageExplainer(random_state=random).explain_instance(
        db[0, 0].double().numpy(),
        probabilities,
        labels=(2,),
        top_labels=None,
        num_samples=150,
        random_seed=0,
        hide_color=None if fill == "segment_mean" else -100.0,
        segmentation_fn=lambda image: where,
    )
    theirs = np.zeros_like(where, dtype=float)
    for segment, weight in explanation.local_exp[2]:
        theirs[where == segment] = weight
    # There is nothing to rank in one segment.
    if where.max() == 0:
        assert np.allclose(ours.values[0, 0], theirs, atol=1e-6)
        return
    assert spearmanr(ours.values.flatten(), theirs.ravel()).statistic >= 0.999
    assert relative(ours.values[0, 0].double(), torch.from_numpy(theirs)) <= 1e-3
    assert ours.info["surrogate_r2"].item() == pytest.approx(explanation.score, abs=1e-3)
    assert ours.info["segments"].item() == where.max() + 1


def test_lime_by_hand():
    """Two segments, four draws, the normal equations solved here."""
    kept = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]])
    weights = _weights(kept)
    distance = 1 - np.sqrt(np.array([1, 0.5, 0.5, 0]))
    assert np.allclose(weights, np.exp(-(distance**2) / (2 * 0.25**2)))
    y = torch.tensor([0.9, 0.7, 0.2, 0.1], dtype=torch.float64)
    design = torch.cat([torch.ones(4, 1, dtype=torch.float64), kept.double()], 1)
    penalty = torch.diag(torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64))
    expected = torch.linalg.solve(
        design.T @ (weights[:, None] * design) + penalty, design.T @ (weights * y)
    )
    assert torch.allclose(weighted_fit(kept, y, weights, RIDGE)[0], expected[1:])


def bent(bins, frames):
    """A network that is neither linear nor additive."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(bins * frames, 16), nn.Tanh(), nn.Linear(16, 3))
    with torch.no_grad():
        network[1].weight /= 40
    return network


@pytest.mark.parametrize(
    ("patch", "stride"),
    [
        ((8, 16), (4, 8)),
        ((7, 16), (5, 9)),
        ((40, 64), (50, 70)),
        ((3, 5), (2, 5)),
        ((40, 1), (9, 1)),
    ],
)
def test_occlusion_is_captum_for_patches_that_do_not_fit(patch, stride):
    network, db = bent(40, 64), -60 * torch.rand(2, 1, 40, 64)
    ours = Occlusion(network, patch, stride)(db, target=1).values
    with torch.no_grad():
        theirs = captum.attr.Occlusion(network).attribute(
            db, (1, *patch), (1, *stride), baselines=-100.0, target=1, perturbations_per_eval=32
        )
    assert relative(ours, theirs) <= 1e-5


@pytest.mark.parametrize(
    ("patch", "stride"), [((8, 65), (4, 8)), ((8, 16), (9, 8)), ((0, 1), (1, 1))]
)
def test_patches_that_do_not_cover_the_clip_are_refused(patch, stride):
    with pytest.raises(ArgumentError, match="does not cover a clip of"):
        Occlusion(bent(40, 64), patch, stride)(torch.zeros(1, 1, 40, 64))


@pytest.mark.parametrize("shape", [(8, 32), (40, 64), (3, 50)])
@pytest.mark.parametrize("fill", ["silence", "segment_mean"])
@pytest.mark.parametrize("seed", [0, 7])
def test_kernel_shap_is_captum_at_the_same_seed(shape, fill, seed):
    """Captum draws set by set. Its regression in float32 is precise for small logits like these."""
    network, db = bent(*shape), -60 * torch.rand(1, 1, *shape)
    where = segmented(db, "grid")
    ours = KernelSHAP(network, "grid", fill, samples=200, seed=seed)(db, target=2).values
    with seeded(seed_of(db, seed)), torch.no_grad():
        theirs = captum.attr.KernelShap(network).attribute(
            db,
            baselines=filling(db, where, fill),
            feature_mask=where,
            n_samples=200,
            target=2,
            perturbations_per_eval=32,
        )
    assert relative(ours, theirs) <= 1e-5


def test_kernel_shap_solves_in_double_precision(real, network):
    """On a trained-like network, weights of a million cost captum's float32 up to 0.5 %."""
    db = real[1:2]
    where, seed = segmented(db, "grid"), seed_of(db, 0)
    sets = _draw_sets(int(where.max()) + 1, 150, seed)
    with torch.no_grad():
        levels = torch.where(sets[:, where[0]], db, filling(db, where, "silence"))
        logits = network(levels).double()[:, 1]
    weights = np.ones(150)
    weights[:2] = END_WEIGHT
    # Centred and scaled by hand: the least squares of numpy in float64.
    share = torch.from_numpy(weights / weights.sum())
    x, y = sets.double() - share @ sets.double(), logits - share @ logits
    root = np.sqrt(weights)
    solved = np.linalg.lstsq(x.numpy() * root[:, None], y.numpy() * root, rcond=None)[0]
    ours = KernelSHAP(network, samples=150)(db, target=1).values
    expected = torch.from_numpy(solved)[where[0, 0]]
    assert relative(ours[0, 0].double(), expected) <= 1e-5
    # So the values add up, which is what the weights are for.
    by_segment = torch.stack([ours[where == number][0] for number in range(len(solved))])
    assert by_segment.sum().item() == pytest.approx((logits[0] - logits[1]).item(), rel=1e-4)


def test_methods_share_the_segments_of_a_clip(monkeypatch):
    calls = []

    def halves(image, seed):
        calls.append(seed)
        return np.arange(image.size).reshape(image.shape) // (image.size // 2)

    monkeypatch.setitem(SEGMENTS, "grid", halves)
    db = torch.rand(1, 1, 6, 10)
    first, again = segmented(db, "grid"), segmented(db.clone(), "grid")
    assert first.equal(again)
    assert calls == [0]
    # Changing a result does not change the next one.
    first += 1
    assert segmented(db, "grid").equal(again)
    segmented(db, "grid", seed=1)
    segmented(db + torch.rand(1, 1, 6, 10), "grid")
    assert calls == [0, 1, 0]


@pytest.mark.parametrize("shape", [(16, 32), (64, 501)])
def test_kernel_shap_over_segments_finds_shapley_values(shape):
    """For a linear model, the value of a segment is its share of the difference."""
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1], 2))
    db = torch.rand(1, 1, *shape)
    values = KernelSHAP(linear, "grid", "mean")(db, target=0).values
    weights = linear[1].weight[0].detach().view(1, 1, *shape)
    change = weights * (db - db.mean(-1, keepdim=True))
    where = segmented(db, "grid")
    expected = torch.stack(
        [change[where == number].sum() for number in range(int(where.max()) + 1)]
    )[where[0, 0]]
    assert relative(values[0, 0], expected) <= 0.03
    with pytest.raises(ArgumentError, match="cannot tell 256 segments apart"):
        KernelSHAP(nn.Sequential(nn.Flatten(), nn.Linear(64 * 501, 2)), samples=300)(
            torch.rand(1, 1, 64, 501)
        )


def test_any_captum_object_works(network):
    db = synthetic()[:2]
    deep = Captum(network, captum.attr.InputXGradient)(db, target=1)
    assert deep.method == "inputxgradient"
    with torch.enable_grad():
        assert (
            relative(
                deep.values,
                captum.attr.InputXGradient(network).attribute(
                    db.clone().requires_grad_(), target=1
                ),
            )
            <= 1e-4
        )
    layer = Captum(
        network,
        lambda score: captum.attr.LayerGradCam(score, network.conv_block4.conv2),
        name="theirs",
        relu_attributions=False,
    )(db.detach(), target=1)
    assert layer.method == "theirs"
    assert relative(layer.values, GradCAM(network)(db.detach(), target=1).values) <= 1e-4


def test_captum_s_convergence_delta_is_in_the_info(network):
    db = synthetic()[:2]
    attribution = Captum(
        network, captum.attr.IntegratedGradients, baselines=-100.0, return_convergence_delta=True
    )(db)
    assert attribution.info["convergence_delta"].shape == (2,)


def test_wrong_captum_objects_are_refused(network):
    for name in ("../escaped", "a/b", "", "<lambda>"):
        with pytest.raises(ArgumentError, match="name="):
            Captum(network, lambda score: captum.attr.Saliency(score), name=name)
    with pytest.raises(ArgumentError, match="not 'DeepLift'"):
        Captum(network, "DeepLift")
    with pytest.raises(ArgumentError, match="unknown layout"):
        Captum(network, captum.attr.InputXGradient, layout="XX")
    for samples in (2.5, "100", 1):
        with pytest.raises(ArgumentError, match="must be a whole number from 2 on"):
            LIME(network, samples=samples)
    with pytest.raises(ArgumentError, match="cannot tell 56 segments apart"):
        LIME(network, "grid", samples=100)(synthetic()[:1])


def test_guided_backpropagation_must_see_every_relu():
    class Functional(WithoutMax):
        def forward(self, db):
            return super().forward(torch.relu(db))

    with pytest.raises(ModelError, match="cannot see relu in the network itself"):
        GuidedGradCAM(Functional().eval())(synthetic())


def test_fills():
    db = torch.tensor([[[[0.0, 2.0], [4.0, 8.0]]]])
    where = torch.tensor([[[[0, 0], [0, 1]]]])
    assert filling(db, where, "segment_mean").flatten().tolist() == [2, 2, 2, 8]
    assert filling(db, where, "silence").flatten().tolist() == [-100] * 4
    assert filling(db, where, "mean").flatten().tolist() == [1, 1, 6, 6]
