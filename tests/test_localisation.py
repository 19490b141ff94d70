"""Localisation: scores against cases by hand and scikit-learn, and rows against known truth."""

import math

import numpy as np
import pytest
import torch
from conftest import small_classifier
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

import audiointerp as ai
from audiointerp.errors import ArgumentError
from audiointerp.scoring import (
    LOCALISATION_COLUMNS,
    LOCALISATION_SCORES,
    auc,
    average_precision,
    iou,
    localisation_scores,
    pointing_game,
    relevance_mass,
    truth_of,
    weighted,
)
from audiointerp.scoring.localisation_scores import mean_ranks, undefined_reason

LAWS_OF = "localisation scores"
SCORES = list(LOCALISATION_SCORES)


@st.composite
def maps_with_truth(draw, ties=True):
    """A map of 2 × M bins, often with equal values, and a truth with bins of both kinds."""
    frames = draw(st.integers(2, 12))
    entries = st.integers(-3, 3) if ties else st.floats(-100, 100, width=32)
    values = draw(st.lists(entries, min_size=2 * frames, max_size=2 * frames, unique=not ties))
    truth = draw(st.lists(st.booleans(), min_size=2 * frames, max_size=2 * frames))
    truth[0], truth[1] = True, False
    shape = (1, 1, 2, frames)
    return torch.tensor(values, dtype=torch.float64).view(shape), torch.tensor(truth).view(shape)


@given(maps_with_truth())
def test_auc_and_average_precision_are_those_of_scikit_learn(case):
    values, truth = case
    labels, numbers = truth.flatten().numpy(), values.flatten().numpy()
    assert auc(values, truth).item() == pytest.approx(roc_auc_score(labels, numbers), abs=1e-12)
    assert average_precision(values, truth).item() == pytest.approx(
        average_precision_score(labels, numbers), abs=1e-12
    )


@given(maps_with_truth(), st.data())
def test_auc_among_some_bins_is_that_of_these_bins(case, data):
    values, truth = case
    count = truth.numel()
    among = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    among[:2] = True, True
    chosen = torch.tensor(among)
    expected = roc_auc_score(truth.flatten()[chosen].numpy(), values.flatten()[chosen].numpy())
    assert auc(values, truth, chosen.view_as(truth)).item() == pytest.approx(expected, abs=1e-12)


@given(maps_with_truth())
def test_the_order_alone_counts(case):
    values, truth = case
    for score in (auc, average_precision, iou, pointing_game):
        before = score(values, truth)
        for changed in (3 * values - 7, values.exp(), values**3 - 1):
            torch.testing.assert_close(score(changed, truth), before)
    torch.testing.assert_close(
        relevance_mass(5 * values, truth), relevance_mass(values, truth), equal_nan=True
    )


@given(maps_with_truth())
def test_a_map_turned_round_has_the_other_half_of_auc(case):
    values, truth = case
    torch.testing.assert_close(auc(values, truth) + auc(-values, truth), torch.ones(1).double())
    torch.testing.assert_close(auc(values, truth) + auc(values, ~truth), torch.ones(1).double())


@given(maps_with_truth(ties=False))
def test_iou_is_that_of_as_many_largest_values(case):
    values, truth = case
    count = int(truth.sum())
    largest = set(values.flatten().argsort(descending=True)[:count].tolist())
    true = set(truth.flatten().nonzero()[:, 0].tolist())
    assert iou(values, truth).item() == pytest.approx(len(largest & true) / len(largest | true))
    assert pointing_game(values, truth).item() == float(truth.flatten()[values.argmax()])


def test_a_random_map_knows_nothing():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(200, 1, 16, 25, generator=generator)
    truth = torch.zeros(200, 1, 16, 25, dtype=torch.bool)
    truth[..., :10] = True
    means = {
        "auc": auc(values, truth).mean().item(),
        "ap": average_precision(values, truth).mean().item(),
        "pointing": pointing_game(values, truth).mean().item(),
        "mass": relevance_mass(values, truth).mean().item(),
        "iou": iou(values, truth).mean().item(),
    }
    # k of n bins are true: AUC 1/2, the others k/n, and of k chosen bins k * k/n are true.
    assert means["auc"] == pytest.approx(0.5, abs=0.01)
    assert means["ap"] == pytest.approx(0.4, abs=0.01)
    assert means["pointing"] == pytest.approx(0.4, abs=0.1)
    assert means["mass"] == pytest.approx(0.4, abs=0.01)
    assert means["iou"] == pytest.approx(0.4 / (2 - 0.4), abs=0.01)


