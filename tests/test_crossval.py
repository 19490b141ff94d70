"""Cross-validation: each clip is scored once, by a network that never heard its recording."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiointerp.cli.crossval import accuracy_text
from audiointerp.dataset import ESC50, EvenSubset, InMemory, Joined, Synthetic, recording_of
from audiointerp.display import write_card
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments import EXPERIMENTS, cross_validate, rounds_of, sha256_of_state
from audiointerp.fit import FitSettings, train_classifier
from audiointerp.model import Classifier
from audiointerp.paper import fold_rows, pack_results
from audiointerp.paper.example import example_rows
from audiointerp.processing import LogMel
from audiointerp.tables import (
    bootstrap_interval,
    leads_by_network,
    nulls_in,
    read_results,
    unfinished,
)
from audiointerp.tables.by_network import networks_beside, networks_text

FOLDS = (1, 2, 3)
HOW = {"epochs": 1}
MEL = LogMel(sample_rate=8000, n_fft=512, hop_length=256, n_mels=16, f_max=4000.0)


@cache
def clips_of(fold, sample_rate=8000, duration=3.0):
    """Ten clips, made once."""
    return InMemory(EvenSubset(Synthetic((fold,), sample_rate=sample_rate, duration=duration), 10))


def open_folds(folds):
    return Joined([clips_of(fold) for fold in folds])


class Trainer:
    """Trains a tiny network; remembers the clips, and can be killed."""

    def __init__(self, killed_at=None):
        self.killed_at, self.heard = killed_at, []

    def __call__(self, sets, folder):
        self.heard.append(sets)
        if len(self.heard) == self.killed_at:
            folder.mkdir(parents=True)
            (folder / "tiny.safetensors").write_bytes(b"half a fi")
            raise KeyboardInterrupt
        plan = FitSettings(epochs=1, batch_size=8, frequency_mask=0, time_mask=0)
        outcomes = train_classifier(
            sets, MEL, "Cnn6", base_channels=2, settings=plan, progress=False
        )
        return write_card(outcomes, folder, "tiny", "train")


def validated(out, train=None, training=HOW, **settings):
    """The rows of a cross-validation by two methods and one mask."""
    settings = {"methods": ["saliency", "random"]} | settings
    return cross_validate(
        EXPERIMENTS["mel_clean"],
        open_folds,
        train or Trainer(),
        training,
        out=out,
        folds=FOLDS,
        masks=["topK_30"],
        nulls=[],
        on="features",
        fill="silence",
        progress=False,
        **settings,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a cross-validation, its rows, and its trainer."""
    out, train = tmp_path_factory.mktemp("crossval") / "tiny", Trainer()
    return out, validated(out, train), train


@given(st.lists(st.integers(1, 9), min_size=3, max_size=9, unique=True))
def test_each_fold_tests_once_and_validates_once(folds):
    rounds = rounds_of(folds)
    assert [fold.test for fold in rounds] == folds
    assert sorted(fold.validation for fold in rounds) == sorted(folds)
    for fold in rounds:
        assert sorted((fold.test, fold.validation, *fold.train)) == sorted(folds)
        following = folds.index(fold.test) + 1
        assert fold.validation == folds[following % len(folds)]


@pytest.mark.parametrize("wrong", [[], [1, 2], [1, 2, 2]])
def test_too_few_or_equal_folds_are_refused(wrong):
    with pytest.raises(ArgumentError, match="at least 3 different"):
        rounds_of(wrong)


def names(dataset):
    return [dataset.clip_id(index) for index in range(len(dataset))]


def recordings(dataset):
    return {recording_of(dataset, index) for index in range(len(dataset))}


