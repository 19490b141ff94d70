"""What longer training is worth, on folds 1 to 4: three train, the fourth tells.

Fold 5, which tests the committed networks, is in none of it, and no epoch is chosen: the network
of the last one tells.

Usage: python tests/longer_training.py ../shared/data/ESC-10 (an hour of one core)
"""

import sys

from audiointerp.dataset import ESC50
from audiointerp.fit import FitSettings, train_classifier
from audiointerp.processing import LogMel

FOLDS = (1, 2, 3, 4)
EPOCHS = (60, 180)


def last_epoch(root, held_out, epochs):
    """Train on the other folds: accuracy and loss of the last epoch on the one held out."""
    transform = LogMel()
    others = tuple(fold for fold in FOLDS if fold != held_out)
    train, held = (
        ESC50(root, folds, "esc10", sample_rate=transform.sample_rate)
        for folds in (others, (held_out,))
    )
    (outcome,) = train_classifier(
        (train, held, held),
        transform,
        level_range=100.0,
        settings=FitSettings(epochs=epochs, averaging=0.99, precision="bfloat16"),
        progress=False,
    )
    return outcome.last_test_accuracy, outcome.history.epochs[-1].valid_loss


def line_of(first, values, form):
    """A line of a table."""
    return f"| {first} | {' | '.join(format(value, form) for value in values)} |"


if __name__ == "__main__":
    outcomes = {}
    for epochs in EPOCHS:
        outcomes[epochs] = [last_epoch(sys.argv[1], fold, epochs) for fold in FOLDS]
    print(line_of("epochs", [*(f"fold {fold}" for fold in FOLDS), "mean"], ""))
    print("|---" * (len(FOLDS) + 2) + "|")
    for number, (name, form) in enumerate({"accuracy": ".4f", "loss": ".2f"}.items()):
        for epochs, pairs in outcomes.items():
            values = [pair[number] for pair in pairs]
            values.append(sum(values) / len(values))
            print(line_of(f"{epochs}, {name}", values, form))
