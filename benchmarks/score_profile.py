"""Where the time of ``score`` goes: ``python -m benchmarks.score_profile``.

A committed network, two clips, saliency and Grad-CAM, all masks, the defaults of ``score``, one
thread. The shares are of processor time, by Python's profiler, to which a call into torch is part
of the function that makes it.
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Sequence
from pathlib import Path

import torch

import audiointerp as ai
from audiointerp.dataset import EvenSubset

METHODS = ("saliency", "gradcam")
CONVOLUTIONS = ("conv2d>", "winograd.py:winograd")
NETWORK = ("forward.py:run_network",)
SOUNDS = ("parts.py:heard",)
NULLS = ("nulls.py:null_masks", "matched.py:matched_masks")
HEARD_OF_NULLS = ("content.py:heard_under",)
"""The sounds of nulls, which are among all sounds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder like ESC-50; default: synthetic clips")
    parser.add_argument("--clips", type=int, default=2)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    classifier = ai.load("synthetic-mel" if options.data is None else "esc10-mel")
    rate = classifier.sample_rate
    every: ai.dataset.ClipDataset = (
        ai.Synthetic((5,), sample_rate=rate)
        if options.data is None
        else ai.ESC50(options.data, (5,), "esc10", sample_rate=rate)
    )
    clips = EvenSubset(every, options.clips)
    # The first call imports modules and makes what later ones find.
    ai.score(classifier, clips, METHODS)
    profile = cProfile.Profile(time.process_time)
    profile.runcall(ai.score, classifier, clips, METHODS)
    count = options.clips * len(METHODS)
    print("\n".join(shares(pstats.Stats(profile), count)))


def shares(stats: pstats.Stats, count: int) -> list[str]:
    """Return the lines of a table: seconds for a clip and method, and shares.

    Args:
        stats: of a call of ``score``.
        count: how many clips and methods it scored.
    """
    total = seconds_in(stats, ("predict.py:score",))
    convolutions, network = seconds_in(stats, CONVOLUTIONS), seconds_in(stats, NETWORK)
    parts = {
        "convolutions": convolutions,
        "the network's other layers": network - convolutions,
        "sounds and their spectra": seconds_in(stats, SOUNDS),
        "null masks, without their sounds": (
            seconds_in(stats, NULLS) - seconds_in(stats, HEARD_OF_NULLS)
        ),
    }
    parts["the rest"] = total - sum(parts.values())
    rows = [f"| {name} | {part / total:.0%} |" for name, part in parts.items()]
    return [f"{total / count:.2f} CPU s a clip and method", "| part | share |", "|---|---|", *rows]


def seconds_in(stats: pstats.Stats, names: Sequence[str]) -> float:
    """Return the seconds in functions, with what they call.

    Args:
        stats: of a profile.
        names: each the end of ``file:function``, as ``winograd.py:winograd``.
    """
    total = 0.0
    for (file, _, function), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]
        total += cumulative * any(f"{file}:{function}".endswith(name) for name in names)
    return total


if __name__ == "__main__":
    main()