def test_each_clip_is_scored_once_by_a_network_that_never_heard_its_recording(finished):
    out, rows, trainer = finished
    every = names(open_folds((1,))) + names(open_folds((2,))) + names(open_folds((3,)))
    for _, of_method in rows.groupby("method"):
        assert sorted(of_method["clip"]) == sorted(every)
    assert (rows["fold"] == rows["clip"].str[0].astype(int)).all()
    read = read_results(out)
    assert len(trainer.heard) == 3
    for sets, fold in zip(trainer.heard, FOLDS, strict=True):
        train, validation, test = map(recordings, sets)
        assert not test & (train | validation)
        assert not train & validation
        assert set(rows.loc[rows["fold"] == fold, "recording"].astype(str)) == test
        record = json.loads((out / f"fold_{fold}" / "training.json").read_text())
        assert record["clips"]["test"] == names(sets[2])
        assert record["epochs"] == 1
        # The rows are those of the fold's own network, whose card is beside it.
        weights = out / f"fold_{fold}" / record["weights"]
        classifier = Classifier.load(weights)
        assert weights.with_suffix(".md").is_file()
        of_fold = read[read["clip"].isin(names(sets[2]))]
        assert set(of_fold["network"]) == {sha256_of_state(classifier.network)}


def test_tables_reads_the_folds_as_one_result(finished):
    out, rows, _ = finished
    read = read_results(out)
    assert len(read) == len(rows) == 3 * 10 * 2
    assert set(read["experiment"]) == {"mel_clean"}
    assert read["network"].nunique() == 3
    keys = ["method", "clip", "mask"]
    both = read.merge(rows, on=keys, suffixes=("", "_made"))
    assert len(both) == len(rows)
    assert np.allclose(both["FF"], both["FF_made"])
    # Above the folder there are no results, so that folds are not mixed with other runs.
    with pytest.raises(AudioInterpError, match="holds no results"):
        read_results(out.parent)


def test_a_clip_in_two_folds_is_refused(finished, tmp_path):
    out, _, _ = finished
    for fold in (1, 2):
        folder = tmp_path / f"fold_{fold}" / "mel" / "mel_clean" / "random"
        folder.mkdir(parents=True)
        for name in ("metrics.csv", "run.json"):
            source = out / "fold_1" / "mel" / "mel_clean" / "random" / name
            (folder / name).write_bytes(source.read_bytes())
    with pytest.raises(AudioInterpError, match=r"fold_2.*the clip 1-.*is in .*fold_1"):
        read_results(tmp_path)


def tables_of(out):
    """The bytes of all tables, and the tensors of all networks."""
    tables = {path.relative_to(out): path.read_bytes() for path in out.rglob("metrics.csv")}
    networks = {
        path.relative_to(out): Classifier.load(path).network.state_dict()
        for path in sorted(out.glob("fold_*/weights/*.safetensors"))
    }
    return tables, networks


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_killed_one_resumes_and_ends_alike(finished, tmp_path, killed_at):
    out, rows, _ = finished
    with pytest.raises(KeyboardInterrupt):
        validated(tmp_path, Trainer(killed_at))
    train = Trainer()
    pd.testing.assert_frame_equal(validated(tmp_path, train), rows)
    # Finished folds are not trained again.
    assert len(train.heard) == 3 - (killed_at - 1)
    tables, networks = tables_of(tmp_path)
    expected_tables, expected_networks = tables_of(out)
    assert tables == expected_tables
    assert networks.keys() == expected_networks.keys()
    for path, state in networks.items():
        for name, value in state.items():
            assert value.equal(expected_networks[path][name]), (path, name)


def test_a_finished_one_trains_nothing_and_another_training_is_refused(finished):
    out, rows, _ = finished
    train = Trainer(killed_at=1)
    pd.testing.assert_frame_equal(validated(out, train), rows)
    assert train.heard == []
    with pytest.raises(ArgumentError, match=r"fold_1.*epochs: 1 before, 2 now.*--no-resume"):
        validated(out, train, training={"epochs": 2})


