"""The study's setting: which data, network and weights; the part of a data set a trial takes."""

import csv
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from conftest import small_classifier
from typer.testing import CliRunner

from audiointerp.cli.options import app
from audiointerp.dataset.in_memory import EvenSubset, InMemory
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import ArgumentError, DatasetError, ModelError
from audiointerp.experiments import run
from audiointerp.experiments.study import EXPERIMENTS, NOISE_TRAINED, TRANSFORMS
from audiointerp.fit import PUBLISHED, FitSettings, train_classifier
from audiointerp.model.classifier import Classifier
from audiointerp.model.panns import Cnn6, Cnn10, initialise
from audiointerp.paper import choice, study_run
from audiointerp.paper.setting import (
    choose_setting,
    data_root,
    load_or_train,
    open_folds,
    train,
)
from audiointerp.paper.study_run import run_study, settings_of_study
from audiointerp.tables import read_results


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run each test in an empty folder, without data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIOINTERP_DATA", raising=False)


def layout(root, classes, flagged=10):
    """The table of a data folder; the first ``flagged`` classes belong to ESC-10."""
    (root / "meta").mkdir(parents=True)
    with (root / "meta" / "esc50.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "fold", "target", "category", "esc10"])
        for target in range(classes):
            writer.writerows(
                [f"{fold}-{target}.wav", fold, target, f"c{target}", target < flagged]
                for fold in range(1, 6)
            )
    return root


def test_the_data_root_is_the_variable_then_the_usual_folder_then_none(tmp_path, monkeypatch):
    assert data_root() is None
    layout(tmp_path / "data" / "ESC-50", 50)
    assert data_root() == Path("data/ESC-50")
    own = layout(tmp_path / "own", 10)
    monkeypatch.setenv("AUDIOINTERP_DATA", str(own))
    assert data_root() == own
    assert choose_setting("mel").root == own
    monkeypatch.setenv("AUDIOINTERP_DATA", "")
    assert data_root() == Path("data/ESC-50")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("x"), "no such folder"),
        (lambda path: path.mkdir(), "holds no meta/esc50.csv"),
    ],
)
def test_a_variable_that_is_wrong_is_an_error_and_never_the_synthetic_set(
    make, problem, tmp_path, monkeypatch
):
    make(tmp_path / "there")
    monkeypatch.setenv("AUDIOINTERP_DATA", str(tmp_path / "there"))
    with pytest.raises(DatasetError, match=rf"AUDIOINTERP_DATA=.*there: {re.escape(problem)}"):
        choose_setting("mel")


def test_all_of_esc50_with_the_checkpoint_is_the_published_setting(tmp_path):
    root = layout(tmp_path / "ESC-50", 50)
    checkpoint = tmp_path / "Cnn14.pth"
    without = choose_setting("mel", root, checkpoint=checkpoint)
    assert (without.data, without.subset, without.network) == ("esc10", "esc10", "Cnn10")
    assert f"needs all of ESC-50 and {checkpoint}" in str(without)
    checkpoint.touch()
    for features in TRANSFORMS:
        setting = choose_setting(features, root, checkpoint=checkpoint)
        assert (setting.network, setting.fit, setting.checkpoint) == (
            "Cnn14",
            PUBLISHED,
            checkpoint,
        )
        assert (setting.base_channels, setting.dropout, setting.head_dropout) == (64, 0.2, 0.5)
        assert (setting.subset, setting.scored, setting.name) == (
            None,
            None,
            f"esc50_{features}_cnn14",
        )
        assert "published" in str(setting)
    assert choose_setting("mel", root, "esc10", checkpoint=checkpoint).network == "Cnn10"
    assert len(open_folds(choose_setting("mel", root, checkpoint=checkpoint))[0]) == 150


def test_the_published_setting_is_that_of_the_reference():
    assert FitSettings(20, 32, 42, "adam", 1e-4, 0.0, "constant", False, 10, 20, 0.0) == PUBLISHED


