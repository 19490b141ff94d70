"""A network that sees levels relative to the clip's loudest part: no gain changes what it says."""

import json
import warnings

import pytest
import relative_level_figures
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audiointerp.dataset import ESC50, EvenSubset, Synthetic
from audiointerp.dataset.noise import synthetic_noise
from audiointerp.errors import ArgumentError
from audiointerp.fit import FitSettings, train_classifier
from audiointerp.interpretation import SHAP
from audiointerp.model import Classifier, build_network, initialise
from audiointerp.model.relative_level import (
    PATCH,
    RelativeLevel,
    _sums_of_neighbours,
    patch_levels,
)
from audiointerp.processing import LogMel
from audiointerp.util import FLOOR, folded

SIZES = {"num_classes": 4, "num_bins": 24, "base_channels": 3}


def levels(clips=3, frames=60, seed=0, loudest=25.0):
    """Noise from the floor up to a level, whose first frames are digital silence."""
    generator = torch.Generator().manual_seed(seed)
    db = loudest - 75 * torch.rand(clips, 1, 24, frames, generator=generator) ** 2
    db[..., :7] = FLOOR
    return db


def network(name="Cnn6", level_range=60.0, seed=0):
    model = build_network(name, {**SIZES, "level_range": level_range})
    initialise(model, seed)
    # Statistics of real levels, as after a training.
    model.train()
    for number in range(20):
        model(levels(8, seed=number))
    with torch.no_grad():
        # Logits that differ, as after a training.
        model.head.weight *= 30
    return model.eval()


def test_levels_by_hand():
    """A patch of 0 dB in a clip of -50 dB with digital silence: the limit lies at -40 dB."""
    bins, frames = PATCH
    db = torch.full((1, 1, bins + 4, frames + 5), -50.0)
    db[..., 0] = FLOOR
    db[..., 2 : 2 + bins, 3 : 3 + frames] = 0.0
    # One loud bin is not the loudest patch.
    db[0, 0, 0, -1] = 10.0
    relative = RelativeLevel(40.0)(db)
    expected = torch.zeros_like(db)
    expected[..., 2 : 2 + bins, 3 : 3 + frames] = 40.0
    expected[0, 0, 0, -1] = 50.0
    assert torch.allclose(relative, expected, atol=1e-4)


@given(count=st.integers(1, 20), more=st.integers(0, 9), axis=st.sampled_from([-1, -2, 1]))
def test_sums_of_neighbours_are_those_of_windows(count, more, axis):
    x = torch.arange(1.0, 31.0).expand(2, 30, 30)
    x = (x * x.mT).narrow(axis, 0, count + more)
    assert _sums_of_neighbours(x, count, axis).equal(x.unfold(axis, count, 1).sum(-1))