def test_cases_by_hand():
    values = torch.tensor([[[[4.0, 3.0, 2.0, -1.0]]]])
    truth = torch.tensor([[[[True, False, True, False]]]])
    # Three of four pairs are in order; precision is 1 at the first and 2/3 at the second hit.
    assert auc(values, truth).item() == 0.75
    assert average_precision(values, truth).item() == pytest.approx((1 + 2 / 3) / 2)
    assert iou(values, truth).item() == pytest.approx(1 / 3)
    assert pointing_game(values, truth).item() == 1
    assert relevance_mass(values, truth).item() == pytest.approx(6 / 9)


def test_each_clip_of_a_batch_by_itself():
    values = torch.randn(3, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    truth = values.roll(1, -1) > 0
    for score in (auc, average_precision, iou, pointing_game, relevance_mass):
        alone = [score(values[n : n + 1], truth[n : n + 1]) for n in range(3)]
        torch.testing.assert_close(score(values, truth), torch.cat(alone))


def test_ties_of_iou_and_pointing_fall_in_the_order_of_the_masks():
    values = torch.zeros(1, 1, 2, 2)
    first_frame = torch.tensor([[[[True, False], [True, False]]]])
    assert iou(values, first_frame).item() == 1
    assert iou(values, first_frame.transpose(2, 3)).item() == pytest.approx(1 / 3)
    assert pointing_game(values, ~first_frame).item() == 0


def test_what_is_undefined_is_nan_and_has_a_reason():
    values = torch.tensor([[[[2.0, -1.0, -3.0]]]])
    truth = torch.tensor([[[[True, False, False]]]])
    everything, nothing = torch.ones_like(truth), torch.zeros_like(truth)
    cases = {
        "no bin of truth": (values, nothing, everything, SCORES),
        "constant map": (torch.ones_like(values), truth, everything, SCORES),
        "only the explained source is audible": (values, truth, truth, ["contrast"]),
        "no positive value": (values - 5, truth, everything, ["mass"]),
        "": (values, truth, everything, []),
    }
    for reason, (shown, true, audible, undefined) in cases.items():
        scores = localisation_scores(shown, true, audible)
        assert undefined_reason(shown, true, audible) == reason
        assert [name for name in SCORES if math.isnan(scores[name])] == undefined


def test_truth_by_hand():
    source = torch.tensor([[[[-10.0, -49.0, -51.0, -20.0, -100.0]]]])
    other = torch.tensor([[[[-60.0, -60.0, -60.0, -15.0, -100.0]]]])
    truth = truth_of(source, other)
    # Loudest; within 40 dB; not within; the other is louder; silence.
    assert truth.source.flatten().tolist() == [True, True, False, False, False]
    assert truth.audible.flatten().tolist() == [True, True, False, True, False]
    silent = truth_of(torch.full_like(source, -100.0), other)
    assert not silent.source.any()


def test_truth_of_frames_is_that_of_their_power():
    source = torch.tensor([[[[-20.0, -30.0], [-100.0, -30.0]]]])
    other = torch.tensor([[[[-22.0, -28.0], [-22.0, -100.0]]]])
    # -22 dB twice is -19 dB; -30 dB twice is -27 dB.
    assert truth_of(source, other, "time").source.flatten().tolist() == [False, True]
    assert truth_of(source, other, "time").source.shape == (1, 1, 1, 2)


@given(maps_with_truth(ties=False))
def test_the_weighted_level_has_the_order_of_the_level(case):
    values, _ = case
    both = weighted(values, values, "level").flatten()
    order = values.flatten().argsort()
    assert bool((both[order].diff() >= 0).all())
    torch.testing.assert_close(weighted(values, values, "none"), values)


def test_a_weighted_map_is_zero_where_nothing_is_heard():
    values, db = torch.tensor([[[[9.0, 8.0, 1.0]]]]), torch.tensor([[[[-90.0, -20.0, -20.0]]]])
    assert weighted(values, db, "level").flatten().tolist() == pytest.approx([0, 2 / 3, 1 / 3])


def test_weights_of_levels_at_the_edge():
    values = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])
    ranks = values / 4
    for levels, expected in (
        (torch.full_like(values, -70.0), ranks),
        # Nothing is heard of silence, also where all else is quiet.
        (torch.full_like(values, -100.0), 0 * ranks),
        (torch.tensor([[[[-65.0, -100.0, -65.0, -66.0]]]]), ranks * (values != 2)),
    ):
        torch.testing.assert_close(weighted(values, levels, "level"), expected.double())
    one_bin = weighted(torch.tensor([[[[-3.0]]]]), torch.tensor([[[[-9.0]]]]), "level")
    assert one_bin.flatten().tolist() == [1.0]
    # In proportion to the level, from 60 dB below the largest to that.
    db = torch.tensor([[[[0.0, -15.0, -30.0, -60.0]]]])
    shares = weighted(values, db, "level", (60.0, 0.0)) / ranks
    assert shares.flatten().tolist() == pytest.approx([1, 0.75, 0.5, 0])


