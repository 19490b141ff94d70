"""Training a classifier from a data set, over several seeds, with the card that goes beside its weights."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from . import plot
from .dataset import ClipDataset
from .devices import usable_device
from .errors import ArgumentError
from .files import make_folder, replacing, write_json, write_text
from .fit import FitSettings, History, features, fit, logits_of
from .model import Classifier, Pann, build_network, initialise, load_panns
from .processing import Transform


@dataclass(frozen=True, eq=False)
class Trained:
    """One seed's outcome; ``confusion`` counts test clips, rows the true classes, ``(C, C)``."""

    seed: int
    classifier: Classifier
    history: History
    confusion: Tensor
    seconds: float

    @property
    def test_accuracy(self) -> float:
        """Share of the test clips that are classified correctly."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def merit(self) -> tuple[float, float]:
        """What seeds are chosen by: validation accuracy, then validation loss. The test fold has no say."""
        return self.history.best_epoch.valid_accuracy, -self.history.best_epoch.valid_loss


def train_classifier(
    datasets: tuple[ClipDataset, ClipDataset, ClipDataset],
    transform: Transform,
    network: str = "Cnn10",
    *,
    base_channels: int = 16,
    dropout: float = 0.1,
    head_dropout: float = 0.2,
    settings: FitSettings | None = None,
    seeds: Sequence[int] = (0,),
    checkpoint: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> list[Trained]:
    """Train one network a seed on the first data set, choose its epoch on the second, count its hits on the third.

    Args:
        datasets: for training, validation and test.
        transform: makes the features, once for all seeds.
        network: a name in ``NETWORKS``.
        base_channels, dropout, head_dropout: of the network.
        settings: how to train; each seed takes the place of ``settings.seed``.
        seeds: of the weights, the order and the augmentation.
        checkpoint: an official PANNs checkpoint to start from, see :func:`~audiointerp.model.checkpoint.load_panns`; what it
            does not fill is drawn by the seed, and so is everything if None.
        device: where to train.
        progress: bars, where a terminal watches.

    Returns:
        The outcomes, in the order of the seeds; the best is ``max(outcomes, key=lambda one: one.merit)``.
    """
    if not seeds:
        raise ArgumentError("training needs at least one seed")
    labels = datasets[0].labels
    form: dict[str, int | float] = {"num_classes": len(labels), "num_bins": transform.num_bins}
    form |= {"base_channels": base_channels, "dropout": dropout, "head_dropout": head_dropout}
    plans = [
        (replace(settings or FitSettings(), seed=seed), *_beginning(network, form, seed, checkpoint, transform))
        for seed in seeds
    ]
    device = usable_device(device)  # like the plans, before the features: a mistake should not cost their minutes
    train, valid, test = (features(dataset, transform, progress) for dataset in datasets)
    duration = datasets[0][0][0].shape[-1] / transform.sample_rate
    outcomes = []
    for chosen, model, origin in plans:
        start = time.perf_counter()
        history = fit(model, train, valid, chosen, device=device, progress=progress)
        predicted = logits_of(model, test[0]).argmax(1)
        counts = torch.zeros(len(labels), len(labels), dtype=torch.long)
        counts.index_put_((test[1], predicted), torch.tensor(1), accumulate=True)
        told = {"seed": chosen.seed, "fit": asdict(chosen), **origin}
        classifier = Classifier(model.cpu(), transform, labels, duration, told)
        outcomes.append(Trained(chosen.seed, classifier, history, counts, time.perf_counter() - start))
    return outcomes


def _beginning(
    network: str,
    form: dict[str, Any],
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    transform: Transform,
) -> tuple[Pann, dict[str, Any]]:
    """A network as its training begins, and where its weights come from if not from the seed alone."""
    model = build_network(network, form)
    initialise(model, seed)
    if checkpoint is None:
        return model, {}
    loaded = load_panns(model, checkpoint, transform)
    file = {"file": Path(checkpoint).name, "new": loaded.new, "filter_difference": loaded.filter_difference}
    return model, {"checkpoint": file}


def write_card(outcomes: Sequence[Trained], out: str | os.PathLike[str], name: str, command: str) -> Path:
    """Write the best outcome's weights, and beside them the card: ``NAME.safetensors``, ``.md``, ``.json`` and ``.png``.

    Args:
        outcomes: of :func:`train_classifier`.
        out: the folder.
        name: of the files, without an ending.
        command: what made them, for the card.

    Returns:
        The path of the weights.
    """
    folder = make_folder(out)
    best = max(outcomes, key=lambda outcome: outcome.merit)
    figures = [
        {
            "seed": outcome.seed,
            "validation_accuracy": outcome.history.best_epoch.valid_accuracy,
            "test_accuracy": outcome.test_accuracy,
            "best_epoch": outcome.history.best,
            "seconds": round(outcome.seconds, 1),
        }
        for outcome in outcomes
    ]
    best.classifier.training.update(command=command, outcomes=figures)
    weights = folder / f"{name}.safetensors"
    best.classifier.save(weights)
    epochs = {str(outcome.seed): [asdict(epoch) for epoch in outcome.history.epochs] for outcome in outcomes}
    record = {"command": command, "chosen_seed": best.seed, "outcomes": figures, "labels": best.classifier.labels,
              "confusion": best.confusion.tolist(), "training": best.classifier.training, "epochs": epochs}  # fmt: skip
    write_json(folder / f"{name}.json", record)
    write_text(folder / f"{name}.md", _card(outcomes, best, name, command))
    figure = plt.figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for outcome in outcomes:
        plot.learning_curves(outcome.history, left, label=f"seed {outcome.seed}")
    left.legend()
    plot.confusion(best.confusion, best.classifier.labels, right, title=f"test clips, seed {best.seed}")
    with replacing(folder / f"{name}.png") as part:
        figure.savefig(part, dpi=90)
    plt.close(figure)
    return weights


def _card(outcomes: Sequence[Trained], best: Trained, name: str, command: str) -> str:
    network, transform = best.classifier.network, best.classifier.transform
    count = sum(parameter.numel() for parameter in network.parameters())
    rows = "\n".join(
        f"| {one.seed} | {one.history.best_epoch.valid_accuracy:.4f} | {one.history.best} | {one.test_accuracy:.4f} "
        f"| {one.seconds / 60:.1f} |"
        for one in outcomes
    )
    mean = sum(one.test_accuracy for one in outcomes) / len(outcomes)
    return f"""# {name}

{type(network).__name__} with {count:,} parameters on {type(transform).__name__} features
({transform.num_bins} bins, {transform.sample_rate} Hz, hop {transform.hop_length}), {len(best.classifier.labels)} classes:
{", ".join(best.classifier.labels)}.

Made by

    {command}

| seed | validation accuracy | best epoch | test accuracy | minutes |
|---|---|---|---|---|
{rows}

Mean test accuracy over the seeds: {mean:.4f}. The file holds seed {best.seed}, chosen by validation accuracy (then validation
loss) alone; so is each seed's epoch. Minutes were measured with {torch.get_num_threads()} threads. Curves and confusion
matrix: `{name}.png`; every epoch and setting: `{name}.json`.
"""
