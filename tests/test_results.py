"""The committed results are complete, and belong to the committed networks and clips."""

import hashlib
import json
from itertools import product
from pathlib import Path

import pytest
import torch
from version_differences import means_of, table_of

from audiointerp.dataset.esc50 import ESC50
from audiointerp.dataset.loaded_clip import load_clip
from audiointerp.experiments.fingerprint import sha256_of_state
from audiointerp.experiments.study import EXPERIMENTS, TRANSFORMS, clips_of
from audiointerp.model.classifier import Classifier
from audiointerp.paper.paper_tables import paper_of
from audiointerp.paper.published import PUBLISHED_METHODS, STUDY_MASKS
from audiointerp.tables import lead_text
from audiointerp.tables.results import read_results

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def rows():
    return read_results(ROOT / "results")


def test_every_clip_method_mask_and_way_to_score_is_there(rows):
    counts = rows.groupby(["experiment", "method"]).size()
    assert set(counts.index) == set(product(EXPERIMENTS, (*PUBLISHED_METHODS, "random")))
    assert set(counts) == {80 * len(STUDY_MASKS) * 2}
    assert set(rows["status"]) == {"ok"}
    assert not rows.duplicated(["experiment", "method", "clip", "mask", "on"]).any()
    assert rows.loc[rows["method"] == "shap", "additivity_gap"].max() <= 1e-3


def test_they_are_of_the_committed_networks(rows):
    for transform, results in rows.groupby("transform"):
        path = ROOT / "weights" / f"esc10_{transform}_cnn10.safetensors"
        assert set(results["network"]) == {sha256_of_state(Classifier.load(path).network)}


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="computed with AVX2; without it the last bits of audio differ",
)
def test_they_are_of_the_clips_that_are_read_and_mixed_now(esc10):
    for experiment in EXPERIMENTS.values():
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


@pytest.fixture(scope="module")
def anew():
    pytest.importorskip("pyarrow")
    return read_results(ROOT / "results" / "0.2.0")


def test_the_study_anew_is_of_the_committed_networks(anew):
    more = {"mel_clean": 9, "mel_white_noise_trained": 9, "stft_clean": 6}
    for (transform, experiment), rows in anew.groupby(["transform", "experiment"]):
        trained = "_noise" if experiment.endswith("_noise_trained") else ""
        path = ROOT / "weights" / f"esc10_{transform}_cnn10{trained}.safetensors"
        assert set(rows["network"]) == {sha256_of_state(Classifier.load(path).network)}
        each = rows.groupby("method").size()
        assert set(each) == {80 * len(STUDY_MASKS) * 4}
        assert len(each) == more.get(experiment, len(PUBLISHED_METHODS) + 1)
    assert set(anew["status"]) == {"ok"}


def test_how_far_the_versions_differ_stands_beside_them():
    pytest.importorskip("pyarrow")
    table = "\n".join(table_of(means_of(ROOT / "results"), means_of(ROOT / "results" / "0.2.0")))
    assert table in (ROOT / "results" / "README.md").read_text()


def test_the_docs_show_what_the_study_anew_says(anew):
    lead = lead_text(anew).strip().split("\n\nAlso in these")[0]
    assert lead in (ROOT / "docs" / "reproduce.md").read_text()
    right = anew.drop_duplicates(["experiment", "clip"]).groupby("experiment")["correct"].mean()
    assert f"hears {right['mel_white_noise_trained']:.4f}" in (
        ROOT / "weights" / "README.md"
    ).read_text().replace("\n", " ")
