"""Shards on a Ray cluster of this machine: the rows of a run, though workers are killed."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import small_classifier
from sharding import METHODS, OWN, PLAN, assert_same, expected, form, in_shards, manifest

from audiointerp.dataset import ManifestClips
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.events import FolderScan, ScanSettings, scan_files
from audiointerp.experiments import ray_engine, run_shards
from audiointerp.predict import score
from audiointerp.processing import save_audio
from audiointerp.util import Cluster, cluster

__all__ = ["expected", "manifest"]
pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")
ray = pytest.importorskip("ray", reason="needs Ray (the extra ray)")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def shared_cluster():
    """A cluster of two cores, on loopback alone, that all tests share."""
    with cluster.started(ray, Cluster(num_workers=2), 0):
        yield


class Deadly(ManifestClips):
    """Kills the process that reads one clip, the first few times."""

    def arm(self, folder, index, times):
        self.marks, self.index, self.times = folder, index, times
        return self

    def __getitem__(self, index):
        deaths = len(list(self.marks.glob("death*")))
        if index == self.index and deaths < self.times:
            (self.marks / f"death{deaths}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def deadly(manifest, marks, times):
    marks.mkdir()
    classifier, settings = form()
    return classifier, Deadly(manifest, **settings).arm(marks, 3, times)


def test_two_workers_give_the_rows_of_a_run(manifest, expected, tmp_path):
    done = in_shards(manifest, tmp_path, shard_size=2, engine=ray_engine(num_workers=2))
    assert_same(Path(done.folder), expected)


def test_the_shard_of_a_killed_worker_is_computed_again(manifest, expected, tmp_path):
    classifier, clips = deadly(manifest, tmp_path / "marks", times=1)
    out = tmp_path / "out"
    engine = ray_engine(num_workers=1)
    done = run_shards(OWN, classifier, clips, METHODS, out, shard_size=3, engine=engine, **PLAN)
    assert len(list(clips.marks.iterdir())) == 1
    assert_same(Path(done.folder), expected)


def test_a_shard_that_kills_every_worker_is_named(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr("audiointerp.util.cluster.ATTEMPTS", 1)
    classifier, clips = deadly(manifest, tmp_path / "marks", times=99)
    out = tmp_path / "out"
    engine = ray_engine(num_workers=1)
    with pytest.raises(AudioInterpError, match="clips 3 to 5: 2 workers in a row were lost"):
        run_shards(OWN, classifier, clips, METHODS, out, shard_size=3, engine=engine, **PLAN)
    assert len(list(clips.marks.iterdir())) == 2
    # What was finished before is kept.
    assert len(list(out.rglob("000000000-*.parquet"))) == 2


def test_score_has_the_rows_of_this_process(manifest):
    classifier, settings = form()
    clips = ManifestClips(manifest, **settings)
    options = {"masks": ["bin"], "nulls": ["other"], "progress": False, "metrics": {"half": half}}
    here = score(classifier, clips, METHODS, **options)
    on_cluster = score(classifier, clips, METHODS, engine=ray_engine(num_workers=2), **options)
    pd.testing.assert_frame_equal(on_cluster, here, check_exact=True)
    assert (here["status"] == "error").sum() == 2


def half(scored):
    return scored.of_target(scored.probs_in) / 2


def no_page(*values):
    pass


def test_a_scan_by_a_cluster_is_that_of_this_process(tmp_path):
    recordings = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        save_audio(path, 0.1 * torch.randn(1, 1, 40000), 16000)
        recordings.append((path.name, path))
    recordings.append(("missing.wav", tmp_path / "missing.wav"))
    settings = ScanSettings(threshold=0.05, explain=1)
    rows = {}
    for name, workers in {"here": 1, "cluster": Cluster(num_workers=2)}.items():
        task = FolderScan(tmp_path / name, settings, {}, no_page, no_page)
        rows[name] = scan_files(task, small_classifier, recordings, workers=workers, progress=False)
    assert rows["cluster"] == rows["here"]
    assert [row["status"] for row in rows["here"]] == ["ok", "ok", "ok", "error"]
    for name in ("events.csv", "recordings.csv"):
        of_cluster = (tmp_path / "cluster" / name).read_bytes()
        assert of_cluster == (tmp_path / "here" / name).read_bytes()
    assert len(pd.read_csv(tmp_path / "here" / "events.csv")) > 0


def test_gpus_are_refused_on_a_cpu(manifest, tmp_path):
    with pytest.raises(ArgumentError, match="gpus_per_worker=1 on cpu"):
        in_shards(manifest, tmp_path, engine=ray_engine(gpus_per_worker=1))
