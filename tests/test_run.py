"""Scoring a data set, running an experiment and writing its results."""

import json
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import Excerpts, noise, small_set, ten_classes

import audiointerp as ai
from audiointerp.dataset.clips import LabelledClips
from audiointerp.dataset.esc50 import ESC50
from audiointerp.dataset.in_memory import EvenSubset, InMemory
from audiointerp.dataset.noise import Contaminated
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments.data import (
    background_of,
    background_of_folder,
    open_data,
    target_of,
)
from audiointerp.experiments.runner import run
from audiointerp.experiments.study import EXPERIMENTS, Experiment
from audiointerp.interpretation.masks import MASKS
from audiointerp.predict import score
from audiointerp.processing import load_audio, save_audio
from audiointerp.processing.spectrogram import LogSTFT
from audiointerp.tables.plain_text import as_text
from audiointerp.tables.results import read_results
from audiointerp.tables.summary import summarise


class Faulty(Excerpts):
    """Synthetic clips: the second cannot be read, the third holds NaN."""

    def __getitem__(self, index):
        if index == 1:
            # Any error, as a user's data set may raise.
            raise FileNotFoundError("clip 1 is gone")
        wav, target = super().__getitem__(index)
        return (wav * torch.nan if index == 2 else wav), target


def test_scoring_a_data_set_gives_every_row():
    classifier = ten_classes()
    rows = score(
        classifier, small_set(), ["saliency", ai.Random], ["bin", "topK_5"], progress=False
    )
    assert len(rows) == 4 * 2 * 2
    assert (rows["status"] == "ok").all()
    assert rows.groupby(["clip", "method", "mask"]).size().eq(1).all()
    assert (rows["correct"] == (rows["predicted"] == rows["target"])).all()
    again = score(
        classifier, small_set(), ["saliency", "random"], ["bin", "topK_5"], progress=False
    )
    pd.testing.assert_frame_equal(rows, again)


def test_a_clip_that_fails_is_a_row(tmp_path):
    rows = run(
        EXPERIMENTS["mel_clean"],
        ten_classes(),
        small_set(Faulty),
        ["saliency", "random"],
        tmp_path,
        masks=["bin", "topK_5"],
        on="features",
        fill="silence",
        progress=False,
    )
    assert len(rows) == 2 * (2 * 2 + 2)
    errors = rows[rows["status"] == "error"]
    assert len(errors) == 4
    assert errors["FF"].isna().all()
    assert set(zip(errors["stage"], errors["error_type"], errors["error"], strict=True)) == {
        ("read", "FileNotFoundError", "clip 1 is gone"),
        ("read", "ArgumentError", "the sound holds NaN or infinite samples"),
    }
    record = json.loads((tmp_path / "mel" / "mel_clean" / "random" / "run.json").read_text())
    assert (record["rows"], record["errors"], record["clips"]) == (6, 2, 4)
    table = summarise(read_results(tmp_path))
    assert table["clips"].eq(2).all()


def test_reading_results_names_what_is_not_finished(tmp_path):
    root = Path(__file__).parents[1] / "results"
    shutil.copytree(root / "mel" / "mel_clean" / "random", tmp_path / "mel/mel_clean/random")
    with warnings.catch_warnings(action="error"):
        rows = read_results(tmp_path)
    (tmp_path / "mel" / "mel_clean" / "lime" / "clips").mkdir(parents=True)
    (tmp_path / "fold_2" / "mel" / "mel_clean" / "rise" / "clips").mkdir(parents=True)
    with pytest.warns(UserWarning, match="left out") as caught:
        pd.testing.assert_frame_equal(read_results(tmp_path), rows)
    assert [str(warning.message).partition("left out: ")[2] for warning in caught] == [
        "fold_2, mel_clean: rise is not finished (no metrics.csv yet)",
        "mel_clean: lime is not finished (no metrics.csv yet)",
    ]
    assert all(warning.filename == __file__ for warning in caught)
    # The rows of a run in shards are read, though what it computed them of is still there.
    shutil.rmtree(tmp_path / "mel" / "mel_clean" / "lime")
    shutil.rmtree(tmp_path / "fold_2")
    (tmp_path / "mel" / "mel_clean" / "random" / "clips").mkdir()
    with warnings.catch_warnings(action="error"):
        pd.testing.assert_frame_equal(read_results(tmp_path), rows)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_and_is_written(name, tmp_path):
    experiment = EXPERIMENTS[name]
    transform = LogSTFT() if experiment.transform == "stft" else ai.LogMel()
    classifier = ten_classes(transform=transform)
    dataset = small_set(rate=transform.sample_rate, count=1)
    background = transform(dataset[0][0][None]).db
    # All masks once: what they score does not depend on the experiment.
    masks = list(MASKS) if name == "mel_clean" else ["topK_30_pos", "sigmoid"]
    rows = run(
        experiment,
        classifier,
        dataset,
        ["saliency", "gradcam", "shap", "random"],
        tmp_path,
        masks=masks,
        background=background,
        progress=False,
    )
    assert len(rows) == 4 * len(masks) * 2 * 2
    assert rows[["fill", "on"]].drop_duplicates().to_numpy().tolist() == [
        ["background", "features"],
        ["background", "audio"],
        ["silence", "features"],
        ["silence", "audio"],
    ]
    folder = tmp_path / experiment.transform / name
    assert sorted(path.name for path in folder.iterdir()) == [
        "gradcam",
        "random",
        "saliency",
        "shap",
    ]
    for method in folder.iterdir():
        assert len(pd.read_csv(method / "metrics.csv")) == len(masks) * 2 * 2
        assert len(list((method / "attributions").iterdir())) == 1
        record = json.loads((method / "run.json").read_text())
        assert record["experiment"]["noise"] == experiment.noise
        assert record["versions"]["torch"]
    read = read_results(tmp_path)
    assert set(read["experiment"]) == {name}
    gaps = read[read["method"] == "shap"]["additivity_gap"].dropna()
    assert (gaps <= 1e-3).all()
    text = as_text(read)
    # For each fill and method: means and four nulls, each on both; and audio less features. With
    # one clip there is no other.
    assert text.count("topK_30_pos") == 2 * 4 * (2 + 4 * 2 + 1)
    assert text.index("background") < text.index("silence")
    assert "*" in text


