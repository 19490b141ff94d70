from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from audiointerp.dataset import compute_features
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.fit import PUBLISHED, FitSettings, fit, logits_of, train_classifier, validate
from audiointerp.fit.loop import WARM_UP, follow
from audiointerp.fit.train import _accuracy_of_last
from audiointerp.model.panns import Cnn6, initialise
from audiointerp.processing.augmentation import augment
from audiointerp.processing.spectrogram import LogMel, LogSTFT
from audiointerp.util.probability import FLOOR


def bands(count, seed):
    """Three classes of noise with one louder band each: easy, but not in one epoch."""
    generator = torch.Generator().manual_seed(seed)
    db = -60 + 10 * torch.randn(count, 1, 64, 64, generator=generator)
    targets = torch.arange(count) % 3
    for clip, target in zip(db, targets, strict=True):
        clip[:, 10 * int(target) + 5 : 10 * int(target) + 10] += 25
    return db, targets


def network():
    model = Cnn6(3, base_channels=4, dropout=0.0, head_dropout=0.0)
    initialise(model, 0)
    return model


QUICK = FitSettings(
    epochs=8, batch_size=8, learning_rate=1e-2, frequency_mask=4, time_mask=5, mixup=0.1
)


def test_training_learns_and_restores_the_best_epoch():
    model, train, valid = network(), bands(48, 0), bands(30, 1)
    seen = {}
    history = fit(
        model,
        train,
        valid,
        QUICK,
        progress=False,
        on_epoch=lambda e: seen.update({e.number: copy_of(model)}),
    )
    assert [epoch.number for epoch in history.epochs] == list(range(1, 9))
    assert (
        history.best_epoch.valid_accuracy
        == max(epoch.valid_accuracy for epoch in history.epochs)
        > 0.8
    )
    assert not model.training
    for key, value in model.state_dict().items():
        # A copy of that epoch's weights, not a reference to the last ones.
        assert value.equal(seen[history.best][key]), key
    assert validate(model, valid) == (
        history.best_epoch.valid_loss,
        history.best_epoch.valid_accuracy,
    )


def test_an_early_best_epoch_is_restored():
    """The weights are ruined after the third epoch: one of the first three must be restored."""
    model, train, valid = network(), bands(48, 0), bands(30, 1)
    seen = {}

    def ruin(epoch):
        seen[epoch.number] = copy_of(model)
        if epoch.number == 3:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.fill_(torch.nan)

    history = fit(model, train, valid, QUICK, progress=False, on_epoch=ruin)
    assert history.best <= 3
    assert history.epochs[-1].valid_loss != history.epochs[-1].valid_loss
    assert all(value.equal(seen[history.best][key]) for key, value in model.state_dict().items())
    assert validate(model, valid) == (
        history.best_epoch.valid_loss,
        history.best_epoch.valid_accuracy,
    )


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_the_network_of_the_last_epoch_is_told_beside_the_best(averaging):
    """Of a running mean it is the mean, which is what is validated."""
    model, train, valid = network(), bands(48, 0), bands(30, 1)
    settings = replace(QUICK, epochs=3, averaging=averaging)
    history = fit(model, train, valid, settings, progress=False)
    accuracy = _accuracy_of_last(model, history, valid)
    assert accuracy == history.epochs[-1].valid_accuracy
    assert history.best != 3 or validate(model, valid)[1] == accuracy
    if averaging == 0:
        assert len({epoch.valid_accuracy for epoch in history.epochs}) > 1


def test_training_that_diverges_is_an_error():
    model = network()
    torch.nn.init.constant_(model.head.bias, torch.nan)
    with pytest.raises(ModelError, match="diverged"):
        fit(model, bands(12, 0), bands(6, 1), replace(QUICK, epochs=1), progress=False)


