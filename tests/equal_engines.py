"""Runs real clips by each engine, and compares the rows with those of the local engine.

python tests/equal_engines.py FOLDER CLIPS [ENGINE...]

Without names of engines, by all of them, in turn. Two methods, one mask, and two nulls, of which
one needs the next clip of another recording. The rows must be equal byte for byte, in their order
and after sorting. A run that takes long is stopped, and the same command goes on with it.
"""

import sys
from pathlib import Path

from real_run import cost, rows_of, run_command, write_manifest
from sharding import csv_of_shards

LONGEST = 420
"""Seconds after which a run is stopped."""
METHODS = ("saliency", "random")
ENGINES = {
    "local": ("--workers", 1),
    "local2": ("--workers", 2),
    "ray1": ("--engine", "ray", "--num-workers", 1),
    "ray2": ("--engine", "ray", "--num-workers", 2),
}


def run_by(engine, manifest, folder, shard_size=20):
    """Run by an engine; return whether it has finished."""
    options = (*ENGINES[engine], "--nulls", "rolled,other")
    methods = ",".join(METHODS)
    command = run_command(
        manifest, folder / engine, *options, method=methods, shard_size=shard_size
    )
    used, seconds, status, error = cost(command, folder, LONGEST)
    assert status == 0 or "the same command resumes there" in error, error
    state = "" if status == 0 else ", stopped"
    print(f"{engine}: {used:.1f} s of CPU, {seconds:.1f} s{state}", flush=True)
    return status == 0


def compare(folder, engines):
    """Compare the rows of engines with those of the first; return their number by method."""
    counts = {}
    for method in METHODS:
        expected = rows_of(folder / engines[0], method)
        in_order = _in_order(folder / engines[0], method)
        for engine in engines[1:]:
            assert rows_of(folder / engine, method) == expected, (engine, method)
            assert _in_order(folder / engine, method) == in_order, (engine, method)
        # The first line has the names of the columns.
        counts[method] = len(in_order.splitlines()) - 1
    return counts


def _in_order(out, method):
    return csv_of_shards(out / "mel" / "real" / method)


def equal_engines(folder, clips, engines=tuple(ENGINES)):
    """Run by engines, unless they have finished, and compare the rows of all that have."""
    manifest = folder / "clips.csv"
    if not manifest.exists():
        write_manifest(folder, clips)
    for engine in engines:
        if not run_by(engine, manifest, folder):
            return
    record = f"mel/real/{METHODS[-1]}/run.json"
    done = [name for name in ENGINES if (folder / name / record).exists()]
    counts = compare(folder, done)
    rows = ", ".join(f"{count} rows of {method}" for method, count in counts.items())
    print(f"{clips} real clips: {rows}, equal byte for byte by {', '.join(done)}")


def main(folder, clips, engines):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    equal_engines(folder, clips, engines or tuple(ENGINES))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