ONE_MASK = {
    **{"masks": ["bin"], "on": "features", "fill": "silence"},
    **{"progress": False, "attributions": False},
}


def run_one(out, method="random", seed=0, **settings):
    """A run of one clip and one mask."""
    run(
        EXPERIMENTS["mel_clean"],
        ten_classes(seed=seed),
        small_set(count=1),
        [method],
        out,
        **ONE_MASK,
        **settings,
    )


def test_a_protocol_does_not_replace_another(tmp_path):
    run_one(tmp_path)
    run_one(tmp_path)
    with pytest.raises(ArgumentError, match=r"plan\.protocol: 'corrected' before, 'published' now"):
        run_one(tmp_path, protocol="published")


def test_methods_of_different_networks_are_not_put_into_one_table(tmp_path):
    run_one(tmp_path)
    run_one(tmp_path, "saliency", seed=1)
    with pytest.raises(
        AudioInterpError,
        match="differs from the other methods of this experiment in network_sha256",
    ):
        read_results(tmp_path)


def test_methods_of_models_that_answer_otherwise_are_not_put_into_one_table(tmp_path):
    for method in ("random", "saliency"):
        run_one(tmp_path, method)
    path = next(tmp_path.rglob("saliency/run.json"))
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"model": record["model"] | {"max_batch": 2}}))
    assert set(read_results(tmp_path)["method"]) == {"random", "saliency"}
    path.write_text(json.dumps(record | {"model": {"answers": [[0, "1.2"], [0, "0.3"]]}}))
    with pytest.raises(AudioInterpError, match=r"differs from the other methods .* in answers"):
        read_results(tmp_path)


def test_a_table_that_was_cut_off_is_refused(tmp_path):
    run_one(tmp_path)
    (path,) = tmp_path.rglob("metrics.csv")
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    with pytest.raises(
        AudioInterpError,
        match=rf"has {len(lines) - 2} rows, but run.json beside it says {len(lines) - 1} ",
    ):
        read_results(tmp_path)
    for record in (
        True,
        False,
    ):  # what the last line lacks is read as empty; without a record all rows may be gone
        if not record:
            path.with_name("run.json").unlink()
        path.write_text(whole[:-12] if record else lines[0])
        with pytest.raises(
            AudioInterpError, match="has no rows, or a status other than ok and error"
        ):
            read_results(tmp_path)


def test_noise_from_a_recording_changes_the_scores(tmp_path):
    save_audio(tmp_path / "hum.wav", torch.sin(torch.arange(9000.0))[None, None], 32000)
    classifier = ten_classes()
    dataset = small_set(count=2)
    made, own = (
        run(
            EXPERIMENTS["mel_horse"],
            classifier,
            dataset,
            ["saliency"],
            tmp_path / place,
            noise=noise,
            **ONE_MASK,
        )
        for place, noise in (("a", None), ("b", tmp_path / "hum.wav"))
    )
    assert not made["p"].equals(own["p"])
    records = [
        json.loads((tmp_path / place / "mel" / "mel_horse" / "saliency" / "run.json").read_text())
        for place in "ab"
    ]
    assert [record["noise"] for record in records] == ["horse", "hum.wav"]
    assert records[0]["clips_sha256"] != records[1]["clips_sha256"]
    assert records[0]["network_sha256"] == records[1]["network_sha256"]
    with pytest.raises(ArgumentError, match="clean clips"):
        run(
            EXPERIMENTS["mel_clean"],
            classifier,
            dataset,
            ["saliency"],
            tmp_path,
            noise=tmp_path / "hum.wav",
        )


