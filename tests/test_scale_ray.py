"""Shards on a Ray cluster of this machine: the rows of a run, though workers are killed."""

import os
import signal
from pathlib import Path

import pytest
from sharding import METHODS, OWN, PLAN, assert_same, expected, form, in_shards, manifest

from audiointerp.dataset import ManifestClips
from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.experiments import ray_engine, run_shards

__all__ = ["expected", "manifest"]
pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")
ray = pytest.importorskip("ray", reason="needs Ray (the extra ray)")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A cluster of two cores, on loopback alone."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()


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
    monkeypatch.setattr("audiointerp.experiments.on_ray.ATTEMPTS", 1)
    classifier, clips = deadly(manifest, tmp_path / "marks", times=99)
    out = tmp_path / "out"
    engine = ray_engine(num_workers=1)
    with pytest.raises(AudioInterpError, match="clips 3 to 5: 2 workers in a row were lost"):
        run_shards(OWN, classifier, clips, METHODS, out, shard_size=3, engine=engine, **PLAN)
    assert len(list(clips.marks.iterdir())) == 2
    # What was finished before is kept.
    assert len(list(out.rglob("000000000-*.parquet"))) == 2


def test_gpus_are_refused_on_a_cpu(manifest, tmp_path):
    with pytest.raises(ArgumentError, match="gpus_per_worker=1 on cpu"):
        in_shards(manifest, tmp_path, engine=ray_engine(gpus_per_worker=1))
