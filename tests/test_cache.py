"""The cache of sounds and features: right or absent, whatever happens to its files."""

import os
import subprocess
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import audiointerp as ai
from audiointerp.dataset import (
    ESC50,
    Clip,
    EvenSubset,
    InMemory,
    LabelledClips,
    compute_features,
    feature_tensors,
)
from audiointerp.errors import ArgumentError, AudioError, AudioInterpError, AudioWarning
from audiointerp.processing import LogMel, load_audio, save_audio
from audiointerp.processing import audio as reading
from audiointerp.util import Cache, digest_of, open_cache
from audiointerp.util import cache as store

MEL = LogMel(8000, 256, 80, 16, f_max=4000.0)


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(store.VARIABLE, raising=False)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def sounds(tmp_path):
    """Six files of half a second at another rate than the data set's."""
    place = tmp_path / "sounds"
    place.mkdir()
    generator = torch.Generator().manual_seed(0)
    for number in range(6):
        wav = 0.1 * torch.randn(1, 1, 5512, generator=generator)
        save_audio(place / f"{number}.wav", wav, 11025)
    return place


def clips_of(place, **form):
    clips = [Clip(path, number % 2) for number, path in enumerate(sorted(place.glob("*.wav")))]
    return LabelledClips(clips, ["cat", "dog"], sample_rate=8000, duration=0.5, **form)


def entries(folder):
    return sorted(folder.glob("*.safetensors"))


@given(
    shape=st.lists(st.integers(0, 4), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool, torch.bfloat16]),
)
@settings(max_examples=30, deadline=None)
def test_what_is_put_is_got_bit_by_bit(tmp_path_factory, shape, dtype):
    cache = Cache(tmp_path_factory.mktemp("cache"))
    tensor = (100 * torch.randn(shape)).to(dtype)
    key = digest_of(tensor)
    assert cache.get(key) is None
    cache.put(key, tensor)
    kept = cache.get(key)
    assert kept.dtype == dtype
    assert kept.equal(tensor)
    # The result may be changed without changing the entry.
    kept.zero_()
    assert cache.get(key).equal(tensor)