def copy_of(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_the_same_seed_gives_the_same_network_and_leaves_the_random_state():
    outcomes = []
    for seed in (0, 0, 1):
        model = network()
        torch.manual_seed(7)
        fit(model, bands(16, 0), bands(6, 1), FitSettings(epochs=1, seed=seed), progress=False)
        # torch's first number after seed 7.
        assert torch.rand(1).item() == pytest.approx(0.5349, abs=1e-4)
        outcomes.append(model.head.weight)
    assert outcomes[0].equal(outcomes[1])
    assert not outcomes[0].equal(outcomes[2])


@pytest.mark.parametrize(
    "settings",
    [
        PUBLISHED,
        FitSettings(schedule="cosine", mixup=0.0),
        FitSettings(),
        FitSettings(precision="bfloat16", averaging=0.9),
    ],
)
def test_every_setting_trains(settings):
    history = fit(network(), bands(12, 0), bands(6, 1), replace(settings, epochs=1), progress=False)
    assert history.epochs[0].train_loss > 0


def test_the_running_mean_is_what_is_kept():
    """After one step of a whole batch: the share by hand, of the weights and the statistics."""
    one_step = FitSettings(epochs=1, batch_size=12, mixup=0.0)
    start = copy_of(network())
    models = {}
    for averaging in (0.0, 0.05, 0.9):
        models[averaging] = network()
        plan = replace(one_step, averaging=averaging)
        fit(models[averaging], bands(12, 0), bands(6, 1), plan, progress=False)
    stepped = models[0.0].state_dict()
    for averaging, stays in ((0.05, 0.05), (0.9, 1 / (1 + WARM_UP))):
        for name, value in models[averaging].state_dict().items():
            if not value.is_floating_point():
                assert value.equal(stepped[name]), name
                continue
            expected = stays * start[name] + (1 - stays) * stepped[name]
            assert torch.allclose(value, expected, atol=1e-6), name
            assert value.is_contiguous(), name


def test_a_running_mean_of_many_steps_by_hand():
    layer, mean = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.zeros_(mean.weight)
    expected = 0.0
    for steps in range(1, 200):
        nn.init.constant_(layer.weight, float(steps))
        follow(mean, layer, 0.9, steps)
        stays = min(0.9, steps / (steps + WARM_UP))
        expected = stays * expected + (1 - stays) * steps
    assert mean.weight.item() == pytest.approx(expected, rel=1e-5)
    # A mean with a share of 0.9 is 9 steps late behind weights that grow evenly.
    assert expected == pytest.approx(199 - 9, abs=0.1)


def test_half_precision_takes_nearly_the_same_step():
    steps = {}
    for precision in ("float32", "bfloat16"):
        model = network()
        before = copy_of(model)
        plan = FitSettings(
            epochs=1, batch_size=12, mixup=0.0, optimizer="adam", precision=precision
        )
        fit(model, bands(12, 0), bands(6, 1), plan, progress=False)
        assert model.head.weight.dtype == torch.float32
        steps[precision] = model.fc1.weight - before["fc1.weight"]
    single, half = steps.values()
    assert not single.equal(half)
    assert functional.cosine_similarity(single.flatten(), half.flatten(), 0) > 0.8


def test_augmentation_silences_one_band_and_one_stretch():
    db = torch.rand(20, 1, 40, 60)
    kept = db.clone()
    torch.manual_seed(0)
    changed = augment(db, time_roll=False, frequency_mask=8, time_mask=9)
    assert db.equal(kept)
    for clip in changed[:, 0] == FLOOR:
        rows, columns = clip.all(1), clip.all(0)
        assert rows.sum() <= 8
        assert columns.sum() <= 9
        assert clip.equal(rows[:, None] | columns[None])
        assert rows.diff().sum() <= 2
    assert (changed == FLOOR).any()
    rolled = augment(db, frequency_mask=0, time_mask=0)
    assert rolled.sort(-1).values.equal(db.sort(-1).values)
    assert not rolled.equal(db)


def test_features_of_a_data_set():
    dataset = Synthetic((5,), sample_rate=16000, duration=3.0)
    dataset.rows = dataset.rows[:3]
    db, targets = compute_features(dataset, LogSTFT(), progress=False)
    assert db.shape == (3, 1, 257, 188)
    assert targets.tolist() == [0, 0, 0]
    assert db[1:2].equal(LogSTFT()(dataset[1][0][None]).db)
    with pytest.raises(ArgumentError, match="16000 Hz"):
        compute_features(dataset, LogMel())


def test_logits_keep_the_mode():
    model = network().train()
    logits = logits_of(model, torch.randn(5, 1, 64, 64), batch_size=2)
    assert logits.shape == (5, 3)
    assert model.training


def test_wrong_settings_are_named():
    for wrong in (
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"mixup": -1.0},
        {"optimizer": "sgd"},
        {"schedule": "x"},
        {"precision": "float8"},
        {"averaging": 1.0},
        {"averaging": -0.1},
        {"averaging": float("nan")},
        {"learning_rate": float("inf")},
        {"seed": -1},
        {"seed": 2**70},
    ):
        with pytest.raises(
            ArgumentError, match=next(iter(wrong)).replace("learning_rate", "learning")
        ):
            FitSettings(**wrong)
    with pytest.raises(ArgumentError, match="time_roll='no'"):
        FitSettings(time_roll="no")
    with pytest.raises(ArgumentError, match="both are needed"):
        fit(nn.Linear(1, 1), bands(0, 0), bands(3, 0))
    with pytest.raises(ArgumentError, match="warp"):
        fit(nn.Linear(1, 1), bands(3, 0), bands(3, 0), device="warp")


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "frequency_mask", "time_mask"])
@pytest.mark.parametrize("wrong", [1.5, 2.0, True, "3"])
def test_whole_numbers_are_needed_where_things_are_counted(name, wrong):
    with pytest.raises(ArgumentError, match=rf"{name}={wrong!r} must be a whole number"):
        FitSettings(**{name: wrong})


