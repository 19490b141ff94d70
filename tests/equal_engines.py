"""Runs real clips by each engine, and compares the rows with those of the local engine.

python tests/equal_engines.py FOLDER CLIPS [ENGINE...]

Without names of engines, by all of them, in turn. Two methods, one mask, and two nulls, of which one needs the next clip of another recording. Each
run is a command of its own in a folder of its own, so the script resumes what it had begun when it
was ended. The rows must be equal byte for byte, in their order and after sorting.
"""

import sys
import time
from pathlib import Path

from real_run import cleaned, rows_of, run_command, start, write_manifest
from sharding import csv_of_shards

METHODS = ("saliency", "random")
ENGINES = {
    "local": ("--workers", 1),
    "local2": ("--workers", 2),
    "ray1": ("--engine", "ray", "--num-workers", 1),
    "ray2": ("--engine", "ray", "--num-workers", 2),
}


def run_by(engine, manifest, folder, shard_size=20):
    """Run by an engine; return the seconds that this has taken."""
    options = (*ENGINES[engine], "--nulls", "rolled,other")
    methods = ",".join(METHODS)
    begin = time.monotonic()
    process = start(
        run_command(manifest, folder / engine, *options, method=methods, shard_size=shard_size),
        folder,
    )
    with cleaned(process):
        error = process.communicate()[1]
    assert process.returncode == 0, error
    return time.monotonic() - begin


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
    """Run by engines, unless this is done already, and compare the rows of all that are done."""
    manifest = folder / "clips.csv"
    if not manifest.exists():
        write_manifest(folder, clips)
    for engine in engines:
        print(f"{engine}: {run_by(engine, manifest, folder):.0f} s", flush=True)
    done = [name for name in ENGINES if (folder / name / "mel" / "real").is_dir()]
    return done, compare(folder, done)


def main(folder, clips, engines):
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    done, counts = equal_engines(folder, clips, engines or tuple(ENGINES))
    rows = ", ".join(f"{count} rows of {method}" for method, count in counts.items())
    print(f"{clips} real clips: {rows}, equal byte for byte by {', '.join(done)}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
