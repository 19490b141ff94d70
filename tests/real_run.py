"""Runs of real clips as commands of a shell, and the processes that they start."""

import csv
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from sharding import csv_of_shards

ROOT = Path(__file__).parents[1]
ESC10 = ROOT.parent / "shared" / "data" / "ESC-10"
WEIGHTS = ROOT / "weights" / "esc10_mel_cnn10.safetensors"
# Of the clusters of this process, which nobody else may use.
TOKEN = secrets.token_hex(32)
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
    variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    return subprocess.Popen(
        command,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def cost(command, folder, longest=None):
    """CPU seconds of a command and of all processes below it, seconds, and what it has said.

    After ``longest`` seconds it is stopped. What a process has used in its last 0.2 s is not seen.
    """
    begin = time.monotonic()
    process = start(command, folder)
    used = {}
    with cleaned(process):
        while process.poll() is None:
            used |= descendants(process.pid)
            time.sleep(0.2)
            if longest is not None and time.monotonic() - begin > longest:
                process.send_signal(signal.SIGINT)
                longest = None
        error = process.stderr.read()
    return sum(used.values()), time.monotonic() - begin, process.returncode, error


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


def processes_in(temporary):
    """The processes whose temporary files are in a folder, with their titles."""
    mark = f"TMPDIR={temporary}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # It may end at any time.
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0") and _is_alive(entry.name):
                    title = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = title.decode(errors="replace")
    return found


def cluster_workers(temporary):
    """The processes that compute shards on the cluster whose files are in a folder."""
    processes = processes_in(temporary)
    return sorted(pid for pid, title in processes.items() if title.startswith("ray::_Worker"))


def wait_for_worker(process, temporary, seconds=300):
    """Wait until a driver has a worker, or has ended; return whether it has one."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if cluster_workers(temporary):
            return True
        time.sleep(0.1)
    return False


@contextmanager
def cluster(temporary, cpus, attempts=20):
    """A cluster of this machine that outlives its drivers; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = Path(sys.executable).with_name("ray")
    options = ("--include-dashboard=false", "--disable-usage-stats", "--node-ip-address=127.0.0.1")
    # Ray's parts wait for each other for 30 s, which is too short on a busy machine.
    patience = '--system-config={"agent_register_timeout_ms": 300000}'
    limits = (f"--num-cpus={cpus}", f"--object-store-memory={2**27}", f"--port={port}", patience)
    command = [
        str(ray),
        "start",
        "--head",
        f"--temp-dir={temporary}/r",
        *options,
        *limits,
        patience,
    ]
    try:
        for _ in range(attempts):
            starting = start(command, temporary)
            error = starting.communicate()[1]
            if starting.returncode == 0:
                break
            end(processes_in(temporary))
        assert starting.returncode == 0, error
        yield f"127.0.0.1:{port}"
    finally:
        end(processes_in(temporary))


def end(pids):
    """Kill processes and all below them."""
    # Ray's agents write their titles over their variables, so they are known by their parent alone.
    below = [pid for root in pids for pid in descendants(root)]
    for pid in {*pids, *below}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


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
            end(descendants(process.pid))
        process.wait()
