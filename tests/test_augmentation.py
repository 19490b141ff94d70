"""What training does to bear removal: quieter clips, and bins that are removed with any fill."""

import pytest
import removal_robustness
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp.dataset import EvenSubset, Selection, Synthetic, compute_features
from audiointerp.errors import ArgumentError
from audiointerp.fit import FitSettings, fit, logits_of, train_classifier
from audiointerp.model import Classifier
from audiointerp.model.panns import Cnn6, initialise
from audiointerp.processing import LogMel
from audiointerp.processing.augmentation import MOST_REMOVED, augment, remove_bins
from audiointerp.util import FILLS, FLOOR, fill_levels

OFF = {"time_roll": False, "frequency_mask": 0, "time_mask": 0}
SMALL_MEL = LogMel(sample_rate=8000, n_fft=512, hop_length=256, n_mels=16, f_max=4000.0)


def levels(clips=8, bins=24, frames=40, seed=0):
    """Noise around -50 dB, whose first frames are digital silence."""
    db = -50 + 8 * torch.randn(
        clips, 1, bins, frames, generator=torch.Generator().manual_seed(seed)
    )
    db[..., :3] = FLOOR
    return db


def test_what_is_off_changes_nothing_and_draws_nothing():
    """Networks trained before there was a gain are made again, bit by bit, by their settings."""
    db = levels()
    assert augment(db, **OFF, gain=0.0, removal=0.0).equal(db)
    torch.manual_seed(3)
    augment(db[:1])
    after = torch.rand(())
    torch.manual_seed(3)
    bins, frames = db.shape[2:]
    torch.randint(frames, ())
    for length, widest in ((bins, 10), (frames, 40)):
        width = int(torch.randint(min(widest, length) + 1, ()))
        torch.randint(length - width + 1, ())
    assert after == torch.rand(())


@given(gain=st.floats(0.01, 80), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_gain_lowers_a_clip_as_a_whole_and_stops_at_the_floor(gain, seed):
    db = levels(seed=seed)
    kept = db.clone()
    torch.manual_seed(seed)
    changed = augment(db, **OFF, gain=gain)
    assert db.equal(kept)
    assert (changed >= FLOOR).all()
    assert (changed[db == FLOOR] == FLOOR).all()
    for clip, quieter in zip(db, changed, strict=True):
        drop = float((clip - quieter).max())
        assert -1e-4 <= drop <= gain + 1e-4
        assert torch.allclose(quieter, (clip - drop).clamp(min=FLOOR), atol=1e-4)


def test_gains_fill_their_range():
    torch.manual_seed(0)
    changed = augment(torch.zeros(2000, 1, 1, 1), **OFF, gain=30.0).flatten()
    drops = -changed.sort().values
    # The quantiles of a uniform draw; a standard error of their mean is 0.19 dB.
    assert drops.mean().item() == pytest.approx(15, abs=0.8)
    assert drops.min() < 0.5
    assert 29.5 < drops.max() <= 30
    quarter, three_quarters = drops.quantile(torch.tensor([0.25, 0.75])).tolist()
    assert quarter == pytest.approx(7.5, abs=1.5)
    assert three_quarters == pytest.approx(22.5, abs=1.5)


def test_a_removed_bin_gets_the_level_of_a_fill_and_the_others_stay():
    clip = levels(1)[0]
    sorted_bands = clip[0].sort(-1).values
    seen = set()
    for seed in range(120):
        torch.manual_seed(seed)
        changed = remove_bins(clip)
        is_changed = changed != clip
        assert is_changed.float().mean() <= MOST_REMOVED + 1e-6
        explained = set()
        for fill in FILLS:
            if fill in ("noise", "swap"):
                # Each band's levels come from that band; noise from its quiet half.
                columns = clip.shape[-1] // 2 + 1 if fill == "noise" else clip.shape[-1]
                allowed = sorted_bands[:, :columns]
                hits = [
                    torch.isin(band[where], values).all().item()
                    for band, where, values in zip(changed[0], is_changed[0], allowed, strict=True)
                ]
                explained |= {fill} if all(hits) else set()
            elif changed[is_changed].equal(fill_levels(clip[None], fill)[0][is_changed]):
                explained.add(fill)
        assert explained, seed
        # Of a fill that others explain too (silence is one of the band's levels), the narrowest.
        seen.add(next(fill for fill in FILLS if fill in explained))
    assert seen == set(FILLS)


def removed_places(count, seed):
    """Where bins were removed, if the fill is silence; no bin of the clip is at the floor."""
    torch.manual_seed(seed)
    clip = torch.rand(1, 40, 60)
    places = []
    while len(places) < count:
        changed = remove_bins(clip)
        if ((changed == FLOOR) | (changed == clip)).all() and (changed != clip).any():
            places.append((changed == FLOOR)[0])
    return torch.stack(places)


def test_the_removed_share_is_uniform_up_to_nine_tenths():
    shares = removed_places(300, 0).float().mean((1, 2))
    assert shares.max() <= MOST_REMOVED
    # 0.45, with a standard error of 0.015.
    assert shares.mean().item() == pytest.approx(MOST_REMOVED / 2, abs=0.06)
    assert shares.min() < 0.05
    assert shares.max() > 0.85


def test_half_of_the_removed_places_are_blobs_and_half_single_bins():
    places = removed_places(200, 1)
    shares = places.float().mean((1, 2))
    places = places[(shares > 0.2) & (shares < 0.8)]
    # Of single bins, a neighbour is equal with p² + (1-p)² <= 0.68; of blobs far more often.
    same = (places[:, :, 1:] == places[:, :, :-1]).float().mean((1, 2))
    are_blobs = same > 0.75
    assert 0.35 < are_blobs.float().mean() < 0.65
    assert same[~are_blobs].mean() < 0.65


@pytest.mark.parametrize("removal", [0.25, 1.0])
def test_removal_is_a_probability(removal):
    torch.manual_seed(0)
    db = levels(400, 8, 8)
    changed = (augment(db, **OFF, removal=removal) != db).flatten(1).any(1).float().mean()
    # A removed share near 0, or a fill that gives back the level, changes nothing.
    assert removal - 0.15 < changed <= removal + 0.07


def test_the_same_seed_augments_alike():
    db = levels()
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(augment(db, gain=30.0, removal=0.5))
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": -1.0},
        {"gain": float("nan")},
        {"gain": float("inf")},
        {"removal": -0.1},
        {"removal": 1.5},
        {"removal": float("nan")},
    ],
)
def test_wrong_settings_are_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ArgumentError, match=f"{name}={value}"):
        FitSettings(**wrong)


