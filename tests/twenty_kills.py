"""Kills workers and drivers of a run of real clips on a Ray cluster, and compares the results.

python tests/twenty_kills.py KILLS CLIPS WORKERS SEED

The cluster is one of this machine that outlives the drivers. A run is started again by the same
command after each kill of its driver. A run that has finished is compared, byte for byte after
sorting, with that of the local engine, and a new one begins, until the number of kills is reached.
"""

import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from real_run import (
    cleaned,
    cluster,
    cluster_workers,
    rows_of,
    run_command,
    start,
    survivors,
    wait_for_worker,
    write_manifest,
)

LONGEST_DELAY = 6.0
"""The most seconds from the first sight of a worker to a kill."""


@dataclass
class Tally:
    """What has happened so far."""

    kills: dict[str, int] = field(default_factory=lambda: {"worker": 0, "driver": 0})
    starts: int = 0
    compared: int = 0
    surviving: list[str] = field(default_factory=list)

    @property
    def total(self):
        return sum(self.kills.values())


def finish(command, folder, tally, kills, chance):
    """Start a run again and again, until it has finished; kill as long as kills are left."""
    while True:
        process = start(command, folder)
        tally.starts += 1
        with cleaned(process):
            while tally.total < kills and wait_for_worker(process, folder):
                if strike(process, folder, tally, chance) == "driver":
                    break
            error = process.communicate()[1]
        if process.returncode == 0:
            return
        assert process.returncode == -signal.SIGKILL, error


def strike(process, folder, tally, chance):
    """Kill a worker or the driver after a random while; return which."""
    time.sleep(chance.uniform(0, LONGEST_DELAY))
    workers = cluster_workers(folder)
    # The two kinds alternate.
    kind = min(tally.kills, key=tally.kills.get)
    if process.poll() is not None or not workers:
        return None
    os.kill(process.pid if kind == "driver" else chance.choice(workers), signal.SIGKILL)
    tally.kills[kind] += 1
    if kind == "driver":
        process.wait()
        tally.surviving += survivors(workers)
    return kind


def twenty_kills(folder, kills, clips, workers, seed):
    """Return what has happened; assert that each finished run equals that of the local engine."""
    manifest = write_manifest(folder, clips)
    begin = time.monotonic()
    local = start(run_command(manifest, folder / "local"), folder)
    error = local.communicate()[1]
    assert local.returncode == 0, error
    expected = rows_of(folder / "local")
    tally, chance = Tally(), random.Random(seed)
    with cluster(folder, workers) as address:
        engine = ("--engine", "ray", "--address", address, "--num-workers", workers)
        while tally.total < kills:
            out = folder / f"out{tally.compared}"
            finish(run_command(manifest, out, *engine), folder, tally, kills, chance)
            assert rows_of(out) == expected
            tally.compared += 1
            print(f"{time.monotonic() - begin:.0f} s: {tally}", flush=True)
    return tally


def main(kills, clips, workers, seed):
    begin = time.monotonic()
    # Short, since sockets are in it.
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as folder:
        tally = twenty_kills(Path(folder), kills, clips, workers, seed)
    print(
        f"{clips} real clips, {workers} workers: {tally.kills['worker']} kills of a worker, "
        f"{tally.kills['driver']} of the driver, {tally.starts} starts; {tally.compared} finished "
        f"runs, each equal to the local engine's; {len(tally.surviving)} workers survived "
        f"their driver; {time.monotonic() - begin:.0f} s"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
