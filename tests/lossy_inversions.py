"""How much of a clip lossy inversions bring back: the table of docs/hearing.md.

Usage: python tests/lossy_inversions.py DATA (a quarter of a minute)

DATA is ESC-10 in the layout of ESC-50. Printed is the SI-SDR in dB of each clip, under an all-ones
mask, and the median.
"""

import argparse
from pathlib import Path
from statistics import median

from conftest import around_peak
from test_inversion import MEL, si_sdr

import audiointerp as ai

METHODS = ("nnls", "lstsq", "gain")
CLIPS = {
    "dog": "1-100032-A-0",
    "rain": "1-17367-A-10",
    "sea": "1-28135-A-11",
    "baby": "1-187207-A-20",
    "tick": "1-21934-A-38",
    "sneeze": "1-26143-A-21",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    audio = parser.parse_args().data / "audio"
    clips = {
        name: ai.load_audio(next(audio.glob(f"{clip}.*")), sample_rate=32000)
        for name, clip in CLIPS.items()
    }
    print(f"| | {' | '.join(clips)} | median |\n|---{'|---' * (len(clips) + 1)}|")
    for method in METHODS:
        values = []
        for clip in clips.values():
            wav = around_peak(clip, 8000)
            values.append(si_sdr(wav, MEL(wav).to_wav(method)))
        print(f"| {method} | {' | '.join(f'{each:.1f}' for each in [*values, median(values)])} |")


if __name__ == "__main__":
    main()
