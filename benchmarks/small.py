"""The work of the small network: scores of features and audio, and training."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from audiointerp import EvenSubset, FitSettings, compute_features, score
from audiointerp.fit import fit, train_classifier
from audiointerp.model import build_network, initialise

from .material import Material
from .measure import LIBRARY, Work

METHODS = ("saliency", "gradcam")
NULLS = ("pixelwise", "rolled")
CHANNELS = 16
TENSORS = "tensors in memory"


def works(material: Material) -> Iterator[Work]:
    """Yield the work of the table, row by row."""
    yield _score(material)
    yield _training(material)


def _score(material: Material) -> Work:
    clips = EvenSubset(material.clips, 1)

    def library(optimize: str) -> Callable[[], None]:
        def run() -> None:
            score(
                material.small,
                clips,
                METHODS,
                on=["features", "audio"],
                fill="silence",
                nulls=NULLS,
                optimize=optimize,
                progress=False,
            )

        return run

    sides = {LIBRARY: library("folded"), "library, not folded": library("none")}
    name = "small network: score features and audio, two nulls, a clip and method"
    pairs = max(1, material.size.pairs - 2)
    return Work(name, sides, len(clips) * len(METHODS), pairs=pairs)


def _training(material: Material) -> Work:
    """An epoch after the first: from a data set of clips, and from features in memory."""
    size, transform = material.size, material.large.transform
    clips = EvenSubset(material.clips, size.training_clips)
    features = compute_features(clips, transform, progress=False)
    settings = FitSettings(epochs=size.epochs)

    channels = min(CHANNELS, size.channels)

    def from_tensors() -> Tensor:
        sizes = {"num_classes": len(clips.labels), "num_bins": transform.num_bins}
        network = build_network("Cnn10", {**sizes, "base_channels": channels})
        initialise(network, settings.seed)
        history = fit(network, features, features, settings, progress=False)
        return torch.tensor([epoch.seconds for epoch in history.epochs[1:]])

    def from_clips() -> Tensor:
        (outcome,) = train_classifier(
            (clips, clips, clips),
            transform,
            base_channels=channels,
            settings=settings,
            progress=False,
        )
        return torch.tensor([epoch.seconds for epoch in outcome.history.epochs[1:]])

    sides = {TENSORS: from_tensors, LIBRARY: from_clips}
    name = "small network: training, an epoch after the first"
    return Work(
        name, sides, pairs=min(2, size.pairs), goal=0.95, reference=TENSORS, is_clocked=True
    )
