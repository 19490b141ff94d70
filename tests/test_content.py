"""ENERGY and HEARD of a mask, random masks matched in HEARD, and the distance from clean clips."""

import json
import math
import statistics
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import Excerpts, noise, small_classifier, small_set, ten_classes
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from torch import nn

import audiointerp as ai
from audiointerp.errors import ArgumentError, AudioWarning
from audiointerp.experiments import run_shards
from audiointerp.interpretation import random_field
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret, score
from audiointerp.processing import MaskedParts
from audiointerp.processing.spectrogram import LogMel
from audiointerp.scoring import OutOfDistribution, content, matched, ood_reference
from audiointerp.scoring.content import energy_shares, heard_shares
from audiointerp.scoring.embeddings import embeddings_of
from audiointerp.scoring.matched import TOLERANCE
from audiointerp.scoring.outcomes import classify_each_part, classify_parts

CLASSIFIER = small_classifier(duration=0.3)
CLIP = CLASSIFIER.transform(noise(0.3))
SHAPE = CLIP.db.shape
FEW = {"masks": ["topK_30"], "progress": False}


def heard_under(clip, masks, on="features", fill="silence"):
    return content.heard_under(MaskedParts(clip, fill), masks, on=on)


def matched_masks(clip, masks, fields, on="features", fill="silence"):
    return matched.matched_masks(MaskedParts(clip, fill), masks, fields, on=on)


def drawn(seed, share):
    values = torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed))
    return (values < share).float()


def levels(*values):
    return torch.tensor(values).view(1, 1, 2, -1)


@given(st.integers(0, 2**31), st.floats(-30, 30))
def test_all_of_the_clip_and_nothing_of_it(seed, loudness):
    """Also of clips near the floor, whose silent bins are within 6 dB of it."""
    db = torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)) * 15 - 60 + loudness
    clip = replace(CLIP, db=db.clamp_min(-100))
    ones, zeros = torch.ones(SHAPE), torch.zeros(SHAPE)
    both = torch.cat([ones, zeros])
    assert heard_under(clip, both).tolist() == [1, 0]
    assert energy_shares(clip.db, both).tolist() == [1, 0]
    with_fill = heard_under(clip, both, fill="background")
    assert with_fill[0] == 1
    quiet = clip.masked(zeros, fill="background").db
    assert with_fill[1] == heard_shares(clip.db, quiet)


def test_all_of_a_sound_and_nothing_of_it():
    both = torch.cat([torch.ones(SHAPE), torch.zeros(SHAPE)])
    assert heard_under(CLIP, both, on="audio").tolist() == [1, 0]


