"""Runs that are sharded, locked and stopped by signals."""

import signal
import subprocess
import sys

import pytest
from survival import Counted, go, tables

from audiointerp.errors import ArgumentError, AudioInterpError, Stopped
from audiointerp.experiments.store import Store
from audiointerp.scoring import RecentAttributions
from audiointerp.util.files import locked


def test_shards_in_any_order_make_the_same_table(tmp_path, expected):
    for shard in (3, 1, 4):
        rows = go(tmp_path / "run", shard=(shard, 4))
        assert tables(tmp_path / "run") == [None, None]
    assert rows["clip"].nunique() == 4
    with pytest.raises(ArgumentError, match=r"--no-resume\) with a shard"):
        go(tmp_path / "run", shard=(2, 4), resume=False)
    with pytest.raises(ArgumentError, match="shard 5/4: the first is 1/4"):
        go(tmp_path / "run", shard=(5, 4))
    with pytest.raises(ArgumentError, match="shard 7/99999: has no clips, since there are only 6"):
        go(tmp_path / "run", shard=(7, 99999))
    go(tmp_path / "run", shard=(2, 4))
    assert tables(tmp_path / "run") == expected


def test_of_a_shard_only_the_next_clip_is_explained_too(tmp_path, monkeypatch):
    """Clips of a shard follow one another: the null "other" explains the next clip as well."""
    explained, own = [], RecentAttributions.explain

    def noted(self, classifier, clip, explainer, *arguments):
        attribution = own(self, classifier, clip, explainer, *arguments)
        explained.append((clip.loaded.name, attribution))
        return attribution

    monkeypatch.setattr(RecentAttributions, "explain", noted)
    go(tmp_path / "run", methods=["saliency"], shard=(2, 2), nulls=["other"])
    computed = {id(attribution): name for name, attribution in explained}
    assert sorted(computed.values()) == [f"burst/{index}.wav" for index in (0, 3, 4, 5)]


def test_the_table_is_written_from_records_read_under_its_lock(tmp_path, monkeypatch):
    """Otherwise a shard that ends in between has its newer table replaced by an older one."""
    watched = []

    def under_its_lock(name):
        own = getattr(Store, name)

        def asked(self, *arguments):
            with (
                pytest.raises(AudioInterpError, match="writes there"),
                locked(self.folder / ".lock-shared"),
            ):
                pass
            watched.append(name)
            return own(self, *arguments)

        return asked

    for name in ("_records", "_write_table"):
        monkeypatch.setattr(Store, name, under_its_lock(name))
    go(tmp_path)
    assert watched == ["_records", "_write_table"] * 2


def test_a_second_writer_is_refused_and_a_killed_one_is_not_in_the_way(tmp_path, expected):
    folder = tmp_path / "run" / "mel" / "small" / "saliency"
    hold = (
        "import sys, time; from audiointerp.util.files import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    )
    for lock, shard in (
        (".lock-1-of-1", (1, 1)),
        (".lock-1-of-1", (1, 2)),
        (".lock-2-of-3", (1, 1)),
    ):
        with subprocess.Popen(
            [sys.executable, "-c", hold, folder / lock], stdout=subprocess.PIPE
        ) as holder:
            holder.stdout.readline()
            with pytest.raises(
                AudioInterpError, match=rf"saliency: process {holder.pid} \(-c .*writes there"
            ):
                go(tmp_path / "run", shard=shard)
            holder.kill()
    go(tmp_path / "run")
    assert tables(tmp_path / "run") == expected


def test_a_signal_finishes_the_method_at_hand(tmp_path, expected, capfd):
    for number in (signal.SIGINT, signal.SIGTERM):
        out, before = tmp_path / str(number), signal.getsignal(number)
        # Clip 3 is read beside clip 2, as its other clip.
        clips = Counted(at={3: lambda number=number: signal.raise_signal(number)})
        with pytest.raises(Stopped, match="stopped at clip 3 of 6"):
            go(out, clips)
        assert signal.getsignal(number) is before
        assert "interrupt again" in capfd.readouterr().err
        assert sorted(path.stem for path in out.rglob("clips/0*.json")) == [
            "00000",
            "00000",
            "00001",
            "00001",
            "00002",
        ]
        go(out)
        assert tables(out) == expected


def test_a_signal_is_heard_where_nothing_is_missing(tmp_path):
    go(tmp_path)
    with pytest.raises(Stopped, match="stopped at clip 1 of 6"):
        go(tmp_path, Counted(at={0: lambda: signal.raise_signal(signal.SIGTERM)}))


def test_a_second_interrupt_stops_at_once(tmp_path, expected):
    def interrupt():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", Counted(at={3: interrupt}))
    assert len(list((tmp_path / "run").rglob("clips/0*.json"))) == 4
    go(tmp_path / "run")
    assert tables(tmp_path / "run") == expected


def test_a_lock_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "folder").write_text("")
    with (
        pytest.raises(AudioInterpError, match="cannot make this folder"),
        locked(tmp_path / "folder" / "lock"),
    ):
        pass
    (tmp_path / "lock").mkdir()
    with pytest.raises(AudioInterpError, match="cannot be written"), locked(tmp_path / "lock"):
        pass