FOUR_CLASSES = (0, 3, 6, 9)


def levels_of_four_classes(folds):
    """Levels of synthetic clips at 8 kHz, and their targets, numbered from 0."""
    clips = Synthetic(folds, sample_rate=8000, duration=3.0)
    chosen = [index for index in range(len(clips)) if clips.targets(index)[0] in FOUR_CLASSES]
    db, targets = compute_features(Selection(clips, chosen), SMALL_MEL, progress=False)
    return db, torch.tensor([FOUR_CLASSES.index(target) for target in targets.tolist()])


@pytest.mark.long
def test_a_network_trained_with_gain_keeps_its_class_at_minus_30_db():
    train, (db, targets) = levels_of_four_classes((1, 2)), levels_of_four_classes((5,))
    accuracies, kept = {}, {}
    for gain in (0.0, 36.0):
        model = Cnn6(4, num_bins=16, base_channels=6, dropout=0.0, head_dropout=0.0)
        initialise(model, 0)
        plan = FitSettings(
            epochs=48, batch_size=8, mixup=0.0, frequency_mask=0, time_mask=0, gain=gain
        )
        fit(model, train, train, plan, progress=False)
        predicted = logits_of(model, db).argmax(1)
        of_quieter = logits_of(model, (db - 30).clamp(min=FLOOR)).argmax(1)
        accuracies[gain] = (predicted == targets).float().mean().item()
        kept[gain] = (predicted == of_quieter).float().mean().item()
    assert min(accuracies.values()) >= 0.85
    assert kept[36.0] >= 0.9
    # Without a gain in training, the class is lost.
    assert kept[0.0] < 0.6


def test_the_card_records_gain_and_removal():
    clips = EvenSubset(Synthetic((1,), sample_rate=8000, duration=3.0), 4)
    plan = FitSettings(epochs=1, gain=30.0, removal=0.5)
    outcomes = [
        train_classifier(
            (clips, clips, clips), SMALL_MEL, "Cnn6", base_channels=2, settings=plan, progress=False
        )[0]
        for _ in range(2)
    ]
    first, second = (outcome.classifier for outcome in outcomes)
    assert first.training["fit"]["gain"] == 30.0
    assert first.training["fit"]["removal"] == 0.5
    for name, value in first.network.state_dict().items():
        assert value.equal(second.network.state_dict()[name]), name
        assert value.is_contiguous(), name


def test_the_robustness_table_by_hand():
    """A network whose class is whether the level is above -40 dB on average."""

    class Loudness(torch.nn.Module):
        def forward(self, db):
            loudness = db.mean((1, 2, 3))
            return torch.stack([loudness, torch.full_like(loudness, -40.0)], 1)

    class Noise:
        """Two clips of noise at about -20 and -50 dB: of class 0 and of class 1."""

        def __len__(self):
            return 2

        def __getitem__(self, index):
            torch.manual_seed(index)
            return torch.randn(1, 8000) * (0.003, 0.0001)[index], index

    classifier = Classifier(Loudness(), SMALL_MEL, ["loud", "quiet"], duration=1.0)
    text = removal_robustness.table(classifier, Noise())
    rows = [line.split(" | ") for line in text.removesuffix(" |").splitlines()[2:]]
    scores = {row[0].removeprefix("| "): row[1] for row in rows}
    assert scores["gain of 0 dB"] == scores["gain of -10 dB"] == "1.0000"
    # At -30 dB the loud clip is quiet.
    assert scores["gain of -30 dB"] == "0.5000"
    assert scores["10% removed, background"] == "1.0000"
