"""The committed results are complete, and belong to the committed networks and clips."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from audiointerp.dataset.esc50 import ESC50
from audiointerp.dataset.loaded_clip import load_clip
from audiointerp.experiments import sha256_of_state
from audiointerp.experiments.study import EXPERIMENTS, NOISE_TRAINED, TRANSFORMS, clips_of
from audiointerp.interpretation import NULLS
from audiointerp.model.classifier import Classifier
from audiointerp.paper.paper_tables import paper_of
from audiointerp.paper.published import COMPARED_METHODS, STUDY_MASKS
from audiointerp.tables import lead_text
from audiointerp.tables.results import read_results

ROOT = Path(__file__).parents[1]
PLACE = ["experiment", "method"]


@pytest.fixture(scope="module")
def rows():
    return read_results(ROOT / "results")


def test_every_clip_method_mask_and_way_to_score_is_there(rows):
    counts = rows.groupby(PLACE).size()
    methods = rows.groupby("experiment")["method"].agg(set)
    experiments = (*EXPERIMENTS, *NOISE_TRAINED)
    assert methods.to_dict() == {name: set(COMPARED_METHODS) for name in experiments}
    # Silence or the background, on features or on audio.
    assert set(counts) == {80 * len(STUDY_MASKS) * 4}
    assert set(rows["fill"]) == {"background", "silence"}
    assert rows[[f"FF_{null}" for null in NULLS]].notna().mean().min() > 0.99
    assert set(rows["status"]) == {"ok"}
    assert not rows.duplicated([*PLACE, "clip", "mask", "fill", "on"]).any()
    assert rows.loc[rows["method"] == "shap", "additivity_gap"].max() <= 1e-3


def test_they_are_of_the_committed_networks(rows):
    for (transform, experiment), results in rows.groupby(["transform", "experiment"]):
        trained = "_noise" if experiment.endswith("_noise_trained") else ""
        path = ROOT / "weights" / f"esc10_{transform}_cnn10{trained}.safetensors"
        assert set(results["network"]) == {sha256_of_state(Classifier.load(path).network)}


@pytest.fixture(scope="module")
def folds():
    return read_results(ROOT / "results" / "crossval_mel_clean")


def test_each_clip_of_five_folds_is_explained_once_by_a_network_of_its_fold(folds):
    assert set(folds["method"]) == set(COMPARED_METHODS)
    assert set(folds["status"]) == {"ok"}
    assert not folds.duplicated(["method", "clip", "mask"]).any()
    assert set(folds.groupby("method").size()) == {400 * len(STUDY_MASKS)}
    assert set(zip(folds["fill"], folds["on"], strict=True)) == {("background", "audio")}
    # The networks' training names its clips: those that it is scored on are not among them.
    of_clip = dict(zip(folds["clip"], folds["network"], strict=True))
    networks = set()
    for number in range(1, 6):
        fold = ROOT / "results" / "crossval_mel_clean" / f"fold_{number}"
        clips = json.loads((fold / "training.json").read_text())["clips"]
        assert {clip[0] for clip in clips["test"]} == {str(number)}
        heard = {clip.split("-")[1] for clip in clips["train"] + clips["validation"]}
        assert not heard & {clip.split("-")[1] for clip in clips["test"]}
        (network,) = {of_clip[clip] for clip in clips["test"]}
        records = [json.loads(path.read_text()) for path in fold.glob("*/*/*/run.json")]
        assert {record["network_sha256"] for record in records} == {network}
        networks.add(network)
    assert len(networks) == 5


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="computed with AVX2; without it the last bits of audio differ",
)
def test_they_are_of_the_clips_that_are_read_and_mixed_now(esc10):
    for experiment in (*EXPERIMENTS.values(), *NOISE_TRAINED.values()):
        rate = TRANSFORMS[experiment.transform].sample_rate
        clips = clips_of(experiment, ESC50(esc10, (5,), "esc10", sample_rate=rate))
        folder = ROOT / "results" / experiment.transform / experiment.name / "lime"
        record = json.loads((folder / "run.json").read_text())
        hashes = "".join(load_clip(clips, index).sha256 for index in range(len(clips)))
        assert hashlib.sha256(hashes.encode()).hexdigest() == record["clips_sha256"], (
            experiment.name
        )


def test_no_table_of_the_paper_lacks_anything():
    paper = paper_of(ROOT / "results", ["summary"], published=True)
    assert paper.lacking == []
    assert "Classes: dog, rooster, " in paper.notes[0]
    assert (ROOT / "supplementary" / "tables.pdf").read_bytes().startswith(b"%PDF")


def test_the_docs_show_what_the_results_say(rows, folds):
    for shown in (folds, rows):
        lead = lead_text(shown).strip().split("\n\nAlso in these")[0]
        assert lead in (ROOT / "docs" / "reproduce.md").read_text()
    right = rows.drop_duplicates(["experiment", "clip"]).groupby("experiment")["correct"].mean()
    page = (ROOT / "weights" / "README.md").read_text().replace("\n", " ")
    for experiment in ("mel_white_noise_trained", "mel_white"):
        assert f"hears {right[experiment]:.4f}" in page
