"""The whole study on one device: clips x methods x masks, by Cnn14; the table comes last.

``python -m benchmarks.whole_study --device cuda`` takes all 2,000 clips; ``--fraction 0.01`` a
hundredth of them, of the background clips and of LIME's samples. The clips are noise of 5 s with
the levels of real ones, made on the device, since no data set of 2,000 clips may be at hand.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

from audiointerp import (
    LIME,
    MASKS,
    SHAP,
    Classifier,
    Cnn14,
    Explainer,
    FitSettings,
    GradCAM,
    LogMel,
    Saliency,
    Spectrogram,
)
from audiointerp.fit import fit
from audiointerp.model import initialise, optimized
from audiointerp.scoring import classify_parts

from .material import calibrate

CLIPS, BACKGROUNDS, SAMPLES, CLASSES = 2000, 100, 1000, 50
LEAST_SAMPLES = 512
SECONDS, EPOCH_CLIPS, BATCH = 5.0, 1200, 32
GOAL_MINUTES = 10.0
Result = TypeVar("Result")


@dataclass(frozen=True)
class Share:
    """How much of the study is done.

    Attributes:
        fraction: of the clips.
        device: where.
        channels: of the first block of Cnn14; 64 officially.
        segments: of LIME; quickshift as published, which runs on the processor.
    """

    fraction: float
    device: str
    channels: int = 64
    segments: str = "quickshift"

    @property
    def clips(self) -> int:
        """The number of clips."""
        return max(1, round(CLIPS * self.fraction))

    @property
    def thorough(self) -> float:
        """The share of background clips and of samples: all of them on a GPU."""
        return 1.0 if self.device != "cpu" else self.fraction

    @property
    def backgrounds(self) -> int:
        """The number of background clips."""
        return max(2, round(BACKGROUNDS * self.thorough))

    @property
    def samples(self) -> int:
        """The number of LIME's draws; it refuses fewer than two for each segment."""
        return max(LEAST_SAMPLES, round(SAMPLES * self.thorough))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fraction", type=float, default=1.0, help="of the clips")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--channels", type=int, default=64, help="of the first block")
    parser.add_argument("--segments", default="quickshift", help="of LIME")
    parser.add_argument("--tf32", action="store_true", help="on a GPU: faster, p within 1e-3")
    options = parser.parse_args(arguments)
    torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = options.tf32
    share = Share(options.fraction, options.device, options.channels, options.segments)
    print("\n".join(table(share, seconds_by_step(share))))


def seconds_by_step(share: Share) -> dict[str, float]:
    """Do the study's work on a share of the clips; return the seconds of each step."""
    classifier = _classifier(share)
    fast = optimized(classifier, "folded")
    background = torch.cat([_clip(classifier, -100 - n).db for n in range(share.backgrounds)])
    methods: dict[str, Explainer] = {
        "saliency": Saliency(fast.network),
        "gradcam": GradCAM(fast.network),
        "shap": SHAP(classifier.network, background),
        "lime": LIME(fast.network, share.segments, samples=share.samples, progress=False),
    }
    seconds: dict[str, float] = {}
    for number in range(share.clips):
        clip = _timed(seconds, "features", partial(_clip, classifier, number))
        for name, method in methods.items():
            _explain_and_score(fast, clip, name, method, seconds)
    seconds["training, an epoch of 1,200 clips"] = _epoch(classifier, share)
    return seconds


def table(share: Share, seconds: dict[str, float]) -> list[str]:
    """Return the lines of the table: what was measured, and what the whole would take."""
    head = [
        f"{share.clips} clips, {share.backgrounds} background clips, {len(MASKS)} masks, "
        f"{share.device} ({_device_name(share.device)}), torch {torch.__version__}, "
        f"tf32 {torch.backends.cudnn.allow_tf32}",
        "| step | seconds | a clip | whole study, minutes |",
        "|---|---|---|---|",
    ]
    steps = {name: value for name, value in seconds.items() if not name.startswith("training")}
    rows = [_row(name, value, share) for name, value in steps.items()]
    rows.append(_row("all", sum(steps.values()), share))
    rows += [
        f"| {name} | {value:.2f} | | |" for name, value in seconds.items() if name not in steps
    ]
    return [*head, *rows, f"Goal: at most {GOAL_MINUTES:g} minutes, an epoch at most 2 s."]


def _row(name: str, seconds: float, share: Share) -> str:
    a_clip = seconds / share.clips
    return f"| {name} | {seconds:.2f} | {a_clip:.4f} | {a_clip * CLIPS / 60:.1f} |"


def _timed(seconds: dict[str, float], name: str, work: Callable[[], Result]) -> Result:
    """Run some work, and add its seconds to those of its name."""
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start
    return result


def _classifier(share: Share) -> Classifier:
    """Return Cnn14 with drawn weights, and batch normalisation with the statistics of noise."""
    network = Cnn14(CLASSES, base_channels=share.channels)
    initialise(network, seed=0)
    labels = [f"class {number}" for number in range(CLASSES)]
    classifier = Classifier(network, LogMel(), labels, SECONDS)
    calibrate(network, torch.cat([_clip(classifier, -1 - number).db for number in range(8)]))
    classifier.to(share.device)
    return classifier


def _clip(classifier: Classifier, number: int) -> Spectrogram:
    """Return a clip of noise that rises and falls; another one for each number."""
    generator = torch.Generator().manual_seed(number % 2**31)
    length = round(SECONDS * classifier.sample_rate)
    times = torch.linspace(0, SECONDS, length)
    rate = float(1 + 4 * torch.rand(1, generator=generator))
    wav = torch.randn(length, generator=generator) * torch.sin(rate * times).abs() * 0.2
    return classifier.transform(wav[None, None].to(classifier.device))


def _explain_and_score(
    fast: Classifier, clip: Spectrogram, name: str, method: Explainer, seconds: dict[str, float]
) -> None:
    """Explain a clip and score all masks."""
    attribution = _timed(seconds, name, lambda: method(clip.db))
    masks = torch.cat([make(attribution.values) for make in MASKS.values()])
    _timed(
        seconds,
        f"score {name}",
        lambda: classify_parts(fast, clip, attribution.target, masks).scores(masks),
    )


def _epoch(classifier: Classifier, share: Share) -> float:
    """Return the seconds of an epoch after the first, from features in memory."""
    count = max(2, round(EPOCH_CLIPS * share.fraction))
    db = torch.cat([_clip(classifier, number % 8).db for number in range(count)])
    targets = torch.arange(count) % CLASSES
    settings = FitSettings(epochs=2, batch_size=min(BATCH, count))
    features = db, targets.to(share.device)
    few = features[0][:2], features[1][:2]
    history = fit(classifier.network, features, few, settings, device=share.device, progress=False)
    return history.epochs[1].seconds * EPOCH_CLIPS / count


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "processor"


if __name__ == "__main__":
    main()