def test_smaller_data_get_the_small_network(tmp_path):
    ten = choose_setting("stft", layout(tmp_path / "ESC-10", 10))
    assert (ten.data, ten.subset, ten.name) == ("esc10", "esc10", "esc10_stft_cnn10")
    own = choose_setting("mel", layout(tmp_path / "mine", 7, flagged=0))
    assert (own.data, own.subset, own.results) == ("own_mine", None, Path("results_own_mine"))
    synthetic = choose_setting("mel")
    assert (synthetic.data, synthetic.root, synthetic.scored) == ("synthetic", None, 10)
    assert "the synthetic set" in str(synthetic)
    with pytest.raises(ArgumentError, match="subset 'esc10' needs a data folder"):
        choose_setting("mel", subset="esc10")
    with pytest.raises(ArgumentError, match="unknown transform"):
        choose_setting("cqt")
    for clips in (0, -1):
        with pytest.raises(ArgumentError, match=rf"clips={clips}: score at least one test clip"):
            choose_setting("mel", clips=clips)
    assert "1 test clip is scored" in str(choose_setting("mel", clips=1))
    with pytest.raises(DatasetError, match="no such data folder"):
        choose_setting("mel", tmp_path / "none")


def test_a_trial_never_writes_where_the_full_results_stand(tmp_path):
    root = layout(tmp_path / "ESC-10", 10)
    settings = [
        choose_setting("mel", root),
        choose_setting("mel", root, clips=4),
        choose_setting("mel", root, clips=5),
        choose_setting("mel"),
        choose_setting("mel", clips=80),
    ]
    assert settings[0].results == Path("results_esc10")
    assert len({setting.results for setting in settings}) == 5
    assert choose_setting("mel", root, epochs=3).fit.epochs == 3
    # A committed notebook shows no path of a machine.
    assert str(root) not in "".join(map(str, settings))


def few(dataset):
    return EvenSubset(dataset, 10)


def test_the_synthetic_sets_network_is_trained_once_then_loaded(tmp_path):
    setting = replace(choose_setting("mel", epochs=1), base_channels=2)
    folds = tuple(few(fold) for fold in open_folds(setting))
    trained, origin = load_or_train(setting, folds)
    assert origin.endswith("saved as trained/synthetic_mel_cnn10.safetensors")
    loaded, origin = load_or_train(setting, folds)
    assert origin.startswith(
        "Network: trained/synthetic_mel_cnn10.safetensors, made by: audiointerp"
    )
    db = torch.randn(1, 1, 64, 501)
    assert loaded.logits(db).equal(trained.logits(db))
    (tmp_path / "weights").mkdir()
    Path("trained/synthetic_mel_cnn10.safetensors").rename(
        "weights/synthetic_mel_cnn10.safetensors"
    )
    assert "weights/synthetic" in load_or_train(setting, folds)[1]
    with pytest.raises(ModelError, match="no such weights file"):
        load_or_train(setting, folds, "mine.safetensors")
    real = choose_setting("mel", layout(tmp_path / "ESC-10", 10))
    with pytest.raises(
        ModelError, match=r"neither weights/esc10_mel_cnn10.*run train_model_mel\.ipynb first"
    ):
        load_or_train(real, folds)


def test_training_starts_from_a_checkpoint(tmp_path):
    """At a tiny learning rate the checkpoint's weights stay, and the head is the seed's."""
    source = Cnn6(5, base_channels=4)
    initialise(source, 7)
    state = {
        name: value for name, value in source.state_dict().items() if not name.startswith("head.")
    }
    torch.save({"model": state | {"fc_audioset.bias": torch.zeros(527)}}, tmp_path / "Cnn6.pth")
    transform = TRANSFORMS["mel"]
    folds = tuple(few(Synthetic((fold,), duration=3.0)) for fold in (1, 4, 5))
    settings = FitSettings(epochs=1, batch_size=5, learning_rate=1e-12, schedule="constant")
    form = {"base_channels": 4, "settings": settings, "seeds": (3,), "progress": False}
    (begun,) = train_classifier(folds, transform, "Cnn6", checkpoint=tmp_path / "Cnn6.pth", **form)
    (fresh,) = train_classifier(folds, transform, "Cnn6", **form)
    weights, others = begun.classifier.network.state_dict(), fresh.classifier.network.state_dict()
    learned = [name for name in state if name.endswith("weight") and "bn" not in name]
    assert len(learned) == 5
    for name in learned:
        assert torch.allclose(weights[name], state[name], atol=1e-8), name
        assert not torch.allclose(others[name], state[name], atol=1e-3), name
    assert torch.allclose(weights["head.weight"], others["head.weight"], atol=1e-8)
    assert begun.classifier.training["checkpoint"]["file"] == "Cnn6.pth"
    assert "checkpoint" not in fresh.classifier.training
    with pytest.raises(ModelError, match="no such checkpoint"):
        train_classifier(folds, transform, "Cnn6", checkpoint=tmp_path / "none.pth", **form)