def test_packed_folds_are_read_as_one_result_and_are_not_gone_on_with(finished, tmp_path, call):
    pytest.importorskip("pyarrow")
    out, rows, _ = finished
    packed = tmp_path / "packed"
    # As a cross-validation, and as one of several things in a folder of results.
    assert len(pack_results(out, packed / "alone")) == 6
    assert len(pack_results(out.parent, packed)) == 6
    for folder in (packed / "alone", packed / out.name):
        read = read_results(folder)
        assert sorted(read["clip"]) == sorted(rows["clip"])
        assert read["network"].nunique() == 3
    # Beside other results it is named.
    shutil.copytree(packed / out.name / "fold_1" / "mel", packed / "mel")
    pointer = f"a cross-validation in it: audiointerp tables {packed / out.name}"
    assert pointer in call("tables", packed).stdout.splitlines()
    assert "cross-validation" not in call("tables", packed / "alone").stdout
    alone = tmp_path / "alone"
    shutil.copytree(packed / out.name, alone / "own fold")
    assert f"audiointerp tables '{alone / 'own fold'}'" not in call("tables", packed).stdout
    assert f"but the cross-validation {alone / 'own fold'}" in call("tables", alone).stderr
    # A record of the training without the network; and no record, of a later fold alone.
    train = Trainer(killed_at=1)
    with pytest.raises(ArgumentError, match=r"fold_1: holds results without their network; give"):
        validated(packed / out.name, train)
    shutil.rmtree(packed / out.name / "fold_1")
    (packed / out.name / "fold_2" / "training.json").unlink()
    with pytest.raises(ArgumentError, match=r"fold_2: holds results without their network; give"):
        validated(packed / out.name, train)
    assert train.heard == []


def test_a_fold_without_a_method_is_told(finished, tmp_path):
    out, _, _ = finished
    folder = tmp_path / "crossval_mel_clean"
    shutil.copytree(out, folder)
    assert unfinished(folder) == []
    assert len(fold_rows(tmp_path, "mel_clean")) == len(read_results(out))
    shutil.rmtree(folder / "fold_2" / "mel" / "mel_clean" / "random")
    sentence = "fold_2, mel_clean: random is missing, other folds have it"
    assert unfinished(folder) == [sentence]
    with pytest.raises(AudioInterpError, match=f"{sentence}; finish it"):
        fold_rows(tmp_path, "mel_clean")


def test_each_network_alone_is_compared_with_its_own_best_null():
    """Of two networks one is ahead by 0.2 at least, the other behind by 0.1."""
    rows = example_rows(on=["audio"], clips=3)
    rows = rows[rows["method"] == "gradcam"].assign(method="lime")

    def of_network(name, score, lowest, highest):
        cells = {"network": name}
        for metric, sign in (("FF", 1), ("FidIn", 1), ("AD", -1)):
            cells |= {f"{metric}_{null}": sign * lowest for null in nulls_in(rows)}
            cells |= {metric: sign * score, f"{metric}_smooth": sign * highest}
        return rows.assign(**cells)

    rows = pd.concat([of_network("a", 0.5, 0.1, 0.3), of_network("b", 0.4, 0.1, 0.5)])
    leads = leads_by_network(rows)
    assert leads.loc[("a", "lime")].tolist() == pytest.approx([0.2] * 3)
    assert leads.loc[("b", "lime")].tolist() == pytest.approx([-0.1] * 3)
    text = networks_text(networks_beside(rows))
    assert "1 of 2: -0.10 to +0.20" in text
    assert networks_beside(rows[rows["network"] == "a"]) is None


def test_shap_compares_with_the_training_clips_of_the_fold(tmp_path, monkeypatch):
    seen = []

    def background_of(dataset, transform):
        seen.append(set(names(dataset)))
        return transform(dataset[0][0][None]).db

    monkeypatch.setattr("audiointerp.experiments.crossval.background_of", background_of)
    train = Trainer()
    validated(tmp_path, train, methods=["shap"])
    assert seen == [set(names(sets[0])) for sets in train.heard]


