"""The card of a trained network: settings, accuracies, learning curves and confusion matrix."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch

from ..fit import Trained
from ..model import Classifier, without_scaling
from ..util import atomic_write, make_folder, write_json, write_text
from . import plot


def write_card(
    outcomes: Sequence[Trained], out: str | os.PathLike[str], name: str, command: str
) -> Path:
    """Write the weights of the best outcome, and its card beside them.

    The best outcome has the highest validation accuracy, then the lowest validation loss. The
    card is ``NAME.md``, with ``NAME.json`` (all settings and epochs) and ``NAME.png`` (learning
    curves and confusion matrix). The outcomes themselves are not changed.

    Args:
        outcomes: of :func:`~audiointerp.fit.train_classifier`, one per seed.
        out: folder; created if it does not exist.
        name: name of the files, without extension.
        command: the command that trained the networks, for the card.

    Returns:
        The path of the weights, ``NAME.safetensors``.

    >>> import tempfile
    >>> from ..fit import Epoch, History
    >>> from ..model import Cnn6
    >>> from ..processing import LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["dog", "rain"])
    >>> history = History((Epoch(1, 0.7, 0.7, 0.5, 1.0),), best=1)
    >>> confusion = torch.eye(2, dtype=torch.int64)
    >>> trained = Trained(
    ...     0, classifier, history, confusion, last_test_accuracy=0.5, seconds=1.0
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_card([trained], folder, "tiny", "train").name
    'tiny.safetensors'
    """
    folder = make_folder(out)
    best = max(outcomes, key=lambda outcome: outcome.merit)
    summaries = [_summary(outcome) for outcome in outcomes]
    classifier = _with_training_record(best.classifier, {"command": command, "outcomes": summaries})
    weights = folder / f"{name}.safetensors"
    classifier.save(weights)
    epochs = {}
    for outcome in outcomes:
        epochs[str(outcome.seed)] = [asdict(epoch) for epoch in outcome.history.epochs]
    record = {
        "command": command,
        "chosen_seed": best.seed,
        "outcomes": summaries,
        "labels": classifier.labels,
        "confusion": best.confusion.tolist(),
        "training": classifier.training,
        "epochs": epochs,
    }
    write_json(folder / f"{name}.json", record)
    write_text(folder / f"{name}.md", _card_text(outcomes, best, name, command))
    _write_figure(folder / f"{name}.png", outcomes, best)
    return weights


def _with_training_record(classifier: Classifier, record: dict[str, Any]) -> Classifier:
    """Copy a classifier (with the same network) and extend its training record."""
    return Classifier(
        classifier.network,
        classifier.transform,
        classifier.labels,
        classifier.duration,
        classifier.training | record,
        classifier.output,
    )


def _summary(outcome: Trained) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "validation_accuracy": outcome.history.best_epoch.valid_accuracy,
        "test_accuracy": outcome.test_accuracy,
        "last_test_accuracy": outcome.last_test_accuracy,
        "best_epoch": outcome.history.best,
        "seconds": round(outcome.seconds, 1),
    }


def _write_figure(path: Path, outcomes: Sequence[Trained], best: Trained) -> None:
    """Draw the learning curves of all seeds and the confusion matrix of the best."""
    figure = plt.figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for outcome in outcomes:
        plot.learning_curves(outcome.history, left, label=f"seed {outcome.seed}")
    left.legend()
    title = f"test clips, seed {best.seed}"
    plot.confusion(best.confusion, best.classifier.labels, right, title=title)
    with atomic_write(path) as part:
        figure.savefig(part, dpi=90)
    plt.close(figure)


def _card_text(outcomes: Sequence[Trained], best: Trained, name: str, command: str) -> str:
    classifier = best.classifier
    network, transform = without_scaling(classifier.network), classifier.transform
    labels = classifier.labels
    parameters = sum(parameter.numel() for parameter in network.parameters())
    rows = "\n".join(
        f"| {outcome.seed} | {outcome.history.best_epoch.valid_accuracy:.4f} "
        f"| {outcome.history.best} | {outcome.test_accuracy:.4f} "
        f"| {outcome.last_test_accuracy:.4f} | {outcome.seconds / 60:.1f} |"
        for outcome in outcomes
    )
    mean = sum(outcome.test_accuracy for outcome in outcomes) / len(outcomes)
    return f"""# {name}

{type(network).__name__} with {parameters:,} parameters on {type(transform).__name__} features
({transform.num_bins} bins, {transform.sample_rate} Hz, hop {transform.hop_length}),
{len(labels)} classes: {", ".join(labels)}.
{_level_text(network)}
Trained with

    {command}

| seed | validation accuracy | best epoch | test accuracy | at the last epoch | minutes |
|---|---|---|---|---|---|
{rows}

Mean test accuracy over the seeds: {mean:.4f}. The file holds seed {best.seed}. The seed, and the
epoch of each seed, were chosen by validation accuracy, then validation loss; test clips were not
used. Minutes were measured with {torch.get_num_threads()} threads. Learning curves and confusion
matrix: `{name}.png`. All epochs and settings: `{name}.json`.
"""


def _level_text(network: Any) -> str:
    level_range = network.settings.get("level_range")
    if level_range is None:
        return ""
    return (
        "It sees levels relative to those of each clip, down to "
        f"{level_range:g} dB below the clip's loudest part.\n"
    )