def test_the_settings_network_is_what_is_trained():
    setting = replace(choose_setting("mel", epochs=1), base_channels=2)
    trained = train(setting, tuple(few(fold) for fold in open_folds(setting)), progress=False)
    assert isinstance(trained.classifier.network, Cnn10)
    assert trained.classifier.network.settings["base_channels"] == 2
    assert trained.classifier.training["fit"]["epochs"] == len(trained.history.epochs) == 1


def test_a_part_is_spread_over_the_whole():
    whole = Synthetic((5,))
    part = EvenSubset(whole, 20)
    assert [whole.rows[index][2] for index in part.indices] == [
        target for target in range(10) for _ in range(2)
    ]
    assert part.clip_id(19) == whole.clip_id(part.indices[19])
    assert part[0][0].equal(whole[part.indices[0]][0])
    assert (len(EvenSubset(whole, None)), len(EvenSubset(whole, 81))) == (80, 80)
    with pytest.raises(ArgumentError, match="at least one clip"):
        EvenSubset(whole, 0)


def test_clips_in_memory_are_read_once():
    class Counted(Synthetic):
        read: ClassVar[list[int]] = []

        def __getitem__(self, index):
            self.read.append(index)
            return super().__getitem__(index)

    whole = Counted((5,))
    kept = InMemory(whole)
    assert [kept[index][0].equal(Synthetic((5,))[index][0]) for index in (3, 3, 79, -1)] == [
        True
    ] * 4
    assert whole.read == [3, 79]
    assert (len(kept), kept.labels, kept.sample_rate) == (80, whole.labels, whole.sample_rate)
    assert kept.clip_id(3) == whole.clip_id(3)
    for _ in range(2):
        with pytest.raises(IndexError, match="there are 80 clips"):
            kept[80]


def test_a_network_that_is_missing_is_reported_before_anything_runs(tmp_path, monkeypatch):
    root = layout(tmp_path / "own", 10, flagged=0)
    small = small_classifier(10, transform=TRANSFORMS["stft"])
    labels = [f"c{target}" for target in range(10)]
    of_stft = choose_setting("stft", root)
    Path("weights").mkdir()
    Classifier(small.network, small.transform, labels, 5.0).save(
        Path("weights") / f"{of_stft.name}.safetensors"
    )
    monkeypatch.setattr(study_run, "run", lambda *_, **__: pytest.fail("an experiment was run"))
    with pytest.raises(
        ModelError,
        match=r"own_own_mel_cnn10\.safetensors is there: run train_model_mel\.ipynb first",
    ):
        run_study(root)


def test_a_network_of_another_kind_is_not_taken_for_the_settings(tmp_path):
    of_mel = choose_setting("mel")
    folds = open_folds(of_mel)
    network = Cnn6(10, base_channels=2)
    path = Path("weights") / f"{of_mel.name}.safetensors"
    path.parent.mkdir()
    Classifier(network, TRANSFORMS["mel"], folds[2].labels, 5.0).save(path)
    with pytest.raises(
        ModelError, match=r"holds a Cnn6, but this setting needs a Cnn10; .* train_model_mel\.ipynb"
    ):
        load_or_train(of_mel, folds)
    assert "weights" in load_or_train(of_mel, folds, path)[1]


