"""The CPU time of ``score`` for a clip and a method, and where it goes: figures of docs/speed.md.

Usage: OMP_NUM_THREADS=1 python tests/scoring_cost.py ../shared/data/ESC-10 (a minute of one core)
"""

import cProfile
import pstats
import sys
import time

import torch

import audiointerp as ai

CLIPS, METHODS, NULLS = 2, ["saliency", "gradcam"], ["pixelwise", "rolled"]
FILLS = (["silence"], ["silence", "background"])
SHARES = {
    "convolution": ("conv2d",),
    "the rest of the network": ("avg_pool2d", "relu_", "batch_norm", "linear"),
    "Fourier transforms": ("stft", "fft_irfft"),
    "gradients": ("run_backward",),
    "nulls": ("argsort", "scatter_"),
}
"""Parts of the time by the names of torch's functions; what is left is "other"."""


def clips_of(root):
    """Clips of fold 5, spread over its classes."""
    return ai.EvenSubset(ai.ESC50(root, (5,), "esc10"), CLIPS)


def score_once(classifier, clips, fills):
    """Score the 14 masks on features and on audio beside two nulls."""
    return ai.score(
        classifier,
        clips,
        METHODS,
        on=["features", "audio"],
        fill=fills,
        nulls=NULLS,
        progress=False,
    )


def seconds_of(classifier, clips, fills):
    """CPU seconds for a clip and a method; the second of two runs, which builds nothing."""
    score_once(classifier, clips, fills)
    start = time.process_time()
    score_once(classifier, clips, fills)
    return (time.process_time() - start) / (len(clips) * len(METHODS))


def shares_of(classifier, clips, fills):
    """The share of the CPU time of each part in :data:`SHARES`."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(score_once, classifier, clips, fills)
    own_times = {key[2]: times[2] for key, times in pstats.Stats(profile).stats.items()}
    total = sum(times[2] for times in pstats.Stats(profile).stats.values())
    shares = {}
    for part, names in SHARES.items():
        functions = [time_ for name, time_ in own_times.items() if is_of(name, names)]
        shares[part] = sum(functions) / total
    return shares | {"other": 1 - sum(shares.values())}


def is_of(function, names):
    """Whether a profiled function is one of torch by some names."""
    if not function.startswith("<"):
        return False
    words = function.strip("<>").replace("'", "").split()
    return any(word.rsplit(".", 1)[-1] in names for word in words)


if __name__ == "__main__":
    torch.set_num_threads(1)
    loaded, root = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors"), sys.argv[1]
    for fills in FILLS:
        seconds = seconds_of(loaded, clips_of(root), fills)
        shares = shares_of(loaded, clips_of(root), fills)
        listed = ", ".join(f"{part} {share:.0%}" for part, share in shares.items())
        print(f"{' and '.join(fills)}: {seconds:.2f} CPU s a clip and method; {listed}")
