"""What engines cost on real clips: CPU seconds of all their processes, and clips per second.

python tests/engine_overhead.py FILE FEW MANY

The same run of FEW and of MANY real clips, by one and two workers of each engine, in turns, once.
The costs are added to FILE, and what FILE has so far is printed: medians over the rounds. What a
clip costs is the difference between MANY and FEW, so that starts and imports are left out of it;
FEW is at least 40, so that each of two workers has a shard, which is 20 clips.
"""

import csv
import sys
import tempfile
from pathlib import Path
from statistics import median

from equal_engines import ENGINES
from real_run import cost, run_command, write_manifest


def measure(few, many):
    """Run by each engine; give the engine, the clips, the CPU seconds and the seconds."""
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as name:
        folder = Path(name)
        for clips in (few, many):
            (folder / str(clips)).mkdir()
            manifest = write_manifest(folder / str(clips), clips)
            for engine, options in ENGINES.items():
                command = run_command(
                    manifest, folder / f"{engine}{clips}", *options, shard_size=20
                )
                used, seconds, status, error = cost(command, folder)
                assert status == 0, error
                print(f"{engine}, {clips} clips: {used:.1f} s of CPU, {seconds:.1f} s", flush=True)
                yield engine, clips, used, seconds


def summary(rows, few, many):
    """A line for each engine, of all rounds."""
    for engine in ENGINES:
        used, taken = {}, {}
        for clips in (few, many):
            of_run = [row for row in rows if row[:2] == [engine, str(clips)]]
            used[clips] = median(float(row[2]) for row in of_run)
            taken[clips] = median(float(row[3]) for row in of_run)
        per_clip = (used[many] - used[few]) / (many - few)
        fixed = used[few] - few * per_clip
        rate = (many - few) / (taken[many] - taken[few])
        start = taken[few] - few / rate
        yield (
            f"{engine}: {fixed:.1f} s + {1000 * per_clip:.0f} ms of CPU per clip; "
            f"{start:.1f} s, then {rate:.2f} clips/s ({len(of_run)} rounds)"
        )


def main(path, few, many):
    with Path(path).open("a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in measure(few, many):
            writer.writerow(row)
    with Path(path).open(newline="") as file:
        rows = list(csv.reader(file))
    print("\n".join(summary(rows, few, many)))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