@pytest.mark.parametrize("noise_trained", [True, False])
def test_a_network_of_the_other_kind_does_not_stand_for_the_studys(noise_trained):
    """The name of a file does not tell whether its network heard noise; its record does."""
    of_mel = replace(choose_setting("mel"), noise_trained=noise_trained)
    folds = open_folds(of_mel)
    small = small_classifier(10, transform=TRANSFORMS["mel"])
    record = {} if noise_trained else {"noises": ["white"]}
    path = Path("weights") / f"{of_mel.name}.safetensors"
    path.parent.mkdir()
    Classifier(small.network, small.transform, folds[2].labels, 5.0, record).save(path)
    words = "trained without noise" if noise_trained else "trained with noise"
    with pytest.raises(ModelError, match=rf"{path}: was {words}, and stands for the"):
        load_or_train(of_mel, folds)
    assert str(path) in load_or_train(of_mel, folds, path)[1]


def test_some_experiments_are_of_their_settings_alone(monkeypatch):
    """What is run, and on which setting's network, is seen where an experiment would run."""
    runs = []
    monkeypatch.setattr(study_run, "run", lambda experiment, *_, **__: runs.append(experiment.name))
    for prepared in ("background_of", "ood_reference"):
        monkeypatch.setattr(study_run, prepared, lambda *_: None)
    monkeypatch.setattr(
        study_run,
        "load_or_train",
        lambda setting, *_, **__: (
            small_classifier(10, transform=TRANSFORMS[setting.transform]),
            setting.name,
        ),
    )
    of_some = settings_of_study(experiments=["mel_horse", "mel_white"])
    assert [each.name for each in of_some] == ["synthetic_mel_cnn10"]
    run_study(experiments=["mel_white", "mel_horse"])
    assert runs == ["mel_horse", "mel_white"]
    runs.clear()
    run_study(experiments=["stft_clean"])
    assert runs == ["stft_clean"]


def test_experiments_that_cannot_be_run_are_refused():
    with pytest.raises(ArgumentError, match="unknown experiment 'mel_hors'; did you mean"):
        settings_of_study(experiments=["mel_clean", "mel_hors"])
    with pytest.raises(ArgumentError, match="none is named"):
        run_study(experiments=[])
    with pytest.raises(ArgumentError, match="unknown method 'lim'; did you mean 'lime'"):
        run_study(methods=["lim"])
    (Path.cwd() / "taken").touch()
    for words, message in ((["--shard", "3/2"], "the last 2/2"), (["--out", "taken"], "is a file")):
        result = CliRunner().invoke(app, ["results", *words])
        assert message in str(result.exception)
    result = CliRunner().invoke(app, ["results", "--experiments", "mel_room_noise_trained"])
    assert isinstance(result.exception, ModelError)
    assert "mel_room_noise_trained: there is no network that heard noise" in str(result.exception)


