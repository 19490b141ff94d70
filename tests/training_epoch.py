"""How long training waits for audio: the first pass over sound files, and epochs after it.

    python tests/training_epoch.py DATA [--clips 160] [--epochs 4] [--rounds 3]

DATA is ESC-50 or a folder in its layout. Prints the CPU seconds and the seconds of the features of
the clips without a cache, with an empty one, and from the cache, and the ratio of an epoch of
``train_classifier`` (from sound files) to one of ``fit`` (on tensors in memory), in alternating
runs with the same seed.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from audiointerp.dataset import ESC50, EvenSubset, compute_features
from audiointerp.fit import FitSettings, fit, train_classifier
from audiointerp.model import build_network, initialise, with_scaling
from audiointerp.processing import LogMel

NETWORK = {"base_channels": 16, "dropout": 0.1, "head_dropout": 0.2}


def opened(root, count, cache):
    return EvenSubset(ESC50(root, (1, 2, 3), "esc10", cache=cache), count)


def timed(function):
    """Return the seconds on the clock and those of the processors."""
    wall, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - processor


def first_pass(root, count, folder):
    """Print how long the features take."""
    # Filters and libraries are loaded once.
    compute_features(opened(root, 2, False), LogMel(), progress=False, cache=False)
    ways = {
        "one thread, no cache": (False, 1),
        "threads, no cache": (False, None),
        "threads, empty cache": (folder, None),
        "threads, from the cache": (folder, None),
    }
    for name, (cache, threads) in ways.items():
        clips = opened(root, count, cache)
        wall, processor = timed(
            lambda clips=clips, cache=cache, threads=threads: compute_features(
                clips, LogMel(), progress=False, cache=cache, threads=threads
            )
        )
        print(f"{name}: {1000 * wall / count:.1f} ms a clip, {1000 * processor / count:.1f} of CPU")


def epochs(root, count, folder, settings):
    """Return the median seconds of an epoch after the first: from files, and on tensors."""
    clips = opened(root, count, folder)
    (outcome,) = train_classifier(
        (clips, clips, clips), LogMel(), "Cnn10", **NETWORK, settings=settings, progress=False
    )
    tensors = compute_features(clips, LogMel(), progress=False)
    network = build_network("Cnn10", {"num_classes": len(clips.labels), "num_bins": 64, **NETWORK})
    initialise(network, settings.seed)
    history = fit(with_scaling(network, LogMel()), tensors, tensors, settings, progress=False)
    from_files = [epoch.train_loss for epoch in outcome.history.epochs]
    on_tensors = [epoch.train_loss for epoch in history.epochs]
    same = from_files == on_tensors
    print("same losses" if same else f"losses differ: {from_files}, {on_tensors}")
    return [median_seconds(outcome.history), median_seconds(history)]


def median_seconds(history):
    """Return the median seconds of an epoch after the first."""
    return statistics.median(epoch.seconds for epoch in history.epochs[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{arguments.clips} clips, {torch.get_num_threads()} threads")
    settings = FitSettings(epochs=arguments.epochs)
    with tempfile.TemporaryDirectory() as folder:
        first_pass(arguments.data, arguments.clips, folder)
        ratios = []
        for _ in range(arguments.rounds):
            from_files, on_tensors = epochs(arguments.data, arguments.clips, folder, settings)
            ratios.append(from_files / on_tensors)
            print(f"an epoch: {from_files:.2f} s from files, {on_tensors:.2f} s on tensors")
    print(f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
