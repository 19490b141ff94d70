"""Runs of real clips as commands of a shell, and the processes that they start."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from sharding import csv_of_shards

ROOT = Path(__file__).parents[1]
ESC10 = ROOT.parent / "shared" / "data" / "ESC-10"
WEIGHTS = ROOT / "weights" / "esc10_mel_cnn10.safetensors"
TICKS = os.sysconf("SC_CLK_TCK")


def write_manifest(folder, clips):
    """Copy the first real clips, in order of their names, and write a manifest of them."""
    with (ESC10 / "meta" / "esc50.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["filename"])[:clips]
    lines = ["filename,label,recording"]
    for row in rows:
        name = row["filename"]
        shutil.copyfile(ESC10 / "audio" / name, folder / name)
        lines.append(f"{name},{row['category']},{row['src_file']}")
    path = folder / "clips.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run_command(manifest, out, *options, method="saliency", shard_size=10):
    """The command of a run in shards of one cheap method and one mask."""
    return [
        *(sys.executable, "-m", "audiointerp", "run", "real"),
        *("--manifest", str(manifest), "--weights", str(WEIGHTS), "--out", str(out)),
        *("--methods", method, "--masks", "topK_30", "--nulls", "rolled", "--on", "features"),
        *("--fill", "background", "--shard-size", str(shard_size), *map(str, options)),
    ]


def start(command, temporary):
    """Start a command; what it leaves of temporary files is in a folder of its own."""
    variables = {"OMP_NUM_THREADS": "1", "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows_of(out, method="saliency"):
    """The rows of a run, sorted, as bytes."""
    lines = csv_of_shards(Path(out, "mel", "real", method)).splitlines()
    return b"\n".join(sorted(lines))


def _stat(pid):
    """The parent, and the CPU seconds, of a process."""
    # The name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def descendants(root):
    """The CPU seconds of a process and of all below it, by their numbers."""
    parents, seconds = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # It may end at any time.
            with suppress(OSError, IndexError):
                parents[int(entry.name)], seconds[int(entry.name)] = _stat(entry.name)
    found, layer = set(), {root}
    while layer:
        found |= layer
        layer = {pid for pid, parent in parents.items() if parent in layer} - found
    return {pid: seconds[pid] for pid in found if pid in seconds}


def cluster_workers(root):
    """The processes below one that compute shards on a Ray cluster."""
    workers = []
    for pid in descendants(root):
        with suppress(OSError):
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
            if title.startswith(b"ray::_Worker"):
                workers.append(pid)
    return sorted(workers)


def wait_for_worker(process, seconds=300):
    """Wait until a driver has a worker, or has ended; return whether it has one."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if cluster_workers(process.pid):
            return True
        time.sleep(0.1)
    return False


def survivors(pids, seconds=120):
    """The command lines of the processes that are still there after a while; these are ended."""
    deadline = time.monotonic() + seconds
    alive = list(pids)
    while alive and time.monotonic() < deadline:
        time.sleep(0.2)
        alive = [pid for pid in alive if _is_alive(pid)]
    lines = []
    for pid in alive:
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            lines.append(words.decode(errors="replace")[:200])
            os.kill(pid, signal.SIGKILL)
    return lines


def _is_alive(pid):
    """Whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def cleaned(process):
    """End a process, and all below it, whatever happens."""
    try:
        yield
    finally:
        if process.poll() is None:
            below = descendants(process.pid)
            process.kill()
            for pid in below:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        process.wait()