@pytest.mark.parametrize("name", ["learning_rate", "mixup", "gain", "removal", "averaging"])
@pytest.mark.parametrize("wrong", ["0.5", True, None])
def test_numbers_are_needed_where_things_are_measured(name, wrong):
    with pytest.raises(ArgumentError, match=f"{name}={wrong!r} must be finite"):
        FitSettings(**{name: wrong})


def test_adam_has_no_weight_decay():
    """It was dropped without a word before."""
    assert FitSettings().weight_decay == 1e-2
    assert FitSettings(optimizer="adam").weight_decay == PUBLISHED.weight_decay == 0
    assert FitSettings(weight_decay=0.3).weight_decay == 0.3
    with pytest.raises(ArgumentError, match=r"weight_decay=0\.01: .*adamw"):
        FitSettings(optimizer="adam", weight_decay=0.01)
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ArgumentError, match="weight_decay"):
            FitSettings(weight_decay=wrong)


def relabelled(labels, sample_rate=16000):
    dataset = Synthetic((5,), sample_rate=sample_rate, duration=3.0)
    dataset.labels = labels
    return dataset


@pytest.mark.parametrize(
    ("place", "other", "message"),
    [
        (1, relabelled(tuple("abcdefghix")), r"validation set's labels .*not in both: j, x"),
        (2, relabelled(tuple("bacdefghij")), r"test set's labels .*another order"),
        (2, relabelled(tuple("abcdefghij"), 32000), "test set has 32000 Hz"),
    ],
)
def test_data_sets_that_differ_are_refused_before_training(place, other, message, monkeypatch):
    """A network was trained on one set of labels and judged by another."""
    monkeypatch.setattr("audiointerp.fit.train.compute_features", None)
    datasets = [relabelled(tuple("abcdefghij"))] * 3
    datasets[place] = other
    with pytest.raises(ArgumentError, match=message):
        train_classifier(tuple(datasets), LogSTFT(), base_channels=2, progress=False)


def test_the_gradients_of_a_training_step_are_right():
    """Also those of PANNs' first normalisation, of height 1, whatever the layout in memory."""
    model, (db, targets) = network(), bands(6, 0)
    plain = deepcopy(model).train()
    functional.cross_entropy(plain(db), targets).backward()
    settings = FitSettings(
        epochs=1, batch_size=6, time_roll=False, frequency_mask=0, time_mask=0, mixup=0.0
    )
    fit(model, (db, targets), (db, targets), settings, progress=False)
    for (name, expected), parameter in zip(
        plain.named_parameters(), model.parameters(), strict=True
    ):
        difference = (parameter.grad - expected.grad).abs().max()
        assert difference <= 1e-3 * expected.grad.abs().max() + 1e-7, name
        assert parameter.is_contiguous(), name
