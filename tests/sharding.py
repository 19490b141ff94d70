"""What the tests of runs in shards share: a manifest, the expected rows, and their comparison."""

import io
import json

import pandas as pd
import pytest
import torch
from small import small_classifier

from audiointerp.dataset import LabelledClips, ManifestClips
from audiointerp.experiments import Experiment, run, run_shards
from audiointerp.processing import save_audio
from audiointerp.scoring import COLUMNS, read_parquet, read_rows

OWN = Experiment("own", "mel")
METHODS = ["saliency", "random"]
PLAN = {
    "masks": ["bin", "topK_30"],
    "on": "features",
    "fill": "silence",
    "nulls": ["rolled", "other"],
    "optimize": "none",
    "progress": False,
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Seven clips of four recordings; one cannot be read, and one is the next of its recording."""
    folder = tmp_path_factory.mktemp("manifest")
    generator = torch.Generator().manual_seed(1)
    lines = ["filename,label,recording"]
    for number, recording in enumerate("aabbcda"):
        wav = 0.1 * torch.randn(1, 1, 6000, generator=generator)
        save_audio(folder / f"{number}.wav", wav, 16000)
        lines.append(f'"{number}.wav",label{number % 3},{recording}')
    (folder / "4.wav").write_bytes(b"no sound")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder / "clips.csv"


def form():
    classifier = small_classifier(10, duration=0.5)
    return classifier, {
        "labels": classifier.labels,
        "sample_rate": classifier.sample_rate,
        "duration": classifier.duration,
    }


@pytest.fixture(scope="module")
def expected(manifest, tmp_path_factory):
    """The results of the same clips by ``run``."""
    out = tmp_path_factory.mktemp("expected")
    classifier, settings = form()
    clips = LabelledClips.open(manifest, **settings)
    rows = run(OWN, classifier, clips, METHODS, out, **PLAN)
    assert sorted(set(rows["status"])) == ["error", "ok"]
    return out / "mel" / "own"


def shard_rows(folder):
    files = sorted(folder.glob("shards/*.parquet"))
    frames = []
    for path in files:
        with path.open("rb") as file:
            frames.append(read_parquet(file, str(path)))
    return pd.concat(frames, ignore_index=True)


def csv_of_shards(folder):
    """The rows of all shards, as a run would have written them into metrics.csv."""
    import pyarrow.parquet as pq

    from audiointerp.experiments.records import cells, csv_text

    rows = [COLUMNS]
    for path in sorted(folder.glob("shards/*.parquet")):
        rows += [cells(row) for row in pq.read_table(path).to_pylist()]
    return csv_text(rows).encode()


def assert_same(folder, expected, moved=("", "")):
    """Compare shards with the results of a run, whose clips may lie in another place."""
    for method in METHODS:
        text = (expected / method / "metrics.csv").read_text(encoding="utf-8").replace(*moved)
        assert csv_of_shards(folder / method) == text.encode()
        rows = read_rows(io.StringIO(text))
        pd.testing.assert_frame_equal(shard_rows(folder / method), rows)
        record = json.loads((folder / method / "run.json").read_text())
        of_run = json.loads((expected / method / "run.json").read_text())
        same = ("rows", "errors", "unread_clips", "network_sha256", "clip_names_sha256", "plan")
        assert {name: record[name] for name in same} == {name: of_run[name] for name in same}


def in_shards(manifest, out, **options):
    classifier, settings = form()
    clips = ManifestClips(manifest, **settings)
    return run_shards(OWN, classifier, clips, METHODS, out, **(PLAN | options))
