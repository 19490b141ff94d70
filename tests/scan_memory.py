"""Memory and speed of a scan, from a minute to ten hours: the figures of docs/recordings.md.

Usage: python tests/scan_memory.py [--minutes 1 60 600] [--network small|cnn14] [--hop SECONDS]

A synthetic recording (16 kHz, 16 bits: noise, with a tone in each second minute) is written in
blocks into a temporary folder, scanned in a process of its own, and deleted: 115 MB an hour.
``small`` is weights/esc10_mel_cnn10.safetensors, ``cnn14`` PANNs' Cnn14 with random weights and
windows of 10 s. Printed are the peak of the memory above that of the process with its model, before
the scan (Linux: VmHWM and VmRSS), and the seconds of sound per second, by the clock and by the
processor time of all threads. The windows do not overlap unless --hop says so.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

import audiointerp as ai
from audiointerp.util import keep_memory

RATE = 16000
WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"


def write_recording(path: Path, minutes: int) -> None:
    """Write noise, with a tone in each second minute, a minute at a time."""
    generator = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for minute in range(minutes):
            block = 0.01 * generator.standard_normal(60 * RATE)
            if minute % 2:
                block[30 * RATE : 31 * RATE] += 0.3 * tone
            file.write(block)


def opened(network: str) -> ai.Classifier:
    """The classifier."""
    if network == "small":
        return ai.Classifier.load(WEIGHTS)
    labels = [str(number) for number in range(527)]
    return ai.Classifier(ai.Cnn14(527), ai.LogMel(), labels, output="sigmoid", duration=10.0)


def mebibytes(entry: str) -> float:
    """An entry of the process's memory."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(re.search(rf"{entry}:\s+(\d+) kB", status)[1]) / 1024


def scanned(path: Path, network: str, hop: float | None) -> str:
    """Scan in this process, and return a line of the table."""
    keep_memory()
    classifier = opened(network)
    hop = classifier.duration if hop is None else hop
    before, clock, processor = mebibytes("VmRSS"), time.perf_counter(), time.process_time()
    scan = ai.scan(classifier, path, hop=hop, progress=False)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    above = mebibytes("VmHWM") - before
    return (
        f"| {network} | {scan.duration / 60:g} | {hop:g} | {len(scan.starts)} | {before:.0f} | "
        f"{above:.0f} | {scan.duration / clock:.0f} | {scan.duration / processor:.0f} |"
    )


def main(minutes: list[int], network: str, hop: float | None) -> None:
    """Print the table."""
    heads = "| network | minutes | hop (s) | windows | before (MiB) | peak above (MiB) | "
    print(f"{heads}x real time | x processor time |\n|---|---|---|---|---|---|---|---|", flush=True)
    for length in minutes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "made.wav")
            write_recording(path, length)
            command = [sys.executable, __file__, "--network", network, "--scan", str(path)]
            command += [] if hop is None else ["--hop", str(hop)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 60, 600])
    parser.add_argument("--network", choices=["small", "cnn14"], default="small")
    parser.add_argument("--hop", type=float, help="seconds from window to window")
    parser.add_argument("--scan", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.scan is None:
        main(options.minutes, options.network, options.hop)
    else:
        print(scanned(options.scan, options.network, options.hop), flush=True)