@given(maps_with_truth())
def test_among_bins_that_are_heard_the_map_alone_decides(case):
    values, _ = case
    db = -5.0 * torch.arange(float(values.numel())).view(values.shape)
    shares = (
        weighted(values, db, "level").flatten() * len(db.flatten()) / mean_ranks(values.flatten())
    )
    # A weight of 1 down to 40 dB below the loudest bin, then a quarter less every 5 dB.
    weights = [*[1.0] * 9, 0.75, 0.5, 0.25, *[0.0] * 20][: values.numel()]
    assert shares.tolist() == pytest.approx(weights, abs=1e-12)


@pytest.fixture(scope="module")
def synthetic():
    return ai.Synthetic((5,), sample_rate=32000, duration=3.0)


@pytest.fixture(scope="module")
def classifier(synthetic):
    classifier = small_classifier(10, duration=3.0)
    return ai.Classifier(classifier.network, classifier.transform, synthetic.labels, 3.0)


@pytest.fixture(scope="module")
def mixtures(synthetic):
    return ai.Mixtures(synthetic, 2)


class Broken(ai.Explainer):
    name = "broken"

    def _attribute(self, score, db):
        raise RuntimeError("out of ideas")


class Constant(ai.Explainer):
    name = "constant"

    def _attribute(self, score, db):
        score.settle(db)
        return torch.ones_like(db), {}


def test_rows_of_mixtures(classifier, mixtures):
    methods = ["saliency", Broken, Constant]
    rows = ai.localise(classifier, mixtures, methods, min_p=0.0, progress=False)
    assert tuple(rows.columns) == LOCALISATION_COLUMNS
    assert set(rows["method"]) == {
        *("saliency", "broken", "constant", "level", "level_above_median", "random")
    }
    counts = rows.groupby("method").size()
    # Two clips, two classes, two weights; the level has one, and so has an error.
    assert counts.to_dict() == {
        **dict.fromkeys(("saliency", "constant", "level_above_median", "random"), 8),
        **dict.fromkeys(("level", "broken"), 4),
    }
    broken = rows[rows["method"] == "broken"]
    assert set(broken["status"]) == {"error"}
    assert set(broken["error"]) == {"out of ideas"}
    # Also where it is weighted: a map that says nothing must not get the scores of the weight.
    constant = rows[rows["method"] == "constant"]
    assert set(constant["undefined"]) == {"constant map"}
    assert constant[SCORES].isna().all(axis=None)
    saliency = rows[rows["method"] == "saliency"]
    assert saliency[SCORES].notna().all(axis=None)
    assert set(saliency["ratio_db"]) == {0.0}
    first = saliency.iloc[0]
    assert first["explained"] == classifier.labels[mixtures.targets(0)[0]]
    assert first["source_recording"] == mixtures.recordings(0)[0]
    assert first["recording"] == mixtures.recording(0)
    spectrogram = classifier.transform(mixtures[0][0][None])
    p = classifier.probabilities(spectrogram.db)[0, mixtures.targets(0)[0]]
    assert first["p"] == pytest.approx(float(p), abs=1e-6)
    values = ai.Saliency(classifier.network)(spectrogram.db, mixtures.targets(0)[0]).values
    source, other = (classifier.transform(part).db for part in mixtures.parts(0))
    truth = truth_of(source, other)
    assert first["contrast"] == auc(values, truth.source, truth.audible).item()


