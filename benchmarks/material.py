"""What all ways of the work share: clips, networks and their settings."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from audiointerp import ESC50, Classifier, Cnn10, Cnn14, LogMel, Synthetic
from audiointerp.dataset import ClipDataset
from audiointerp.model import initialise

CALIBRATION_CLIPS = 16
SMALL_WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"


@dataclass(frozen=True)
class Size:
    """How much work there is.

    Attributes:
        channels: of the first block of Cnn14; 64 officially.
        seconds: of a clip.
        pairs: how often each way is timed.
        backgrounds: background clips of SHAP.
        many_backgrounds: those of one explanation whose memory is measured.
        samples: draws of LIME.
        masks: how many are scored.
        growth: multiples of the work at which its growth is measured.
        matrix: rows of the matrices of the product.
        epochs, training_clips: of the training.
    """

    channels: int = 64
    seconds: float = 5.0
    pairs: int = 5
    backgrounds: int = 8
    many_backgrounds: int = 100
    samples: int = 64
    masks: int = 14
    growth: tuple[int, ...] = (1, 2, 4, 8)
    matrix: int = 4096
    epochs: int = 4
    training_clips: int = 64


TINY = Size(
    channels=2,
    seconds=3.0,
    pairs=1,
    backgrounds=2,
    many_backgrounds=3,
    samples=24,
    masks=3,
    growth=(1, 2),
    matrix=64,
    epochs=2,
    training_clips=4,
)
"""For tests: everything, in seconds."""


@dataclass(frozen=True, eq=False)
class Material:
    """The clips and networks of the benchmark.

    Attributes:
        size: how much work there is.
        clips: the data set.
        large: Cnn14 with drawn weights, whose batch normalisation has the statistics of the clips.
        small: the committed network of this project; in tests, a drawn one.
        db: features of the first clip ``(1, 1, F, T)``.
        background: features of others ``(B, 1, F, T)``.
    """

    size: Size
    clips: ClipDataset
    large: Classifier
    small: Classifier
    db: Tensor
    background: Tensor


def prepare(size: Size, data: Path | None) -> Material:
    """Make the material: real clips of ESC-10 in ``data``, or else synthetic ones."""
    clips: ClipDataset = (
        Synthetic(duration=size.seconds)
        if data is None
        else ESC50(data, subset="esc10", duration=size.seconds)
    )
    transform = LogMel()
    count = max(CALIBRATION_CLIPS, size.many_backgrounds)
    # Clips of a data set are in the order of their classes or folds, so they are spread.
    step = max(1, len(clips) // count)
    features = [transform(clips[index * step][0][None]).db for index in range(count)]
    network = Cnn14(len(clips.labels), base_channels=size.channels)
    initialise(network, seed=0)
    calibrate(network, torch.cat(features[:CALIBRATION_CLIPS]))
    large = Classifier(network, transform, clips.labels, size.seconds)
    background = torch.cat(features[1 : 1 + size.many_backgrounds])
    return Material(size, clips, large, _small(size, large), features[0], background)


def _small(size: Size, large: Classifier) -> Classifier:
    """Return the committed network; a drawn one where clips are shorter than it takes."""
    if size.seconds == 5.0 and SMALL_WEIGHTS.exists():
        return Classifier.load(SMALL_WEIGHTS)
    network = Cnn10(len(large.labels), base_channels=size.channels)
    initialise(network, seed=0)
    return Classifier(network, large.transform, large.labels, size.seconds)


def calibrate(network: nn.Module, db: Tensor) -> None:
    """Give batch normalisation the statistics of features ``(N, 1, F, T)``, by training mode."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()
        for _ in range(4):
            for batch in db.split(4):
                network(batch)
    network.eval()


def forward_flop(network: nn.Module, db: Tensor) -> float:
    """Return the floating point operations of a forward pass: convolutions and products."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(db)
    return float(counter.get_total_flops())
