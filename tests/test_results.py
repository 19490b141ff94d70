"""The results that come with the project are whole, and of the networks that come with it."""

import hashlib
import json
from itertools import product
from pathlib import Path

import pytest
import torch

from audiointerp.dataset import ESC50
from audiointerp.experiments import EXPERIMENTS, TRANSFORMS, clips_of
from audiointerp.fingerprint import sha256_of_state
from audiointerp.interpretation import MASKS
from audiointerp.model import Classifier
from audiointerp.paper import paper_of
from audiointerp.rows import hear
from audiointerp.tables import METHODS, read_results

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def rows():
    return read_results(ROOT / "results")


def test_every_clip_method_mask_and_way_to_score_is_there(rows):
    counts = rows.groupby(["experiment", "method"]).size()
    assert set(counts.index) == set(product(EXPERIMENTS, (*METHODS, "random")))
    assert set(counts) == {80 * len(MASKS) * 2}
    assert set(rows["status"]) == {"ok"}
    assert not rows.duplicated(["experiment", "method", "clip", "mask", "on"]).any()
    assert rows.loc[rows["method"] == "shap", "additivity_gap"].max() <= 1e-3


def test_they_are_of_the_committed_networks(rows):
    for features, own in rows.groupby("features"):
        network = Classifier.load(ROOT / "weights" / f"esc10_{features}_cnn10.safetensors").network
        assert set(own["network"]) == {sha256_of_state(network)}


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="the committed results were made on a processor with AVX2; without it the last bits of a sound differ",
)
def test_they_are_of_the_clips_that_are_read_and_mixed_now(esc10):
    for experiment in EXPERIMENTS.values():
        rate = TRANSFORMS[experiment.features].sample_rate
        clips = clips_of(experiment, ESC50(esc10, (5,), "esc10", sample_rate=rate))
        told = json.loads((ROOT / "results" / experiment.features / experiment.name / "lime" / "run.json").read_text())
        hashes = "".join(hear(clips, index).sha256 for index in range(len(clips)))
        assert hashlib.sha256(hashes.encode()).hexdigest() == told["clips_sha256"], experiment.name


def test_no_table_of_the_paper_lacks_anything():
    paper = paper_of(ROOT / "results", ["summary"], published=True)
    assert paper.lacking == []
    assert "Classes: dog, rooster, " in paper.notes[0]
    assert (ROOT / "supplementary" / "tables.pdf").read_bytes().startswith(b"%PDF")
