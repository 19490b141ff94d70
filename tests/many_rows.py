"""Made results in shards, of any number of rows, and what tables of them cost.

python tests/many_rows.py CLIPS METHODS MASKS CLIPS_PER_RECORDING [WAY …]

writes CLIPS * METHODS * MASKS rows in shards of 1000 clips, and prints the CPU seconds and the most
memory of the tables of the library, each in a process of its own, and of the same means by pyarrow
and by DuckDB; of some of these ways alone, if they are named.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.dataset import dataset

from audiointerp import paper, tables
from audiointerp.interpretation import MASKS, NULLS
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.scoring import COLUMNS
from audiointerp.scoring.columns import BATCHES, NUMBERS, TRUTHS
from audiointerp.scoring.parquet import rows_schema

METHOD_NAMES = ("gradcam", "saliency", "random", "lime")
RESOLUTION = 64
"""Values are multiples of 1/64, so that their sums are exact in any order."""


def made_rows(method, clips, masks, clips_per_recording, seed, errors=()):
    """The rows of a method and some clips, as Arrow columns."""
    random = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(clips.start, clips.stop), len(masks))
    count = len(numbers)
    columns = {name: np.full(count, "", object) for name in COLUMNS}
    columns |= {name: np.full(count, np.nan) for name in NUMBERS}
    columns |= {name: np.full(count, False) for name in TRUTHS}
    columns |= {name: np.full(count, 1) for name in BATCHES}
    of_nulls = [f"{score}_{null}" for score in RELATIVE for null in NULLS[:3]]
    for name in (*METRICS, *of_nulls):
        columns[name] = random.integers(0, RESOLUTION, count) / RESOLUTION
    columns["FF"] = columns["FF"] + METHOD_NAMES.index(method) / RESOLUTION
    # By which a mask of one's own is known to be 0/1.
    is_hard = ~np.isin(list(masks) * len(clips), tables.SOFT_MASKS)
    columns["SPS"] = np.where(is_hard, 1 - columns["AREA"], columns["SPS"])
    # Undefined here and there, as of empty masks.
    columns["SPS"][::7] = columns["COMP"][::7] = np.nan
    columns["clip"] = np.array([f"clip {number:09d}" for number in numbers], object)
    columns["recording"] = np.array(
        [f"day {number // clips_per_recording}" for number in numbers], object
    )
    constants = {"method": method, "protocol": "corrected", "on": "audio", "fill": "background"}
    for name, value in (constants | {"status": "ok", "optimize": "folded"}).items():
        columns[name][:] = value
    columns["mask"] = np.array(list(masks) * len(clips), object)
    failed = np.isin(numbers, list(errors))
    columns["status"][failed] = "error"
    columns["on"][failed] = columns["fill"][failed] = ""
    for name in NUMBERS - {*BATCHES}:
        columns[name][failed] = np.nan
    arrays = [
        pa.array(columns[field.name], field.type, from_pandas=True) for field in rows_schema()
    ]
    return pa.Table.from_arrays(arrays, schema=rows_schema())


def write_made(root, clips, methods, masks, clips_per_recording, shard_size=1000, errors=()):
    """Write a finished run in shards below a folder."""
    for number, method in enumerate(METHOD_NAMES[:methods]):
        folder = root / "mel" / "made" / method
        (folder / "shards").mkdir(parents=True)
        rows = 0
        for start in range(0, clips, shard_size):
            shard = range(start, min(start + shard_size, clips))
            seed = start * len(METHOD_NAMES) + number
            table = made_rows(method, shard, masks, clips_per_recording, seed, errors)
            name = f"{shard.start:09d}-{shard.stop - 1:09d}-000000000000.parquet"
            pq.write_table(table, folder / "shards" / name, compression="zstd")
            rows += table.num_rows
        (folder / "run.json").write_text(json.dumps({"rows": rows, "network_sha256": "made"}))


def lead_streamed(root):
    tables.streamed_lead_text(tables.open_parts(root))


def means_streamed(root):
    tables.streamed_summary(tables.open_parts(root), ["method", "mask"])


def paper_streamed(root):
    paper.paper_of(root, ["summary", "masks", "methods", "audio"]).tables  # noqa: B018


def lead_in_memory(root):
    tables.lead_text(tables.read_results(root))


def means_by_pyarrow(root):
    files = [str(path) for path in Path(root).rglob("*.parquet")]
    rows = dataset(files).to_table(columns=["method", "mask", *METRICS])
    rows.group_by(["method", "mask"]).aggregate([(name, "mean") for name in METRICS])


def means_by_duckdb(root):
    import duckdb

    connection = duckdb.connect()
    connection.sql("SET memory_limit = '1GB'")
    means = ", ".join(f'avg("{name}")' for name in METRICS)
    files = f"read_parquet('{root}/*/*/*/shards/*.parquet')"
    connection.sql(f"SELECT method, mask, {means} FROM {files} GROUP BY ALL").fetchall()


WAYS = (
    *(lead_streamed, means_streamed, paper_streamed),
    *(means_by_pyarrow, means_by_duckdb, lead_in_memory),
)


def measure(way, root):
    """Print what one way costs; in a process of its own, whose most memory is its own."""
    began, before = time.time(), time.process_time()
    way(root)
    seconds = time.process_time() - before
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.1f} s of CPU, {time.time() - began:.1f} s, {most:.0f} MiB")


def main(clips, methods, masks, clips_per_recording, ways):
    print(f"imports: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        begin = time.process_time()
        write_made(root, clips, methods, list(MASKS)[:masks], clips_per_recording)
        size = sum(path.stat().st_size for path in root.rglob("*.parquet"))
        rows = clips * methods * masks
        seconds = time.process_time() - begin
        print(f"{rows} rows, {size / 1e6:.0f} MB, made in {seconds:.0f} s", flush=True)
        for way in WAYS if not ways else [way for way in WAYS if way.__name__ in ways]:
            command = [sys.executable, __file__, way.__name__, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = (done.stdout + done.stderr).strip().splitlines()
            said = lines[-1] if lines else f"ended with {done.returncode}"
            print(f"{way.__name__}: {said}", flush=True)


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        main(*map(int, sys.argv[1:5]), sys.argv[5:])
    else:
        measure({way.__name__: way for way in WAYS}[sys.argv[1]], sys.argv[2])