@given(st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_mask_keeps_more(seed, share, larger_share):
    """And of a 0/1 mask, kept and removed energy add up, as do the audible bins of features."""
    share, larger_share = sorted([share, larger_share])
    small, large = drawn(seed, share), drawn(seed, larger_share)
    masks = torch.cat([small, large, 1 - small])
    for shares in (energy_shares(CLIP.db, masks), heard_under(CLIP, masks)):
        assert 0 <= shares[0] <= shares[1] <= 1
        assert float(shares[0] + shares[2]) == pytest.approx(1, abs=1e-9)


def test_audible_bins_that_come_back_by_hand():
    # The fourth bin is 60.5 dB below the largest, and not audible.
    db = levels(0.0, -20.0, -60.0, -60.5)
    parts = torch.cat(
        [
            levels(-6.0, -26.0, -66.0, -60.5),
            levels(-6.1, -20.0, -53.9, -60.5),
            levels(6.0, -14.0, -54.0, 0.0),
            levels(-100.0, -100.0, -100.0, -60.5),
        ]
    )
    assert heard_shares(db, parts).tolist() == pytest.approx([1, 1 / 3, 1, 0])
    # A silent bin does not come back, although it is within 6 dB of the floor.
    assert heard_shares(levels(-95.0, -90.0, -97.0, -94.0), levels(-100.0, -90.0, -97.0, -100.0))
    quiet = levels(-95.0, -90.0, -97.0, -94.0)
    assert heard_shares(quiet, levels(-100.0, -90.0, -97.0, -100.0)).item() == 0.5
    silent = torch.full((1, 1, 2, 2), -100.0)
    assert heard_shares(silent, silent).isnan().all()
    assert energy_shares(silent, torch.ones_like(silent)).isnan().all()


def test_energy_by_hand():
    db = levels(0.0, -10.0, -20.0, -100.0)
    masks = torch.cat(
        [
            levels(1.0, 0.0, 0.0, 0.0),
            levels(0.0, 1.0, 1.0, 1.0),
            # Half of the level above the floor: 0 dB becomes -50 dB.
            levels(0.5, 0.0, 0.0, 1.0),
        ]
    )
    total = 1 + 0.1 + 0.01
    expected = [1 / total, 0.11 / total, 1e-5 / total]
    assert energy_shares(db, masks).tolist() == pytest.approx(expected, rel=1e-6)


def test_the_energy_of_a_tone_is_that_of_its_band():
    """Two tones of powers 4 : 1, each kept alone; by a filter of its own."""
    time = torch.arange(32000) / 32000
    wav = sum(a * torch.sin(2 * math.pi * f * time) for a, f in ((0.2, 500), (0.1, 8000)))
    clip = ai.LogSTFT(32000, 1024, 320)(wav[None, None])
    low = (clip.transform.frequencies < 3000).float().view(1, 1, -1, 1).expand_as(clip.db)
    assert energy_shares(clip.db, low).item() == pytest.approx(0.8, abs=2e-3)


@pytest.mark.parametrize("fill", ["silence", "background"])
@pytest.mark.parametrize("on", ["features", "audio"])
def test_random_masks_are_matched_in_what_is_heard(on, fill):
    masks = torch.cat([drawn(1, share) for share in (0.05, 0.3, 0.6)] + [torch.ones(SHAPE)])
    # A mask of the loudest bins, and of the quietest.
    order = CLIP.db.flatten().argsort().argsort().view(SHAPE)
    masks = torch.cat([masks, (order > 1500).float(), (order < 500).float()])
    fields = torch.cat([random_field(CLIP.db, "matched", seed) for seed in range(len(masks))])
    found = matched_masks(CLIP, masks, fields, on=on, fill=fill)
    assert ((found == 0) | (found == 1)).all()
    gaps = heard_under(CLIP, found, on=on, fill=fill) - heard_under(CLIP, masks, on=on, fill=fill)
    assert float(gaps.abs().max()) <= TOLERANCE
    for mask, field in zip(found, fields, strict=True):
        if 0 < mask.mean() < 1:
            assert field[mask == 1].min() > field[mask == 0].max()


@pytest.mark.parametrize("on", ["features", "audio"])
def test_a_matched_mask_does_not_depend_on_the_other_masks(on):
    order = CLIP.db.flatten().argsort().argsort().view(SHAPE)
    masks = torch.cat([drawn(1, 0.05), drawn(2, 0.6), (order > 1500).float(), order / order.max()])
    fields = torch.cat([random_field(CLIP.db, "matched", seed) for seed in range(len(masks))])
    together = matched_masks(CLIP, masks, fields, on=on)
    alone = [
        matched_masks(CLIP, mask[None], field[None], on=on)
        for mask, field in zip(masks, fields, strict=True)
    ]
    assert together.equal(torch.cat(alone))


def test_rows_of_some_masks_are_those_of_a_larger_plan():
    """Also beside the null whose masks are searched for."""
    clips, nulls = small_set(count=1), ["matched", "pixelwise"]
    more, fewer = (
        score(
            ten_classes(), clips, ["saliency"], masks, nulls=nulls, on=["features", "audio"],
            progress=False,
        ).query("mask == 'topK_30'")
        for masks in (["bin", "sigmoid", "topK_30", "topK_5"], ["topK_30"])
    )  # fmt: skip
    columns = [name for name in more if name.endswith("_matched") or name in ("FF", "HEARD")]
    assert len(columns) > 5
    # FidIn and AI are 0 or 100; p differs by rounding, since the batches differ.
    few_values, more_values = (rows[columns].to_numpy(float) for rows in (fewer, more))
    np.testing.assert_allclose(few_values, more_values, rtol=0, atol=1e-4)


def test_the_search_for_a_match_takes_few_steps(monkeypatch):
    """Of features about one, since the share of random bins is that of the audible ones."""
    masks = torch.cat([drawn(seed, share) for seed, share in enumerate((0.05, 0.2, 0.5, 0.9))])
    fields = torch.cat([random_field(CLIP.db, "matched", seed) for seed in range(len(masks))])
    calls = []
    heard = matched.heard_under
    monkeypatch.setattr(matched, "heard_under", lambda *a, **k: calls.append(1) or heard(*a, **k))
    assert matched_masks(CLIP, masks, fields) is not None
    # The masks, the empty one, and the steps; halving the range takes up to 11 of these.
    assert len(calls) <= 2 + 5


def test_the_match_is_exact_to_a_bin_where_one_bin_is_more_than_the_tolerance():
    db = torch.full((1, 1, 4, 4), -90.0)
    db[..., :2] = 0.0
    clip = replace(CLIP, db=db, gain=torch.ones_like(db))
    mask = torch.zeros_like(db)
    mask[0, 0, :, 0] = 1
    field = torch.arange(16.0).view(1, 1, 4, 4)
    found = matched_masks(clip, mask, field)
    assert heard_under(clip, found).item() == heard_under(clip, mask).item() == 0.5
    empty = matched_masks(clip, torch.full_like(db, 0.5), field)
    assert empty.sum() == 0
    everything = matched_masks(clip, torch.ones_like(db), -field)
    assert heard_under(clip, everything).item() == 1
    assert matched_masks(replace(clip, db=torch.full_like(db, -100.0)), mask, field) is None


def test_rows_have_the_content_of_their_masks():
    classifier = ten_classes()
    rows = score(
        classifier, small_set(count=1), ["saliency"], **FEW, on=["features", "audio"],
        fill=["background", "silence"], optimize="none",
    )  # fmt: skip
    clip = classifier.transform(small_set(count=1)[0][0][None])
    attribution = ai.Saliency(classifier.network)(clip.db)
    mask = ai.MASKS["topK_30"](attribution.values)
    for row in rows.to_dict("records"):
        heard = heard_under(clip, mask, on=row["on"], fill=row["fill"]).item()
        assert row["HEARD"] == heard
        assert row["HEARD_matched"] == pytest.approx(heard, abs=TOLERANCE)
        assert row["ENERGY"] == energy_shares(clip.db, mask).item()
        assert math.isfinite(row["FF_matched"])
        assert math.isnan(row["ood_in"])
        assert math.isnan(row["deletion_matched"])
    assert rows["HEARD_pixelwise"].notna().all()
    scores = interpret(classifier, small_set(count=1)[0][0], "saliency").scores
    silent = rows[(rows["fill"] == "silence") & (rows["on"] == "features")].iloc[0]
    assert scores["HEARD"] == silent["HEARD"]


class Silence(type(small_set())):
    def __getitem__(self, index):
        wav, target = super().__getitem__(index)
        return torch.zeros_like(wav), target


def test_a_silent_clip_has_no_matched_mask():
    with pytest.warns(AudioWarning, match=r"1 of 1 clips is silent"):
        rows = score(ten_classes(), small_set(Silence, count=1), ["random"], **FEW)
    assert rows["status"].tolist() == ["ok"]
    assert rows[["HEARD", "ENERGY", "FF_matched"]].isna().all(axis=None)
    assert rows["FF_pixelwise"].notna().all()


class SilentFromTheSecond(Silence):
    def __getitem__(self, index):
        wav, target = super().__getitem__(index)
        return (wav if index else small_set()[0][0]), target


def test_a_run_in_shards_names_silent_clips(tmp_path):
    given = ("own", ten_classes(), small_set(SilentFromTheSecond, count=3), ["random"], tmp_path)
    # The second call computes nothing.
    for _ in range(2):
        with pytest.warns(AudioWarning, match=r"2 of 3 clips are silent \("):
            run_shards(*given, masks=["bin"], shard_size=2, progress=False)
    record = json.loads((tmp_path / "mel/own/random/run.json").read_text())
    assert len(record["silent_clips"]) == 2


def test_distances_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    training, others = generator.normal(size=(40, 8)), generator.normal(size=(7, 8)) * 2
    reference = OutOfDistribution(torch.from_numpy(training), clean_distance=2.0)
    nearest, _ = NearestNeighbors(n_neighbors=5).fit(training).kneighbors(others)
    ratios = reference.ratios(torch.from_numpy(others)).numpy()
    np.testing.assert_allclose(ratios, nearest.mean(1) / 2)
    by_scipy = np.sort(cdist(others, training), 1)[:, :5].mean(1)
    np.testing.assert_allclose(ratios, by_scipy / 2)


def fold(number):
    dataset = ai.EvenSubset(Excerpts((number,), duration=3.0), 8)
    dataset.labels = tuple(f"label{i}" for i in range(10))
    return dataset


def test_clean_clips_are_as_far_as_clean_clips_and_silence_is_further():
    classifier, training, clean = ten_classes(), fold(1), fold(4)
    reference = ood_reference(classifier, training, clean)
    ratios = []
    for index in range(len(clean)):
        clip = classifier.transform(clean[index][0][None])
        ones = torch.ones_like(clip.db)
        outcomes = classify_parts(classifier, clip, torch.tensor([0]), ones, reference=reference)
        ratios.append(outcomes.content["ood_in"].item())
        again = reference.ratios(penultimate(classifier, clip.masked(0 * ones).db))
        assert outcomes.content["ood_out"].item() == pytest.approx(again.item(), rel=1e-5)
    assert statistics.median(ratios) == pytest.approx(1, rel=1e-5)
    assert len(reference.training) == 8


def penultimate(classifier, db):
    """The input of the head, by a network that ends before it."""
    network = classifier.network
    head, network.head = network.head, nn.Identity()
    embedding = network(db).detach()
    network.head = head
    return embedding


def test_embeddings_leave_the_network_as_it_was():
    with embeddings_of(CLASSIFIER.network) as embeddings:
        CLASSIFIER.logits(CLIP.db)
    torch.testing.assert_close(embeddings[0].float(), penultimate(CLASSIFIER, CLIP.db))
    CLASSIFIER.logits(CLIP.db)
    assert len(embeddings) == 1
    assert not any(module._forward_hooks for module in CLASSIFIER.network.modules())


def test_models_without_an_embedding_have_no_distance():
    class Bands(nn.Module):
        def forward(self, db):
            return db.mean(-1)[:, 0, :10] / 10

    without = Classifier(Bands(), LogMel(), [f"label{i}" for i in range(10)], 3.0)
    assert ood_reference(without, fold(1), fold(4)) is None

    class Unused(Bands):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(3, 3)

    unused = Classifier(Unused(), LogMel(), [f"label{i}" for i in range(10)], 3.0)
    assert ood_reference(unused, fold(1), fold(4)) is None
    clip = unused.transform(noise(3.0))
    reference = OutOfDistribution(torch.zeros(5, 3), 1.0)
    outcomes = classify_each_part(
        unused, clip, torch.tensor([0]), torch.ones_like(clip.db), reference=reference
    )
    assert outcomes.content["ood_in"].isnan().all()
    with pytest.raises(ArgumentError, match="both a training clip and a clean one"):
        ood_reference(ten_classes(), fold(1), fold(1))
    with pytest.raises(ArgumentError, match=r"4 training clips .* at least 5"):
        ood_reference(ten_classes(), ai.EvenSubset(fold(1), 4), fold(4))


def test_scores_compare_with_a_reference():
    classifier = ten_classes()
    reference = ood_reference(classifier, fold(1), fold(4))
    rows = score(
        classifier, fold(5), ["random"], **FEW, nulls=[], on=["features", "audio"],
        reference=reference,
    )  # fmt: skip
    assert (rows[["ood_in", "ood_out"]] > 0).all(axis=None)
    without = score(classifier, fold(5), ["random"], **FEW, nulls=[], on=["features", "audio"])
    assert rows.drop(columns=["ood_in", "ood_out"]).equals(
        without.drop(columns=["ood_in", "ood_out"])
    )


def test_clips_of_the_reference_are_named_where_they_are_scored():
    classifier = ten_classes()
    reference = ood_reference(classifier, fold(1), fold(4))
    for number in (1, 4):
        with pytest.warns(UserWarning, match=r"8 of the scored clips \(\S+ …\) are among those of"):
            reference.check(classifier, fold(number))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reference.check(classifier, fold(5))


def run_in_shell(call, place, data, out):
    weights = place / "mel.safetensors"
    done = call(
        *("run", "mel_clean", "--weights", weights, "--data", data, "--methods", "random"),
        *("--masks", "bin", "--nulls", "none", "--on", "features", "--fill", "silence"),
        *("--out", out),
    )
    assert done.returncode == 0, done.stderr
    folder = out / "mel" / "mel_clean" / "random"
    record = json.loads((folder / "run.json").read_text())
    return pd.read_csv(folder / "metrics.csv"), record["plan"]["reference"]


def test_the_shell_compares_with_the_training_folds(call, place, tmp_path):
    rows, digest = run_in_shell(call, place, place / "data", tmp_path / "whole")
    dataset = {
        name: ai.ESC50(place / "data", folds, sample_rate=32000, duration=3.0)
        for name, folds in (("training", (1, 2, 3)), ("clean", (4,)))
    }
    reference = ood_reference(Classifier.load(place / "mel.safetensors"), **dataset)
    assert digest == reference.clips_sha256
    assert (rows[["ood_in", "ood_out"]] > 0).all(axis=None)


def test_without_training_folds_the_distances_are_empty(call, place, tmp_path):
    dataset = ai.Synthetic((5,), duration=3.0, sample_rate=16000)
    dataset.rows = dataset.rows[::8]
    dataset.write(tmp_path / "data")
    rows, digest = run_in_shell(call, place, tmp_path / "data", tmp_path / "results")
    assert digest is None
    assert rows[["ood_in", "ood_out"]].isna().all(axis=None)
    assert (rows["status"] == "ok").all()
