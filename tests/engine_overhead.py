"""What engines cost on real clips: CPU seconds of all their processes, and clips per second.

python tests/engine_overhead.py FEW MANY REPEATS

The same run of FEW and of MANY real clips, by one and two workers of each engine, in turns. What a
clip costs is the difference between the two, so that starts and imports are left out of it.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from real_run import cleaned, descendants, run_command, start, write_manifest

ENGINES = {
    "local, 1 worker": ("--workers", 1),
    "Ray, 1 worker": ("--engine", "ray", "--num-workers", 1),
    "local, 2 workers": ("--workers", 2),
    "Ray, 2 workers": ("--engine", "ray", "--num-workers", 2),
}
INTERVAL = 0.2


def cost(command, folder):
    """CPU seconds and seconds of a command and of all processes below it."""
    begin = time.monotonic()
    process = start(command, folder)
    seconds = {}
    with cleaned(process):
        while process.poll() is None:
            # What a process has used in its last moment is not seen.
            seconds |= descendants(process.pid)
            time.sleep(INTERVAL)
        error = process.stderr.read()
    assert process.returncode == 0, error
    return sum(seconds.values()), time.monotonic() - begin


def medians_of(costs):
    """The median CPU seconds, and the median seconds."""
    used, taken = zip(*costs, strict=True)
    return median(used), median(taken)


def main(few, many, repeats):
    found = {(name, clips): [] for name in ENGINES for clips in (few, many)}
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as name:
        folder = Path(name)
        manifests = {}
        for clips in (few, many):
            (folder / str(clips)).mkdir()
            manifests[clips] = write_manifest(folder / str(clips), clips)
        for repeat in range(repeats):
            for number, (engine, clips) in enumerate(found):
                out = folder / f"out{repeat}-{number}"
                command = run_command(manifests[clips], out, *ENGINES[engine], shard_size=20)
                found[engine, clips].append(cost(command, folder))
                print(f"{engine}, {clips} clips: %.1f s of CPU, %.1f s" % found[engine, clips][-1])
    medians = {key: medians_of(costs) for key, costs in found.items()}
    for engine in ENGINES:
        used, taken = zip(medians[engine, few], medians[engine, many], strict=True)
        per_clip = (used[1] - used[0]) / (many - few)
        rate = (many - few) / (taken[1] - taken[0])
        fixed = used[0] - few * per_clip
        print(f"{engine}: {fixed:.1f} s + {per_clip:.4f} s of CPU per clip; {rate:.2f} clips/s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
