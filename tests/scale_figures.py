"""Prints what a manifest costs: CPU seconds per million rows, memory, and seconds per sound.

python tests/scale_figures.py ROWS SOUNDS
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from audiointerp.dataset import ManifestClips, load_clip
from audiointerp.experiments import plan_shards
from audiointerp.processing import save_audio
from audiointerp.scoring import RecentClips


def memory():
    """The most memory that this process has used, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_manifest(path, rows):
    """Write a manifest whose rows all name one sound of 1 s, as clips of ten each recording."""
    save_audio(path.with_name("one.wav"), 0.1 * torch.randn(1, 1, 16000), 16000)
    with path.open("w") as file:
        file.write("filename,label,recording,id\n")
        for number in range(rows):
            file.write(f"one.wav,label{number % 10},day {number // 10},clip {number}\n")


def timed(text, task):
    start = time.process_time()
    result = task()
    seconds = time.process_time() - start
    print(f"{text}: {seconds:.1f} s of CPU; most memory so far {memory():.0f} MiB")
    return result


def walk(clips):
    """Ask for what a run asks of each clip before it reads the sound."""
    recent = RecentClips(clips)
    return sum(recent.other_index(index) is not None for index in range(len(clips)))


def read(clips, numbers):
    return sum(load_clip(clips, number).wav is None for number in numbers)


def main(rows, sounds):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clips.csv")
        write_manifest(path, rows)
        print(f"{rows} rows, {path.stat().st_size / 1e6:.0f} MB; imports {memory():.0f} MiB")
        form = {"sample_rate": 16000, "duration": 1.0}
        clips = timed("opened and checked", lambda: ManifestClips(path, **form))
        shards = timed("planned", lambda: plan_shards(len(clips)))
        print(f"{len(shards)} shards")
        timed("each clip's other clip", lambda: walk(clips))
        step = max(1, rows // sounds)
        numbers = range(0, step * sounds, step)
        timed(f"{sounds} sounds read", lambda: read(clips, numbers))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