def test_classes_of_small_p_are_told_and_not_explained(classifier, mixtures):
    rows = ai.localise(classifier, mixtures, ["saliency"], min_p=1.0, progress=False)
    assert set(rows["status"]) == {"skipped"}
    assert len(rows) == 4
    assert rows["error"].str.contains("below min_p 1").all()


def test_a_clip_that_cannot_be_read_is_a_row(classifier, mixtures, synthetic):
    class Unreadable(ai.Mixtures):
        def parts(self, index):
            if index == 0:
                raise OSError("no such disk")
            return super().parts(index)

    rows = ai.localise(classifier, Unreadable(synthetic, 2), ["saliency"], progress=False)
    failed = rows[rows["clip"] == mixtures.clip_id(0)]
    assert set(failed["stage"]) == {"read"}
    assert set(failed["method"]) == {"saliency", "level", "level_above_median", "random"}


def test_a_clip_whose_sources_do_not_fit_is_a_row(classifier, synthetic):
    whole = ai.Mixtures(synthetic, 1)

    class OneSource(ai.Mixtures):
        def __getitem__(self, index):
            return whole[index]

        def parts(self, index):
            return whole.parts(index)[:1]

    dataset = OneSource(synthetic, 1)
    rows = ai.localise(classifier, dataset, ["saliency"], progress=False)
    assert set(rows["status"]) == {"error"}
    assert rows["error"].str.contains("1 sources and 2 classes").all()


def test_the_event_of_synthetic_clips(classifier, synthetic):
    rows = ai.localise(
        classifier, ai.EvenSubset(synthetic, 2), ["gradcam"], min_p=0.0, progress=False
    )
    assert (rows["status"] == "ok").all()
    index = ai.EvenSubset(synthetic, 2).indices[0]
    share = float(synthetic.support(index, classifier.transform).double().mean())
    assert 0 < rows["truth_share"].iloc[0] <= share
    in_frames = ai.localise(
        classifier,
        ai.EvenSubset(synthetic, 2),
        ["gradcam"],
        axis="time",
        min_p=0.0,
        progress=False,
    )
    assert set(in_frames["axis"]) == {"time"}
    assert in_frames["contrast"].notna().any()


def test_what_cannot_be_localised_is_refused(classifier, synthetic, mixtures):
    with pytest.raises(ArgumentError, match="does not know the sources"):
        ai.localise(classifier, ai.Contaminated(synthetic, "white"), ["saliency"], progress=False)
    with pytest.raises(ArgumentError, match="min_p"):
        ai.localise(classifier, mixtures, ["saliency"], min_p=2, progress=False)
    with pytest.raises(ArgumentError, match="unknown weight 'levels'; did you mean 'level'"):
        ai.localise(classifier, mixtures, ["saliency"], weights=["levels"], progress=False)
    with pytest.raises(ArgumentError, match="unknown axis"):
        ai.localise(classifier, mixtures, ["saliency"], axis="frequency", progress=False)


@pytest.fixture
def oracle(classifier, mixtures, tmp_path):
    """A folder with maps that are the truth, made elsewhere."""
    for index in range(len(mixtures)):
        parts = [classifier.transform(part).db for part in mixtures.parts(index)]
        for number, target in enumerate(mixtures.targets(index)):
            truth = truth_of(parts[number], parts[1 - number]).source[0, 0]
            label = classifier.labels[target]
            path = ai.MapsFolder(tmp_path).path_of(mixtures.clip_id(index), label)
            np.save(path, truth.numpy().astype(np.float32))
    return ai.MapsFolder(tmp_path)


def test_the_maps_of_others_are_judged_beside_ours(classifier, mixtures, oracle):
    rows = ai.localise(
        classifier, mixtures, {"oracle": oracle}, weights=["none"], min_p=0.0, progress=False
    )
    of_oracle = rows[rows["method"] == "oracle"]
    assert (of_oracle["status"] == "ok").all()
    for name in SCORES:
        assert of_oracle[name].tolist() == pytest.approx([1.0] * 4), name


