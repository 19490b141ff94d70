"""An object store: moto's S3 server on loopback, which may also fail and be slow."""

import random
import time

import fsspec
import pytest
from sharding import METHODS, OWN, PLAN, assert_same, expected, form, manifest

from audiointerp.dataset import ManifestClips
from audiointerp.errors import AudioInterpError
from audiointerp.experiments import run_shards
from audiointerp.util import remote

__all__ = ["expected", "manifest"]
pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")
pytest.importorskip("s3fs", reason="needs s3fs")
pytest.importorskip("moto.server", reason="needs moto[server]")
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def store(manifest):
    """A bucket with the clips; its address and credentials are in the environment alone."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        file_system = fsspec.filesystem("s3")
        file_system.mkdir("clips")
        for path in manifest.parent.iterdir():
            file_system.pipe_file(f"clips/set/{path.name}", path.read_bytes())
        yield file_system
        server.stop()


def in_store(out):
    classifier, settings = form()
    clips = ManifestClips("s3://clips/set/clips.csv", **settings)
    return run_shards(OWN, classifier, clips, METHODS, f"s3://clips/{out}", shard_size=3, **PLAN)


def downloaded(store, out, folder):
    store.invalidate_cache()
    store.get(f"clips/{out}/", f"{folder}/", recursive=True)
    return folder / "mel" / "own"


def times(store, out):
    store.invalidate_cache()
    listed = store.ls(f"clips/{out}/mel/own/random/shards", detail=True)
    return {entry["Key"]: entry["LastModified"] for entry in listed}


def test_clips_are_read_from_a_store_and_rows_written_there(store, manifest, expected, tmp_path):
    assert in_store("whole").is_complete
    folder = downloaded(store, "whole", tmp_path)
    # The message of the clip that cannot be read names its URL, not that of a temporary copy.
    assert_same(folder, expected, moved=(str(manifest.parent), "s3://clips/set"))
    before = times(store, "whole")
    assert len(before) == 3
    assert in_store("whole").is_complete
    assert times(store, "whole") == before


class Faulty:
    """Makes requests of a store fail or wait at random; of each request at most two fail in row."""

    def __init__(self, patch, seed):
        self.faults, self.in_row = 0, 0
        self._random = random.Random(seed)
        self._request = remote._request
        patch.setattr(remote, "_request", self)

    def __call__(self, function, *arguments, **options):
        chance = self._random.random()
        if chance < 0.4 and self.in_row < 2:
            self.faults += 1
            self.in_row += 1
            raise OSError("503: the store is busy")
        self.in_row = 0
        time.sleep(0.01 if chance > 0.9 else 0)
        return self._request(function, *arguments, **options)


def test_a_store_that_fails_and_slows_loses_nothing(
    store, manifest, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr(remote, "PAUSE", 0.001)
    faulty = Faulty(monkeypatch, seed=3)
    assert in_store("faulty").is_complete
    assert faulty.faults > 5
    folder = downloaded(store, "faulty", tmp_path)
    assert_same(folder, expected, moved=(str(manifest.parent), "s3://clips/set"))


def test_a_store_that_is_gone_is_an_error_and_the_same_call_goes_on(
    store, manifest, expected, tmp_path, monkeypatch
):
    def refuse(function, *arguments, **options):
        if "pipe_file" in function.__name__ and "000000003" in arguments[0]:
            raise OSError("503: the store is gone")
        return function(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remote, "PAUSE", 0.001)
        patch.setattr(remote, "_request", refuse)
        with pytest.raises(AudioInterpError, match=r"s3://.*cannot be written \(503: the store"):
            in_store("gone")
    kept = times(store, "gone")
    assert len(kept) == 1
    assert in_store("gone").is_complete
    assert kept.items() <= times(store, "gone").items()
    folder = downloaded(store, "gone", tmp_path)
    assert_same(folder, expected, moved=(str(manifest.parent), "s3://clips/set"))
