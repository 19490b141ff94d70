"""A small network, without the imports of conftest.py: workers import it at each start."""

import os
from copy import deepcopy
from functools import cache

import torch

from audiointerp.model.classifier import Classifier
from audiointerp.model.panns import Cnn10, initialise
from audiointerp.processing.spectrogram import LogMel


def torture(short, whole):
    """How much of a fault is tried: a little by ``make test``, the whole by ``make torture``."""
    return whole if os.environ.get("AUDIOINTERP_TORTURE") == "1" else short


def small_classifier(num_classes=3, seed=0, transform=None, duration=1.0):
    """A classifier with an untrained network; its batch normalisation has statistics of sound."""
    transform = transform or LogMel()
    # A copy, since tests change what they get.
    network = deepcopy(_small_network(num_classes, seed, transform, duration))
    return Classifier(network, transform, [f"label{i}" for i in range(num_classes)], duration)


@cache
def _small_network(num_classes, seed, transform, duration):
    network = Cnn10(num_classes, num_bins=transform.num_bins, base_channels=4)
    initialise(network, seed)
    generator = torch.Generator().manual_seed(seed)
    length = round(duration * transform.sample_rate)
    noises = (
        torch.randn(8, 1, length, generator=generator) * torch.logspace(-3, 0, 8)[:, None, None]
    )
    db = transform(noises).db
    network.train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # of the dropout
        for _ in range(30):
            network(db)
    return network
