"""Where Grad-CAM looks in a clip that faint noise follows: the figures of docs/methods.md.

Usage: python tests/long_clips.py DATA [--clips N] [--weights FILE]

DATA is ESC-10 in the layout of ESC-50. Each test clip (fold 5; N of them, by default all) is
followed by as much noise, whose RMS is 1e-3 of the largest |sample| of the clip. Printed is the
share of the mask topK_30 that lies in the noise, the mean over the clips: with the library's
weights of the windows, with the derivative alone as weights, and without weights.
"""

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor

from audiointerp.dataset import EvenSubset
from audiointerp.experiments import TEST_FOLDS, open_data
from audiointerp.interpretation import MASKS, GradCAM
from audiointerp.model import Classifier
from audiointerp.scoring import explain_clip

WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"
LEVEL = 1e-3
WEIGHTINGS = ("as in the library", "the derivative alone", "none")


def weighting(name: str) -> AbstractContextManager[object]:
    """While it lasts, windows are weighted in another way than the library's."""
    explain = "audiointerp.scoring.explain"
    if name == "the derivative alone":
        return mock.patch(f"{explain}.explained_differences", return_value=None)
    if name == "none":
        return mock.patch(
            f"{explain}.window_weights", lambda logs, shares, *_, **__: shares * 0 + 1
        )
    return nullcontext()


def shares_in_noise(classifier: Classifier, wav: Tensor, seed: int) -> list[float]:
    """The share of the mask in the noise after a clip ``(1, 1, L)``, for each of WEIGHTINGS."""
    noise = torch.randn(wav.shape, generator=torch.Generator().manual_seed(seed))
    spectrogram = classifier.transform(torch.cat([wav, LEVEL * noise], -1))
    # Frames are centred on multiples of the hop.
    first = -(-wav.shape[-1] // classifier.transform.hop_length)
    shares = []
    for name in WEIGHTINGS:
        with weighting(name):
            attribution = explain_clip(classifier, spectrogram, GradCAM(classifier.network))
        mask = MASKS["topK_30"](attribution.values)
        shares.append(float(mask[..., first:].sum() / mask.sum()))
    return shares


def mean_shares(options: argparse.Namespace) -> tuple[int, list[float]]:
    """The number of clips, and the mean share for each of WEIGHTINGS."""
    classifier = Classifier.load(options.weights)
    rate, duration = classifier.sample_rate, classifier.duration
    test = open_data(options.data, TEST_FOLDS, "esc10", sample_rate=rate, duration=duration)
    subset = EvenSubset(test, options.clips)
    shares = [
        shares_in_noise(classifier, subset[index][0][None], index) for index in range(len(subset))
    ]
    return len(subset), torch.tensor(shares).mean(0).tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--weights", default=WEIGHTS)
    count, means = mean_shares(parser.parse_args())
    for name, mean in zip(WEIGHTINGS, means, strict=True):
        print(f"{mean:.2f} of the mask in the noise, mean over {count} clips; weights: {name}")
