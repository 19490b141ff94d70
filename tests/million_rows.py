"""Streams a manifest through a run in shards with a trivial scorer, and prints what it costs.

python tests/million_rows.py ROWS CLIPS

A manifest of ROWS rows, which name a few small sounds in turn, is opened, checked and planned; then
its first CLIPS clips are read, batched, scored by their mean square and written as Parquet, all by
the code of a run.
"""

import sys
import tempfile
import time
from pathlib import Path

import torch
from scale_figures import memory

from audiointerp.dataset import ManifestClips
from audiointerp.experiments import (
    MissingShard,
    ShardFolder,
    ShardJob,
    compute_shards,
    plan_shards,
)
from audiointerp.processing import save_audio
from audiointerp.scoring import MethodRows, Plan
from audiointerp.scoring.columns import row_of

SOUNDS = 50
RATE = 8000
SHARD = 1000
LIMIT_MIB = 2048


class Loudness:
    """The trivial scorer: one row per clip, of its mean square."""

    plan = Plan(nulls=[])

    def rows(self, task):
        loaded = task.loaded
        cells = {"method": "loudness", "clip": loaded.name, "recording": loaded.recording}
        cells |= {"target": loaded.label, "FF": float(loaded.wav.square().mean()), "status": "ok"}
        yield MethodRows("loudness", [row_of(cells)], None, 0.0)


def write_manifest(path, rows):
    generator = torch.Generator().manual_seed(0)
    for number in range(SOUNDS):
        wav = 0.1 * torch.randn(1, 1, RATE // 4, generator=generator)
        save_audio(path.with_name(f"{number}.wav"), wav, RATE)
    with path.open("w") as file:
        file.write("filename,label,recording,id\n")
        for number in range(rows):
            file.write(f"{number % SOUNDS}.wav,{'ab'[number % 2]},day {number // 10},{number}\n")


def main(rows, clips):
    print(f"imports: {memory():.0f} MiB", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clips.csv")
        write_manifest(path, rows)
        begin = time.process_time()
        data = ManifestClips(path, ["a", "b"], sample_rate=RATE, duration=0.25)
        seconds = time.process_time() - begin
        print(f"{rows} rows opened and checked: {seconds:.1f} s of CPU; {memory():.0f} MiB")
        folder_of_method = ShardFolder(str(Path(folder, "out")), {}, False, {})
        job = ShardJob(data, Loudness(), {"loudness": folder_of_method})
        begin = time.process_time()
        shards = plan_shards(len(data), SHARD)
        missing = [MissingShard(shard, ("loudness",)) for shard in shards]
        seconds = time.process_time() - begin
        print(f"planned: {len(shards)} shards, {seconds:.2f} s of CPU", flush=True)
        begin, started = time.process_time(), time.time()
        few = missing[: clips // SHARD]
        for number, _ in enumerate(compute_shards(job, few, lambda: False), 1):
            if number % max(1, len(few) // 5) == 0:
                seconds, done = time.process_time() - begin, number * SHARD
                print(
                    f"{done} clips read, scored and written: {seconds:.1f} s of CPU, "
                    f"{time.time() - started:.0f} s: {seconds / done * 1e6:.0f} s of CPU per "
                    f"million; {memory():.0f} MiB",
                    flush=True,
                )
        assert len(list(Path(folder, "out", "shards").iterdir())) == len(few)
        assert memory() < LIMIT_MIB


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