def test_digests_differ_where_values_differ():
    zeros = torch.zeros(4)
    parts = [
        ("a",), ("b",), ("a", "b"), ("ab",), (1,), ("1",), (None,), (zeros,), (zeros.double(),),
        (zeros.view(2, 2),), (-zeros,), (zeros, zeros), (["a", "b"],), ({"a": 1},),
    ]  # fmt: skip
    assert len({digest_of(*some) for some in parts}) == len(parts)
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_damage_anywhere_in_an_entry_is_noticed(folder):
    cache, key, tensor = Cache(folder), digest_of("x"), torch.arange(50.0)
    cache.put(key, tensor)
    (path,) = entries(folder)
    content = path.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 7)] + [content + b"x"]
    for place in range(0, len(content), 3):
        damaged.append(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
    for other in damaged:
        path.write_bytes(other)
        kept = cache.get(key)
        # Another order of the names in the header, e.g., is no damage.
        assert kept is None or kept.equal(tensor)
    path.write_bytes(content)
    assert cache.get(key).equal(tensor)


def test_an_entry_under_another_name_is_not_taken(folder):
    cache = Cache(folder)
    cache.put(digest_of("x"), torch.ones(3))
    (path,) = entries(folder)
    path.rename(folder / f"{digest_of('y')}.safetensors")
    assert cache.get(digest_of("y")) is None


def test_a_clip_is_decoded_once_and_equal(sounds, folder, monkeypatch):
    plain = [clips_of(sounds)[index][0] for index in range(6)]
    first = [clips_of(sounds, cache=folder)[index][0] for index in range(6)]
    assert len(entries(folder)) == 6
    decode = reading._decoded
    monkeypatch.setattr(reading, "_decoded", None)
    again = [clips_of(sounds, cache=folder)[index][0] for index in range(6)]
    for one, two, three in zip(plain, first, again, strict=True):
        assert one.equal(two)
        assert one.equal(three)
    # A damaged entry is made again.
    path = entries(folder)[0]
    path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr(reading, "_decoded", decode)
    again = [clips_of(sounds, cache=folder)[index][0] for index in range(6)]
    assert all(one.equal(two) for one, two in zip(plain, again, strict=True))
    monkeypatch.setattr(reading, "_decoded", None)
    assert clips_of(sounds, cache=folder)[0][0].equal(plain[0])


def test_other_settings_and_other_content_are_other_entries(sounds, folder):
    path = sounds / "0.wav"
    before, times = load_audio(path, 8000, cache=folder), os.stat(path)
    assert load_audio(path, 16000, cache=folder).shape[-1] == 2 * before.shape[-1]
    assert load_audio(path, cache=folder).shape[-1] == 5512
    assert len(entries(folder)) == 3
    # Normalisation is not a part of the entry.
    assert load_audio(path, 8000, normalize="none", cache=folder).abs().max() < 1
    assert len(entries(folder)) == 3
    # The size and the time of the change are those of the old content.
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\0\0\0\0")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not load_audio(path, 8000, cache=folder).equal(before)
    path.write_bytes(content)
    assert load_audio(path, 8000, cache=folder).equal(before)


def test_what_is_doubtful_or_refused_is_so_each_time(sounds, folder):
    path = sounds / "opposite.wav"
    wav = 0.1 * torch.randn(1, 1, 800)
    save_audio(path, torch.cat([wav, -wav], 1), 8000)
    for _ in range(2):
        with pytest.warns(AudioWarning, match="cancel"):
            load_audio(path, normalize="none", cache=folder)
        with pytest.raises(AudioError, match="cancel"):
            load_audio(path, cache=folder)
        with pytest.raises(AudioError, match="no such audio file"):
            load_audio(sounds / "missing.wav", cache=folder)
        (sounds / "text.wav").write_text("no sound")
        with pytest.raises(AudioError, match=r"text\.wav"):
            load_audio(sounds / "text.wav", cache=folder)
    assert entries(folder) == []


def test_a_file_that_changes_while_it_is_read_is_not_kept(sounds, folder, monkeypatch):
    path, decode = sounds / "0.wav", reading._decoded

    def decode_while_written(place):
        sound = decode(place)
        place.write_bytes(place.read_bytes()[:-4] + b"\0\0\0\0")
        return sound

    monkeypatch.setattr(reading, "_decoded", decode_while_written)
    load_audio(path, 8000, cache=folder)
    assert entries(folder) == []


def test_features_are_computed_once_and_equal(sounds, folder, monkeypatch):
    plain = compute_features(clips_of(sounds), MEL, progress=False)
    first = compute_features(clips_of(sounds), MEL, progress=False, cache=folder)
    assert len(entries(folder)) == 6
    monkeypatch.setattr(LogMel, "__call__", None)
    again = compute_features(clips_of(sounds), MEL, progress=False, cache=folder)
    for one, two, three in zip(plain, first, again, strict=True):
        assert one.equal(two)
        assert one.equal(three)
    monkeypatch.undo()
    louder = LogMel(8000, 256, 80, 16, f_max=3000.0)
    other = compute_features(clips_of(sounds), louder, progress=False, cache=folder)
    assert other[0].equal(compute_features(clips_of(sounds), louder, progress=False)[0])
    assert len(entries(folder)) == 12


def test_features_of_a_transform_of_the_users_are_not_kept(sounds, folder):
    @dataclass(frozen=True, repr=False)
    class Mine(LogMel):
        def to_features(self, power):
            return 2 * super().to_features(power)

    mine = Mine(8000, 256, 80, 16, f_max=4000.0)
    db, _ = compute_features(clips_of(sounds), mine, progress=False, cache=folder)
    assert entries(folder) == []
    plain, _ = compute_features(clips_of(sounds), MEL, progress=False, cache=folder)
    assert (db - plain).mean() == pytest.approx(3.01, abs=0.05)


def test_the_least_recently_used_entries_go_first_and_the_limit_holds(folder):
    cache = Cache(folder, max_bytes=40_000)
    keys = [digest_of(number) for number in range(60)]
    for number, key in enumerate(keys):
        cache.put(key, torch.full((250,), float(number)))
        # The clock of a file system may be too coarse for the order.
        os.utime(folder / f"{key}.safetensors", (number, number))
        assert cache.get(keys[0]) is not None
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 40_000
    kept = [number for number, key in enumerate(keys) if cache.get(key) is not None]
    assert 20 <= len(kept) < 40
    assert kept == [0, *range(61 - len(kept), 60)]
    for number in kept:
        assert cache.get(keys[number]).eq(number).all()


def test_entries_larger_than_the_cache_and_foreign_files_do_no_harm(folder):
    cache = Cache(folder, max_bytes=1000)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    cache.put(digest_of("x"), torch.ones(1000))
    assert cache.get(digest_of("x")) is None
    cache.put(digest_of("y"), torch.ones(2))
    assert cache.get(digest_of("y")).sum() == 2
    assert (folder / "notes.txt").read_text() == "mine"


def test_it_can_be_deleted_at_any_time(sounds, folder):
    clips = clips_of(sounds, cache=folder)
    plain = clips_of(sounds)
    for index in range(6):
        assert clips[index][0].equal(plain[index][0])
        for path in folder.iterdir():
            path.unlink()
        if index % 2:
            folder.rmdir()
    assert not folder.exists()


# One process, since importing torch takes seconds; its children are forked.
KILLS = """
import os, signal, sys, time
from pathlib import Path
import torch
from audiointerp.util import Cache, digest_of

def write(folder, most):
    cache, number = Cache(folder, most), 0
    while True:
        cache.put(digest_of(number % 50), torch.full((25_000,), float(number % 50)))
        number += 1

def started(*arguments):
    child = os.fork()
    if not child:
        write(*arguments)
    return child

def killed(child):
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

kills, limit, most = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
# Killed at some moment, while another process writes the same entries.
other = started(kills, 2**30)
for turn in range(12):
    child = started(kills, 2**30)
    time.sleep(0.02 + 0.0007 * turn)
    killed(child)
while len(list(kills.glob("*.safetensors"))) < 50:
    time.sleep(0.01)
killed(other)
# Killed with half of an entry written, and before the whole one has its name.
whole = {name: getattr(Path, name) for name in ("write_bytes", "replace")}
def write_half(path, content):
    whole["write_bytes"](path, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
def stop(path, target):
    os.kill(os.getpid(), signal.SIGKILL)
for name, function in (("write_bytes", write_half), ("replace", stop)):
    setattr(Path, name, function)
    child = os.fork()
    if not child:
        Cache(kills).put(digest_of(name), torch.ones(1000))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    setattr(Path, name, whole[name])
# Two processes, and the most bytes that are seen.
writers, largest, times = [started(limit, most) for _ in range(2)], 0, 0
while times < 500 or largest < 0.9 * most:
    times, sizes = times + 1, []
    for path in limit.glob("*"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:
            pass
    largest = max(largest, sum(sizes))
for writer in writers:
    killed(writer)
print(largest)
"""
MOST = 2_000_000


@pytest.fixture(scope="module")
def after_kills(tmp_path_factory):
    """A folder whose writers were killed; and the most bytes in a folder with two writers."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    kills, limit = (tmp_path_factory.mktemp(name) for name in ("kills", "limit"))
    code = [sys.executable, "-c", KILLS, str(kills), str(limit), str(MOST)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return kills, int(done.stdout)


def test_a_process_killed_while_it_writes_leaves_nothing_wrong(after_kills):
    folder, _ = after_kills
    cache = Cache(folder)
    for number in range(50):
        assert cache.get(digest_of(number)).equal(torch.full((25_000,), float(number)))
    assert cache.get(digest_of("write_bytes")) is None
    assert cache.get(digest_of("replace")) is None
    # What was killed is still there, and is deleted once it is old.
    assert len(list(folder.glob(".*.partial"))) >= 2
    for path in folder.glob(".*.partial"):
        os.utime(path, (0, 0))
    store._written.clear()
    cache.put(digest_of("new"), torch.ones(1))
    assert list(folder.glob(".*.partial")) == []
    assert len(entries(folder)) == 51


def test_processes_that_write_at_once_stay_near_the_limit(after_kills):
    # Each may write one entry of 100 kB, or 2 %, before it measures.
    assert 0.9 * MOST <= after_kills[1] <= MOST + 2 * 110_000


def test_threads_write_and_read_the_same_entries(folder):
    cache, wrong = Cache(folder, max_bytes=300_000), []

    def work(start):
        for number in range(start, start + 60):
            key = digest_of(number % 20)
            cache.put(key, torch.full((5000,), float(number % 20)))
            kept = cache.get(key)
            if kept is not None and not kept.eq(number % 20).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(7 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_disk_that_is_full_is_told_and_does_not_stop(sounds, folder, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    plain = clips_of(sounds)[0][0]
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.warns(UserWarning, match=r"cannot be written \(No space left.*cache=False"):
        assert clips_of(sounds, cache=folder)[0][0].equal(plain)


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "caches" / name)
    usual, mine = tmp_path / "caches" / "audiointerp", tmp_path / "mine"
    for named in (None, "", "off", "0", "OFF", "no"):
        if named is not None:
            monkeypatch.setenv(store.VARIABLE, named)
        assert open_cache() is None
        assert open_cache(mine).folder == mine
    monkeypatch.setenv(store.VARIABLE, "on")
    assert open_cache().folder == open_cache(True).folder == usual
    monkeypatch.setenv(store.VARIABLE, str(mine))
    assert open_cache().folder == mine
    assert open_cache(False) is None
    assert open_cache(True).folder == usual
    assert open_cache(Cache(mine, 10)).max_bytes == 10
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioInterpError, match="cannot make this folder"):
        open_cache(tmp_path / "file")
    with pytest.raises(ArgumentError, match="cache=3"):
        open_cache(3)
    with pytest.raises(ArgumentError, match="max_bytes=0"):
        Cache(mine, 0)


@pytest.mark.skipif(os.name != "posix", reason="modes of folders")
def test_a_new_folder_is_for_the_user_alone(tmp_path):
    assert open_cache(tmp_path / "new").folder.stat().st_mode & 0o777 == 0o700
    Cache(tmp_path / "later").put(digest_of("x"), torch.ones(1))
    assert (tmp_path / "later").stat().st_mode & 0o777 == 0o700
    # A folder that is shared stays so.
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o775)
    open_cache(shared).put(digest_of("x"), torch.ones(1))
    assert shared.stat().st_mode & 0o777 == 0o775


def test_the_variable_is_enough(sounds, folder, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, str(folder))
    compute_features(clips_of(sounds), MEL, progress=False)
    # Six sounds and six features.
    assert len(entries(folder)) == 12
    # A data set that was opened without a cache has none later.
    for path in entries(folder):
        path.unlink()
    compute_features(clips_of(sounds, cache=False), MEL, progress=False, cache=False)
    assert entries(folder) == []


@pytest.mark.parametrize("threads", [None, 1, 2, 5, 20])
def test_threads_give_the_same_features_in_the_same_order(sounds, threads, folder):
    expected = compute_features(clips_of(sounds), MEL, progress=False, threads=1)
    for cache in (False, folder, folder):
        made = compute_features(
            clips_of(sounds, cache=cache), MEL, progress=False, threads=threads, cache=cache
        )
        assert made[0].equal(expected[0])
        assert made[1].tolist() == [0, 1, 0, 1, 0, 1]


def test_the_first_error_is_that_of_the_first_clip_and_the_rest_is_not_read(sounds):
    (sounds / "1.wav").write_text("no sound")
    (sounds / "2.wav").unlink()
    read = []

    class Watched(LabelledClips):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    clips = Watched(clips_of(sounds).clips * 10, ["cat", "dog"], sample_rate=8000, duration=0.5)
    with pytest.raises(AudioError, match=r"1\.wav"):
        compute_features(clips, MEL, progress=False, threads=2)
    assert len(read) < 15
    with pytest.raises(ArgumentError, match="threads=0"):
        compute_features(clips, MEL, progress=False, threads=0)


def test_only_data_sets_of_files_are_read_in_threads(sounds, monkeypatch):
    monkeypatch.setattr(feature_tensors, "_processors", lambda: 3)
    names = set()

    class Named(LogMel):
        def __call__(self, wav):
            names.add(threading.current_thread().name)
            return super().__call__(wav)

    class Theirs(LabelledClips):
        pass

    files = clips_of(sounds)
    theirs = Theirs(files.clips, files.labels, sample_rate=8000, duration=0.5)
    mel = Named(8000, 256, 80, 16, f_max=4000.0)
    for clips, in_threads in (
        (files, True),
        (EvenSubset(InMemory(files), 5), True),
        (ai.dataset.Joined([files, files]), True),
        (theirs, False),
        (EvenSubset(theirs, 5), False),
        (ai.dataset.Joined([files, theirs]), False),
    ):
        names.clear()
        compute_features(clips, mel, progress=False)
        assert ("MainThread" not in names) == in_threads


def test_real_clips_from_the_cache_are_those_decoded(esc10, folder):
    def features(**form):
        clips = EvenSubset(ESC50(esc10, (5,), "esc10", cache=form.get("cache", False)), 6)
        return compute_features(clips, LogMel(), progress=False, **form)

    plain = features(cache=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            made = features(cache=folder)
            assert made[0].equal(plain[0])
            assert made[1].equal(plain[1])
    assert len(entries(folder)) == 12


@pytest.mark.parametrize("package", ["audiointerp", "torchaudio", "soxr", "soundfile", "torch"])
def test_another_version_of_what_makes_a_sound_makes_it_anew(sounds, folder, monkeypatch, package):
    path = sounds / "0.wav"
    load_audio(path, 8000, cache=folder)
    known = reading.version
    monkeypatch.setattr(reading, "version", lambda name: known(name) + "!" * (name == package))
    load_audio(path, 8000, cache=folder)
    assert len(list(folder.iterdir())) == 2


def test_another_version_of_the_library_makes_features_anew(sounds, folder, monkeypatch):
    compute_features(clips_of(sounds, cache=False), MEL, False, cache=folder)
    monkeypatch.setattr(feature_tensors, "version", lambda name: "9.9")
    compute_features(clips_of(sounds, cache=False), MEL, False, cache=folder)
    assert len(list(folder.iterdir())) == 12