def test_shared_recordings_are_warned_of(tmp_path):
    class Shared(Synthetic):
        def recording(self, index):
            return "one" if index == 0 else super().recording(index)

    def open_shared(folds):
        return EvenSubset(Shared(folds, sample_rate=8000, duration=3.0), None)

    with (
        pytest.warns(UserWarning, match=r"fold 1: 1 of its 80 recordings .* e\.g\. one"),
        pytest.raises(KeyboardInterrupt),
    ):
        cross_validate(
            EXPERIMENTS["mel_clean"],
            open_shared,
            Trainer(killed_at=1),
            HOW,
            ["random"],
            tmp_path,
            folds=FOLDS,
        )


def test_the_accuracy_counts_each_clip_once_with_an_interval_over_recordings():
    random = np.random.default_rng(0)
    correct = random.random(60) < 0.8
    one = pd.DataFrame(
        {
            "clip": [f"clip {number}" for number in range(60)],
            "recording": [f"recording {number // 2}" for number in range(60)],
            "correct": correct,
            "fold": [number // 20 + 1 for number in range(60)],
        }
    )
    failed = pd.DataFrame({"clip": ["broken"], "recording": ["x"], "correct": [None], "fold": [1]})
    # Two methods: each clip has two rows.
    text = accuracy_text(pd.concat([one, one, failed], ignore_index=True))
    (low,), (high,) = bootstrap_interval(correct[:, None] * 1.0, one["recording"].tolist())
    assert text.startswith(f"accuracy {correct.mean():.4f} [{low:.4f}, {high:.4f}] (60 clips of 30")
    by_fold = correct.reshape(3, 20).mean(1)
    assert text.endswith("by fold: " + ", ".join(f"{share:.4f}" for share in by_fold))


def test_the_command(in_this_process, tmp_path, monkeypatch):
    """Trains and scores by its options, writes one folder, and resumes."""

    def open_few(data, folds, subset, sample_rate, duration):
        assert (data, subset, sample_rate, duration) == (None, None, 32000, 5.0)
        return Joined([clips_of(fold, 32000, 5.0) for fold in folds])

    monkeypatch.setattr("audiointerp.experiments.open_data", open_few)
    arguments = (
        *("crossval", "mel_clean", "--folds", "1,2,3", "--network", "Cnn6"),
        *("--base-channels", 1, "--epochs", 1, "--gain", 30, "--removal", 0.5),
        *("--methods", "random", "--masks", "topK_30", "--nulls", "none", "--on", "features"),
        *("--fill", "background"),
    )
    status, text, error = in_this_process(*arguments, place=tmp_path)
    assert (status, error) == (0, "")
    assert text.count("test ") == 3
    assert "30 clips of 30 recordings, each counted once" in text
    out = Path("results/crossval_mel_clean")
    assert f"wrote {out}/: 30 rows, 0 of them errors" in text
    card = json.loads((out / "fold_2/weights/synthetic_mel_cnn6.json").read_text())
    assert card["training"]["fit"]["gain"] == 30.0
    assert card["command"].startswith("audiointerp crossval mel_clean --folds 1,2,3")
    status, again, error = in_this_process(*arguments, place=tmp_path)
    assert (status, error) == (0, "")
    assert again == text[text.index(again[:20]) :]
    assert "seed" not in again
    status, _, error = in_this_process(*arguments, "--gain", 20, place=tmp_path)
    assert status == 1
    assert "fit.gain: 30.0 before, 20.0 now" in error
    status, text, _ = in_this_process("tables", out, "--by", "method", place=tmp_path)
    assert status == 0
    assert text.split()[-1] == "30"


def test_real_folds_share_no_recording(esc10):
    parts = [ESC50(esc10, (fold,), "esc10") for fold in range(1, 6)]
    of_folds = [recordings(part) for part in parts]
    assert sum(map(len, of_folds)) == len(set.union(*of_folds))
    assert sum(map(len, parts)) == 400