def test_levels_of_patches_are_means():
    db = levels()
    bins, frames = PATCH
    means = db.unfold(2, bins, 1).unfold(3, frames, 1).mean((-1, -2))
    assert torch.allclose(patch_levels(db), means, atol=1e-4)
    assert torch.allclose(
        relative_level_figures.loudest_patch(db), means.flatten(1).amax(1), atol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_once(dtype):
    db = levels().to(dtype)
    exact = RelativeLevel(60.0)(db.float())
    assert RelativeLevel(60.0)(db).equal(exact.to(dtype))


def test_the_loudest_patch_is_that_of_a_pooling():
    """Without gradients a faster maximum takes its place; rules are those of the module."""
    relative, db = RelativeLevel(60.0), levels()
    pooled = []
    relative.loudest.register_forward_hook(lambda *_: pooled.append(True))
    fast = relative(db)
    assert not pooled
    exact = relative(db.clone().requires_grad_())
    assert pooled
    assert torch.equal(fast, exact)


def test_what_is_traced_or_exported_keeps_the_pooling():
    """The gradient of a maximum would be another where patches are equally loud."""
    relative, db = RelativeLevel(60.0), levels()
    db[..., 30:] = db[..., :30]
    inputs = db.clone().requires_grad_()
    (expected,) = torch.autograd.grad(relative(inputs).square().sum(), inputs)
    exported = torch.export.export(relative, (db,)).module()
    with warnings.catch_warnings(action="ignore"):
        traced = [torch.jit.trace(relative, example) for example in (db, inputs)]
    for recorded in (*traced, exported):
        again = db.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(recorded(again).square().sum(), again)
        assert torch.equal(gradient, expected)


@pytest.mark.parametrize("size", [(64, 2), (15, 100)])
def test_too_few_bins_or_frames_for_a_patch(size):
    with pytest.raises(ArgumentError, match="at least 16 bins and 3 frames"):
        RelativeLevel(60.0)(torch.zeros(1, 1, *size))


@given(gain=st.floats(-49, 30), seed=st.integers(0, 1000), span=st.floats(10, 60))
@settings(max_examples=40, deadline=None)
def test_a_gain_changes_nothing_until_the_limit_is_below_the_floor(gain, seed, span):
    # The lowest levels but for digital silence are -50 dB.
    db, relative = levels(seed=seed), RelativeLevel(span)
    patches = db.unfold(2, PATCH[0], 1).unfold(3, PATCH[1], 1).mean((4, 5))
    limits = patches.flatten(1).amax(1) - span
    assume(bool((limits + min(gain, 0) >= FLOOR).all()))
    moved = torch.where(db == FLOOR, FLOOR, db + gain)
    assert torch.allclose(relative(moved), relative(db), atol=1e-3)


def test_below_the_floor_a_gain_is_seen():
    """Digital silence does not move; where it is above the limit, it comes nearer to the sound."""
    db = levels(1, seed=3)
    relative = RelativeLevel(120.0)
    assert not torch.allclose(relative(db), relative((db - 30).clamp(min=FLOOR)), atol=1.0)


def test_each_clip_of_a_batch_has_its_own_level():
    quiet, loud = levels(1, seed=1, loudest=-30.0), levels(1, seed=2, loudest=20.0)
    relative = RelativeLevel(50.0)
    both = relative(torch.cat([quiet, loud]))
    assert both.equal(torch.cat([relative(quiet), relative(loud)]))


@pytest.mark.parametrize("name", ["Cnn6", "Cnn10"])
def test_the_network_says_the_same_at_minus_30_db(name):
    db = levels()
    quieter = (db - 30).clamp(min=FLOOR)
    model, absolute = network(name), network(name, None)
    with torch.no_grad():
        assert torch.allclose(model(db), model(quieter), atol=1e-3)
        assert not torch.allclose(absolute(db), absolute(quieter), atol=1e-1)


def test_the_gradients_of_all_bins_sum_to_nothing_and_no_bin_takes_them_all():
    """The derivative by the gain is 0: what the loudest patch gets is spread over its bins."""
    db = levels(1).double().requires_grad_()
    model = network().double()
    model(db)[:, 1].sum().backward()
    gradient = db.grad
    assert gradient.abs().sum() > 0
    assert abs(float(gradient.sum())) < 1e-6 * float(gradient.abs().sum())
    assert float(gradient.abs().max() / gradient.abs().sum()) < 0.05


@pytest.mark.parametrize("frames", [40, 60, 101])
def test_shap_adds_up(frames):
    db = levels(5, frames)
    gap = SHAP(network(), db[:3], batch=2)(db[3:]).info["additivity_gap"]
    assert not (gap > 1e-3).any()
    assert gap.isfinite().any()


def test_the_folded_copy_agrees():
    db = levels()
    model = network("Cnn10")
    copy = folded(model, db)
    assert copy is not None
    with torch.no_grad():
        assert torch.allclose(copy(db), model(db), atol=1e-3)


def test_files_keep_the_range_and_older_ones_have_none(tmp_path):
    transform = LogMel(sample_rate=8000, n_fft=512, hop_length=256, n_mels=24, f_max=4000.0)
    for level_range in (60.0, None):
        model = network(level_range=level_range)
        assert ("level_range" in model.settings) == (level_range is not None)
        path = tmp_path / "network.safetensors"
        Classifier(model, transform, ["a", "b", "c", "d"]).save(path)
        db = levels()
        with torch.no_grad():
            assert Classifier.load(path).network(db).equal(model(db))


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_wrong_ranges_are_named(wrong):
    with pytest.raises(ArgumentError, match=f"level_range={wrong}"):
        build_network("Cnn6", {**SIZES, "level_range": wrong})


def test_train_takes_the_options_and_the_card_shows_them(in_this_process, tmp_path, monkeypatch):
    def open_few(data, folds, subset, sample_rate, duration):
        return EvenSubset(Synthetic(folds, sample_rate=sample_rate, duration=3.0), 10)

    monkeypatch.setattr("audiointerp.experiments.open_data", open_few)
    status, _, error = in_this_process(
        *("train", "--network", "Cnn6", "--base-channels", 1, "--epochs", 1),
        *("--level-range", 55, "--averaging", 0.9, "--precision", "bfloat16", "--name", "few"),
        place=tmp_path,
    )
    assert (status, error) == (0, "")
    card = json.loads((tmp_path / "weights/few.json").read_text())
    assert card["training"]["fit"]["averaging"] == 0.9
    assert card["training"]["fit"]["precision"] == "bfloat16"
    loaded = Classifier.load(tmp_path / "weights/few.safetensors")
    assert loaded.network.settings["level_range"] == 55
    assert "down to 55 dB below the clip's loudest part" in (
        tmp_path / "weights/few.md"
    ).read_text().replace("\n", " ")


def test_train_hears_noises_of_other_seeds_than_the_test(in_this_process, tmp_path, monkeypatch):
    """Clean clips and three noisy copies; the noise of the test is that of the experiments."""
    seeds = []

    def open_few(data, folds, subset, sample_rate, duration):
        return EvenSubset(Synthetic(folds, sample_rate=sample_rate, duration=3.0), 10)

    def recorded(name, sample_rate, seconds=5.0, seed=0):
        seeds.append((name, seed))
        return synthetic_noise(name, sample_rate, seconds, seed)

    monkeypatch.setattr("audiointerp.experiments.open_data", open_few)
    monkeypatch.setattr("audiointerp.dataset.noise.synthetic_noise", recorded)
    status, _, error = in_this_process(
        *("train", "--network", "Cnn6", "--base-channels", 1, "--epochs", 1),
        *("--noises", "white,room"),
        place=tmp_path,
    )
    assert (status, error) == (0, "")
    assert seeds == [(name, seed) for seed in (1, 2, 0) for name in ("white", "room")]
    card = json.loads((tmp_path / "weights/synthetic_mel_cnn6_noise.json").read_text())
    assert sum(map(sum, card["confusion"])) == 30
    loaded = Classifier.load(tmp_path / "weights/synthetic_mel_cnn6_noise.safetensors")
    assert loaded.training["noises"] == ["white", "room"]


def test_real_clips_keep_their_class_at_minus_30_db(esc10):
    """Also those with digital silence; whatever the weights are."""
    clips = EvenSubset(ESC50(esc10, (5,), "esc10", sample_rate=32000, duration=5.0), 20)
    transform = LogMel()
    wavs = torch.stack([clips[index][0] for index in range(len(clips))])
    model = build_network("Cnn6", {"num_classes": 10, "base_channels": 2, "level_range": 60.0})
    initialise(model, 0)
    model.eval()
    with torch.no_grad():
        logits, quieter = (model(transform(wavs * gain).db) for gain in (1.0, 10**-1.5))
    assert torch.allclose(logits, quieter, atol=1e-3)
    assert quieter.std(0).max() > 1e-3


def test_training_learns_with_it():
    clips = EvenSubset(Synthetic((1,), sample_rate=8000, duration=3.0), 20)
    transform = LogMel(sample_rate=8000, n_fft=512, hop_length=256, n_mels=16, f_max=4000.0)
    plan = FitSettings(epochs=6, batch_size=5, averaging=0.8, mixup=0.0, time_mask=0)
    (outcome,) = train_classifier(
        (clips, clips, clips),
        transform,
        "Cnn6",
        base_channels=4,
        level_range=60.0,
        settings=plan,
        progress=False,
    )
    losses = [epoch.train_loss for epoch in outcome.history.epochs]
    assert losses[-1] < losses[0]
