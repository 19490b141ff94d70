"""Three minutes of stereo music of our own making, explained: seconds, memory, size, exactness.

    python tests/long_song.py OUT [SECONDS]

It prints the figures of docs/hearing.md, and writes the piece and its page into OUT.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

import audiointerp as ai

RATE = 44100
WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"


def song(seconds):
    """Chords in the left channel, a beat and a melody in the right one, quiet noise in both."""
    random = np.random.default_rng(0)
    left, right = np.zeros(round(seconds * RATE)), np.zeros(round(seconds * RATE))
    for number in range(int(seconds // 2)):
        chord = left[2 * number * RATE : 2 * (number + 1) * RATE]
        times = np.arange(len(chord)) / RATE
        root = 110 * 2 ** ((number * 5 % 12) / 12)
        for partial in (1, 1.25, 1.5, 2, 4):
            tone = np.sin(2 * np.pi * root * partial * times)
            chord += 0.2 / partial * tone * np.exp(-times)
    for number in range(int(seconds * 2)):
        note = right[number * RATE // 2 :][: RATE // 3]
        times = np.arange(len(note)) / RATE
        pitch = 440 * 2 ** ((number * 7 % 12) / 12)
        note += 0.3 * random.standard_normal(len(note)) * np.exp(-times / 0.02)
        note += 0.2 * np.sin(2 * np.pi * pitch * times) * np.exp(-times / 0.1)
    both = np.stack([left, right], 1)
    both += 0.003 * random.standard_normal(both.shape)
    return both / (1.2 * np.abs(both).max())


def gigabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(out, seconds):
    out.mkdir(parents=True, exist_ok=True)
    path, page = out / "song.wav", out / "page"
    soundfile.write(path, song(seconds), RATE, subtype="PCM_16")
    classifier = ai.Classifier.load(WEIGHTS)
    classifier.probabilities(classifier.transform(torch.zeros(1, 1, 160000)).db)
    before, start, cpu = gigabytes(), time.perf_counter(), time.process_time()
    result = ai.interpret(classifier, path, "gradcam", windows="all")
    explained, cpu_explained = time.perf_counter(), time.process_time()
    result.save(page, "song.wav")
    print(f"explained in {explained - start:.0f} s ({cpu_explained - cpu:.0f} s of processor time)")
    written, cpu_written = time.perf_counter(), time.process_time()
    print(f"written in {written - explained:.0f} s ({cpu_written - cpu_explained:.0f} s)")
    print(f"memory above the loaded model: {gigabytes() - before:.1f} GB")
    files = [page / "original.wav", page / "kept.wav", page / "removed.wav", path]
    original, kept, removed, file = (soundfile.read(each, always_2d=True)[0] for each in files)
    error = np.square(kept + removed - file).sum()
    print(f"kept + removed = the file: {10 * np.log10(np.square(file).sum() / error):.1f} dB")
    print(f"original.wav equals it: {np.array_equal(original, file)}")
    print(f"page: {(page / 'index.html').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 180.0)
