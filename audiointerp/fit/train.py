"""Trains a classifier for each seed, from data sets of clips."""

import os
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..dataset import ClipDataset, compute_features
from ..errors import ArgumentError
from ..model import Classifier, Pann, build_network, initialise, load_panns, with_scaling
from ..processing import Transform
from ..util import CacheChoice, usable_device
from .loop import History, fit, logits_of, validate
from .settings import FitSettings


@dataclass(frozen=True, eq=False)
class Trained:
    """The outcome of training with one seed.

    Attributes:
        seed: of the weights, the order and the augmentation.
        classifier: on the CPU, with the weights of the best epoch.
        history: of the training.
        confusion: ``(C, C)``, numbers of test clips; rows are the true classes.
        last_test_accuracy: the share of the test clips that the network of the last epoch
            classified correctly. It chooses nothing; it tells what choosing an epoch is worth.
        seconds: duration of training and testing.

    Example:
        See :func:`train_classifier`.
    """

    seed: int
    classifier: Classifier
    history: History
    confusion: Tensor
    last_test_accuracy: float
    seconds: float

    @property
    def test_accuracy(self) -> float:
        """The share of the test clips that are classified correctly."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def merit(self) -> tuple[float, float]:
        """Validation accuracy and negative validation loss, by which the best seed is chosen."""
        return self.history.best_epoch.valid_accuracy, -self.history.best_epoch.valid_loss


def train_classifier(
    datasets: tuple[ClipDataset, ClipDataset, ClipDataset],
    transform: Transform,
    network: str = "Cnn10",
    *,
    base_channels: int = 16,
    dropout: float = 0.1,
    head_dropout: float = 0.2,
    level_range: float | None = None,
    settings: FitSettings | None = None,
    seeds: Sequence[int] = (0,),
    checkpoint: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
    cache: CacheChoice = None,
) -> list[Trained]:
    """Train one network for each seed.

    The first data set is for training, the second chooses the epoch, the third tests.

    Args:
        datasets: for training, validation and test; with the same labels and sample rate.
        transform: makes the features, which are computed once for all seeds.
        network: a name in ``NETWORKS``.
        base_channels: see :class:`~audiointerp.model.Pann`, like the next three.
        dropout: after each block.
        head_dropout: before and after the embedding.
        level_range: in dB; None for a network that sees absolute levels.
        settings: how to train; each seed replaces ``settings.seed``.
        seeds: of the weights, the order and the augmentation.
        checkpoint: an official PANNs checkpoint to start from, see
            :func:`~audiointerp.model.load_panns`. Other weights are drawn by the seed; all of them
            if None.
        device: where to train.
        progress: whether to show progress bars on a terminal or in a notebook.
        cache: where features are kept, see :func:`~audiointerp.dataset.compute_features`.

    Returns:
        The outcomes in the order of the seeds; the best one is
        ``max(outcomes, key=lambda outcome: outcome.merit)``.

    Raises:
        ArgumentError: there are no seeds, the data sets or the settings do not fit each other, or
            this machine has no such device.
        ModelError: the checkpoint does not fit the network, or training diverged.

    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> from audiointerp.processing import LogSTFT
    >>> clips = EvenSubset(Synthetic((1,), sample_rate=16000, duration=3.0), 4)
    >>> sets, settings = (clips, clips, clips), FitSettings(epochs=1)
    >>> (outcome,) = train_classifier(sets, LogSTFT(), "Cnn6", base_channels=2, settings=settings)
    >>> outcome.seed, outcome.confusion.sum().item(), outcome.classifier.duration
    (0, 4, 3.0)
    """
    if not seeds:
        raise ArgumentError("seeds is empty; training needs at least one")
    _check_datasets(datasets, transform)
    # Every input is checked before the features are computed, which can take minutes.
    labels = datasets[0].labels
    network_settings: dict[str, int | float | None] = {
        "num_classes": len(labels),
        "num_bins": transform.num_bins,
        "base_channels": base_channels,
        "dropout": dropout,
        "head_dropout": head_dropout,
        "level_range": level_range,
    }
    plans = []
    for seed in seeds:
        fit_settings = replace(settings or FitSettings(), seed=seed)
        model, origin = _start_network(network, network_settings, seed, checkpoint, transform)
        plans.append((fit_settings, model, origin))
    device = usable_device(device)
    train, valid, test = (
        compute_features(dataset, transform, progress, cache=cache) for dataset in datasets
    )
    duration = datasets[0][0][0].shape[-1] / transform.sample_rate
    outcomes = []
    for fit_settings, model, origin in plans:
        start = time.perf_counter()
        trained = with_scaling(model, transform)
        history = fit(trained, train, valid, fit_settings, device=device, progress=progress)
        last_test_accuracy = _accuracy_of_last(trained, history, test)
        predicted = logits_of(trained, test[0]).argmax(1)
        confusion = torch.zeros(len(labels), len(labels), dtype=torch.long)
        confusion.index_put_((test[1], predicted), torch.tensor(1), accumulate=True)
        training = {"seed": fit_settings.seed, "fit": asdict(fit_settings), **origin}
        classifier = Classifier(model.cpu(), transform, labels, duration, training)
        seconds = time.perf_counter() - start
        outcomes.append(
            Trained(fit_settings.seed, classifier, history, confusion, last_test_accuracy, seconds)
        )
    return outcomes


def _accuracy_of_last(
    network: nn.Module, history: History, features: tuple[Tensor, Tensor]
) -> float:
    """Return the accuracy of the network of the last epoch; the best one is in the network."""
    last = deepcopy(network)
    last.load_state_dict(history.last_state)
    return validate(last, features)[1]


def _check_datasets(datasets: Sequence[ClipDataset], transform: Transform) -> None:
    """Refuse data sets whose sample rates or labels differ."""
    labels = tuple(datasets[0].labels)
    for name, dataset in zip(("training", "validation", "test"), datasets, strict=True):
        if dataset.sample_rate != transform.sample_rate:
            raise ArgumentError(
                f"the {name} set has {dataset.sample_rate} Hz, "
                f"the transform takes {transform.sample_rate} Hz"
            )
        other_labels = tuple(dataset.labels)
        if other_labels != labels:
            unshared = sorted(set(labels) ^ set(other_labels))
            difference = f"not in both: {', '.join(unshared)}" if unshared else "another order"
            raise ArgumentError(
                f"the {name} set's labels are not those of the training set ({difference:.200}); "
                f"give data sets with the same labels in the same order"
            )


def _start_network(
    network: str,
    settings: dict[str, Any],
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    transform: Transform,
) -> tuple[Pann, dict[str, Any]]:
    """Build a network with its first weights, and describe the checkpoint they came from."""
    model = build_network(network, settings)
    initialise(model, seed)
    if checkpoint is None:
        return model, {}
    loaded = load_panns(model, checkpoint, transform)
    record = {
        "file": Path(checkpoint).name,
        "new": loaded.new,
        "filter_difference": loaded.filter_difference,
    }
    return model, {"checkpoint": record}
