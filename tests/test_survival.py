"""Runs that are killed, stopped, started twice, out of disk and out of memory."""

import json
import random
import time
from pathlib import Path

import pytest
from small import torture
from survival import CLASSIFIER, FAILED, REFUSED, Bursts, child, go, go_on_a_full_disk, tables

pytestmark = pytest.mark.torture


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The tables of an undisturbed run, and its duration in seconds."""
    out = tmp_path_factory.mktemp("reference")
    child(go, out / "first").join()
    start = time.perf_counter()
    process = child(go, out / "second")
    process.join()
    assert process.exitcode == 0
    assert tables(out / "first") == tables(out / "second")
    return tables(out / "second"), time.perf_counter() - start


def whole_records(out):
    """The clip records of a run, by path; each must be whole."""
    return {path: json.loads(path.read_text()) for path in Path(out).rglob("clips/[0-9]*.json")}


def test_killed_at_any_moment_it_goes_on(reference, tmp_path, figure):
    expected, seconds = reference
    chance = random.Random(0)
    kills, runs, wanted = 0, 0, torture(4, 100)
    while kills < wanted:
        out, runs = tmp_path / str(runs), runs + 1
        while True:
            process = child(go, out)
            process.join(chance.uniform(0, 1.2 * seconds))
            if process.exitcode is not None:
                assert process.exitcode == 0
                break
            process.kill()
            process.join()
            kills += 1
            whole_records(out)
        assert tables(out) == expected
        assert not list(out.rglob(".*.part*"))
    figure(
        "kill −9 at random moments of a run, then resume",
        f"{kills} kills in {runs} runs, {runs} of {runs} byte-identical",
    )


def test_a_full_disk_at_every_write(reference, tmp_path, figure):
    expected, _ = reference
    numbers, failed = range(1, 1000, torture(9, 1)), 0
    for number in numbers:
        out = tmp_path / str(number)
        process = child(go_on_a_full_disk, out, number)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == FAILED
        failed += 1
        message = (out / "error.txt").read_text()
        assert message.startswith(str(out))
        assert "File too large" in message
        before = {path: path.read_bytes() for path in whole_records(out)}
        assert not Path(message.split(":")[0]).exists()
        process = child(go, out)
        process.join()
        assert process.exitcode == 0
        assert tables(out) == expected
        assert all(path.read_bytes() == content for path, content in before.items())
    assert failed > torture(1, 20)
    figure(
        "disk full (file-size limit) at every write of a run",
        f"{failed} writes, each failed once: the file named, earlier records intact, "
        f"{failed} of {failed} resumed to the same bytes",
    )


def test_many_processes_on_one_folder(reference, tmp_path, figure):
    expected, _ = reference
    rounds, ran, refused = torture(1, 20), 0, 0
    for number in range(rounds):
        out = tmp_path / f"same{number}"
        processes = [child(go, out) for _ in range(8)]
        for process in processes:
            process.join()
        codes = [process.exitcode for process in processes]
        assert set(codes) <= {0, REFUSED}
        assert 0 in codes
        ran, refused = ran + codes.count(0), refused + codes.count(REFUSED)
        assert tables(out) == expected
        shards = [
            child(go_a_shard, tmp_path / f"shards{number}", (shard, 8)) for shard in range(1, 9)
        ]
        for process in shards:
            process.join()
        # There are 6 clips, so two shards would be empty and are refused.
        assert [process.exitcode for process in shards] == [0] * 6 + [FAILED] * 2
        assert tables(tmp_path / f"shards{number}") == expected
    figure(
        "8 processes started on one run directory",
        f"{rounds} times: {refused} refused, {ran} ran or found it done, "
        f"{rounds} of {rounds} tables byte-identical; "
        f"as 8 shards, two of them empty: the exact union, {rounds} of {rounds}",
    )


def go_a_shard(out, shard):
    go(out, shard=shard)


class Weighed(Bursts):
    """Clips that note the memory of the process when they are read."""

    def __init__(self, count):
        super().__init__(count)
        self.mebibytes = []

    def __getitem__(self, index):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.mebibytes.append(pages * 4096 / 2**20)
        return super().__getitem__(index)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_a_long_run_stays_small_and_leaves_no_hooks(tmp_path, figure):
    clips = Weighed(torture(60, 5000))
    background = CLASSIFIER.transform(clips[0][0][None]).db
    go(
        tmp_path,
        clips,
        ("saliency", "gradcam", "shap"),
        masks=["bin"],
        nulls=[],
        background=background,
        attributions=False,
    )
    settled, last = clips.mebibytes[torture(20, 500)], max(clips.mebibytes[-10:])
    assert last <= 1.05 * settled
    modules = list(CLASSIFIER.network.modules())
    hooks = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in modules
    )
    assert hooks == 0
    figure(
        "a soak of short clips in one process",
        f"{len(clips)} clips by 3 methods: {settled:.0f} MiB early, {last:.0f} MiB at the end; "
        f"hooks left: {hooks}",
    )