def test_maps_of_others_in_score(classifier, synthetic, tmp_path):
    clips = ai.EvenSubset(synthetic, 2)
    size = classifier.transform(clips[0][0][None]).db.shape[2:]
    values = torch.rand(size, generator=torch.Generator().manual_seed(0))
    np.save(ai.MapsFolder(tmp_path).path_of(clips.clip_id(0)), values.numpy())
    maps = ai.MapsFolder(tmp_path)
    rows = ai.score(classifier, clips, {"lmac": maps}, ["topK_30"], nulls=[], progress=False)
    assert rows["status"].tolist() == ["ok", "error"]
    assert rows["method"].tolist() == ["lmac", "lmac"]
    assert f"no map of {clips.clip_id(1)}" in rows["error"][1]
    assert rows["AREA"][0] == pytest.approx(0.3, abs=1e-3)
    mean = ai.score(classifier, clips, {"lmac": maps}, [above_mean], nulls=[], progress=False)
    expected = (values >= values.mean()).double().mean().item()
    assert mean["AREA"][0] == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="named clips"):
        ai.interpret(classifier, clips[0][0], maps)


def above_mean(values):
    return (values >= values.mean()).to(values)


def test_a_map_file_that_does_not_fit_is_named(tmp_path):
    folder = ai.MapsFolder(tmp_path)

    def read():
        return folder.read("a/b.wav", "dog", (2, 3), predicted=True)

    with pytest.raises(ArgumentError, match=r"a%2Fb\.wav@dog\.npy or a%2Fb\.wav\.npy"):
        read()
    path = folder.path_of("a/b.wav")
    np.save(path, np.ones((3, 2)))
    with pytest.raises(ArgumentError, match="2 bins and 3 frames"):
        read()
    np.save(path, np.full((2, 3), np.nan))
    with pytest.raises(ArgumentError, match="NaN"):
        read()
    # What must be refused: a file that only unpickling could read. It is made here, never loaded.
    np.save(path, np.array([[object()] * 3] * 2), allow_pickle=True)
    with pytest.raises(ArgumentError, match="not an array"):
        read()
    np.save(path, np.ones((1, 2, 3), np.int64))
    assert read().shape == (1, 1, 2, 3)
    # That of the class comes first; that of the predicted class is no other's.
    np.save(folder.path_of("a/b.wav", "dog"), np.zeros((2, 3)))
    assert not read().any()
    with pytest.raises(ArgumentError, match="for cat"):
        folder.read("a/b.wav", "cat", (2, 3), predicted=False)


def test_a_run_records_which_maps_they_are(tmp_path):
    from audiointerp.experiments import settings_of

    np.save(tmp_path / "a.wav.npy", np.ones((2, 3)))
    before = settings_of(ai.MapsFolder(tmp_path))
    assert settings_of(ai.MapsFolder(tmp_path, before["sha256"])) == before
    np.save(tmp_path / "a.wav.npy", np.zeros((2, 3)))
    assert settings_of(ai.MapsFolder(tmp_path)) != before
    with pytest.raises(ArgumentError, match="SHA-256"):
        ai.MapsFolder(tmp_path, before["sha256"])


def test_maps_in_safetensors(tmp_path):
    from safetensors.torch import save_file

    folder = ai.MapsFolder(tmp_path)
    path = tmp_path / "a.wav.safetensors"
    save_file({"values": torch.ones(1, 1, 2, 3), "probs": torch.ones(1, 2)}, path)
    assert folder.read("a.wav", "dog", (2, 3), predicted=True).sum() == 6
    save_file({"one": torch.ones(2, 3), "two": torch.ones(2, 3)}, path)
    with pytest.raises(ArgumentError, match="one tensor is needed"):
        folder.read("a.wav", "dog", (2, 3), predicted=True)
    path.write_bytes(b"not safetensors")
    with pytest.raises(ArgumentError, match="not an array"):
        folder.read("a.wav", "dog", (2, 3), predicted=True)
    with pytest.raises(ArgumentError, match="no folder"):
        ai.MapsFolder(tmp_path / "missing")