def test_settings_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    classifier = ten_classes()
    with pytest.raises(ArgumentError, match="needs a classifier on stft"):
        run(EXPERIMENTS["stft_clean"], classifier, small_set(), ["saliency"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="labels"):
        run(EXPERIMENTS["mel_clean"], classifier, Synthetic((5,)), ["saliency"], tmp_path / "r")
    with pytest.raises(ArgumentError, match="unknown mask"):
        run(
            EXPERIMENTS["mel_clean"],
            classifier,
            small_set(),
            ["saliency"],
            tmp_path / "r",
            masks=["best"],
        )
    with pytest.raises(ArgumentError, match="SHAP"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), ["shap"], tmp_path / "r")
    with pytest.raises(AudioInterpError, match="no such"):
        run(
            Experiment("own", "mel", str(tmp_path / "x.wav")),
            classifier,
            small_set(),
            ["random"],
            tmp_path / "r",
        )
    with pytest.raises(ArgumentError, match="16000 Hz"):
        run(
            EXPERIMENTS["mel_clean"],
            classifier,
            small_set(rate=16000),
            ["saliency"],
            tmp_path / "r",
        )
    with pytest.raises(ArgumentError, match="at least one"):
        run(EXPERIMENTS["mel_clean"], classifier, small_set(), [], tmp_path / "r")
    with pytest.raises(ArgumentError, match="another network"):
        run(
            EXPERIMENTS["mel_clean"],
            classifier,
            small_set(),
            [ai.Saliency(ten_classes().network)],
            tmp_path / "r",
        )
    with pytest.raises(ArgumentError, match="needs a data folder"):
        open_data(None, (5,), "esc10")
    assert not (tmp_path / "r").exists()
    with pytest.raises(AudioInterpError, match="holds no results"):
        read_results(tmp_path)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c" / "metrics.csv").write_text("method,clip\n")
    with pytest.raises(AudioInterpError, match="missing columns: mask"):
        read_results(tmp_path)


def test_backgrounds(tmp_path, classifier):
    dataset = Synthetic((1,), duration=3.0)
    background = background_of(dataset, classifier.transform, per_class=1)
    assert background.shape == (10, 1, 64, 301)
    assert background.equal(background_of(dataset, classifier.transform, per_class=1))
    assert not background.equal(background_of(dataset, classifier.transform, per_class=1, seed=1))
    with pytest.raises(ArgumentError, match="class siren has 8 of the 9 clips needed"):
        background_of(dataset, classifier.transform, per_class=9)
    save_audio(tmp_path / "long.wav", noise(3.0), 32000)
    save_audio(tmp_path / "short.wav", noise(0.3), 16000)
    (tmp_path / "notes.txt").write_text("not a sound")
    assert background_of_folder(tmp_path, classifier).shape == (2, 1, 64, 101)
    for wrong in (tmp_path / "none", tmp_path / "long.wav"):
        with pytest.raises(ArgumentError, match="no such folder, or no sound file"):
            background_of_folder(wrong, classifier)


def test_targets_are_known_without_decoding(esc10, monkeypatch):
    whole = ESC50(esc10, (5,), "esc10")
    part = EvenSubset(whole, 7)
    parts = [whole, part, InMemory(part), Contaminated(part, "room")]
    parts += [Synthetic((5,)), Contaminated(EvenSubset(Synthetic((5,)), 7), "white")]
    every_third = [(part, index) for part in parts for index in range(0, len(part), 3)]
    decoded = [part[index][1] for part, index in every_third]
    for kind in (LabelledClips, Synthetic):
        monkeypatch.setattr(kind, "__getitem__", lambda self, index: 1 / 0)
    assert [target_of(part, index) for part, index in every_third] == decoded
    assert target_of(small_set(Renumbered), 0) == 3


class Renumbered(Synthetic):
    """Synthetic clips that read their targets in another way."""

    def __getitem__(self, index):
        return torch.zeros(1, 9), 3


def test_open_data(esc10):
    assert isinstance(open_data(None, (1,)), Synthetic)
    assert isinstance(open_data(esc10, (1,), "esc10"), ESC50)


def test_any_data_set_of_ones_own_works(tmp_path, classifier):
    for label in ("label0", "label1", "label2"):
        (tmp_path / label).mkdir()
        save_audio(tmp_path / label / f"{label}.flac", noise(1.0).clamp(-1, 1), 32000)
    dataset = LabelledClips.from_folder(tmp_path, duration=1.0)
    rows = score(classifier, dataset, ["saliency"], ["bin"], progress=False)
    assert rows["target"].tolist() == ["label0", "label1", "label2"]
    assert load_audio(tmp_path / "label0" / "label0.flac").shape == (1, 1, 32000)