@pytest.mark.whole
def test_the_study_runs_every_experiment_and_a_second_call_changes_nothing(tmp_path, monkeypatch):
    """Four experiments on one clip, at two sample rates, with the method without gradients."""
    (tmp_path / "weights").mkdir()
    for features, transform in TRANSFORMS.items():
        small = small_classifier(10, transform=transform)
        Classifier(small.network, small.transform, Synthetic((5,)).labels, 5.0).save(
            tmp_path / "weights" / f"synthetic_{features}_cnn10.safetensors"
        )
    noise_trained = small_classifier(10, seed=1, transform=TRANSFORMS["mel"])
    with_noise = Classifier(
        noise_trained.network,
        noise_trained.transform,
        Synthetic((5,)).labels,
        5.0,
        {"noises": ["white"]},
    )
    with_noise.save(tmp_path / "weights" / "synthetic_mel_cnn10_noise.safetensors")
    read = []
    get_item = Synthetic.__getitem__

    def recorded(self, index):
        read.append((self.sample_rate, self.clip_id(index)))
        return get_item(self, index)

    monkeypatch.setattr(Synthetic, "__getitem__", recorded)
    monkeypatch.setattr(choice, "SCORED_SYNTHETIC_CLIPS", 1)
    names = ("stft_clean", "mel_clean", "mel_white")
    monkeypatch.setattr(study_run, "EXPERIMENTS", {name: EXPERIMENTS[name] for name in names})
    again = "mel_white_noise_trained"
    monkeypatch.setattr(study_run, "NOISE_TRAINED", {again: NOISE_TRAINED[again]})
    compared = []

    def reference(_, training, clean):
        for part in (training, clean):
            compared.append({row[0] for row in part.rows})

    monkeypatch.setattr(study_run, "ood_reference", reference)
    found = run_study(methods=["random"])
    assert {name: len(rows) for name, rows in found.items()} == dict.fromkeys((*names, again), 56)
    networks = read_results("results_synthetic_1_clips").groupby("experiment")["network"].unique()
    assert networks["mel_clean"] == networks["mel_white"] != networks[again]
    assert compared == [{1, 2, 3}, {4}] * 3
    assert len(read) == len(set(read)), "a clip of two experiments is read once"
    before = {
        path: path.read_bytes()
        for path in Path("results_synthetic_1_clips").rglob("*")
        if path.is_file()
    }
    assert len([path for path in before if path.name == "metrics.csv"]) == 4
    assert (
        CliRunner()
        .invoke(app, ["results", "--methods", "random"])
        .output.endswith("mel_white_noise_trained: 56 rows, 0 of them errors\n")
    )
    assert {path: path.read_bytes() for path in before} == before
    of_mel = choose_setting("mel")
    other = small_classifier(3, transform=TRANSFORMS["mel"])
    Classifier(other.network, other.transform, ("a", "b", "c"), 5.0).save("other.safetensors")
    with pytest.raises(ArgumentError, match=r"other\.safetensors: the data set's labels"):
        load_or_train(of_mel, open_folds(of_mel), "other.safetensors")
    with pytest.raises(ArgumentError, match="unknown subset 'esc99'"):
        choose_setting("mel", layout(tmp_path / "own", 10), "esc99")


def test_a_network_that_heard_noise_is_not_trained_without_it():
    noise_trained = choose_setting("mel", noise_trained=True)
    assert noise_trained.name == "synthetic_mel_cnn10_noise"
    with pytest.raises(ModelError, match="audiointerp train --noises horse,room,white"):
        load_or_train(noise_trained, open_folds(noise_trained))


def test_a_run_for_a_network_that_heard_noise_refuses_one_that_did_not(tmp_path):
    small = small_classifier(10, transform=TRANSFORMS["mel"])
    clips = EvenSubset(Synthetic((5,), sample_rate=32000, duration=5.0), 1)

    def go(record):
        classifier = Classifier(small.network, small.transform, clips.labels, 5.0, record)
        experiment = NOISE_TRAINED["mel_clean_noise_trained"]
        return run(experiment, classifier, clips, ["random"], tmp_path, masks=["bin"], nulls=[])

    for record in ({}, {"noises": []}, {"seed": 3}):
        with pytest.raises(ArgumentError, match=r"heard noise .* train --noises, or run mel_clean"):
            go(record)
    assert not list(tmp_path.iterdir())
    assert set(go({"noises": ["white"]})["status"]) == {"ok"}


@pytest.mark.parametrize("transform", ["mel", "stft"])
def test_the_setting_trains_what_the_committed_network_is(transform, esc10):
    setting = choose_setting(transform, esc10)
    weights = Path(__file__).parents[1] / "weights"
    network = Classifier.load(weights / f"{setting.name}.safetensors").network
    card = json.loads((weights / f"{setting.name}.json").read_text())
    assert network.settings["base_channels"] == setting.base_channels
    assert network.settings["level_range"] == setting.level_range
    # The precision changes the time, and the seed is chosen by validation.
    committed = card["training"]["fit"]
    same = {"precision": committed["precision"], "seed": committed["seed"]}
    assert committed == asdict(setting.fit) | same
