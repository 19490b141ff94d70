"""What each fill makes of the same masks on real clips: the table of docs/scores.md.

Usage: python tests/fill_differences.py ../shared/data/ESC-10 (about 5 minutes of one core)
"""

import sys

import audiointerp as ai
from audiointerp.dataset import ESC50
from audiointerp.experiments import TRAIN_FOLDS, VALID_FOLDS
from audiointerp.scoring import ood_reference
from audiointerp.util import FILLS

CLIPS, METHODS, MASKS = 16, ["saliency", "gradcam"], ["topK_30"]
SHOWN = {"FidIn": 2, "AD": 1, "FF": 2, "HEARD": 2, "ood_in": 2, "ood_out": 2}


def scored(root):
    """The rows of 16 clips of fold 5, spread over its classes, with each fill, on both."""
    classifier = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors")
    training, clean = (ESC50(root, folds, "esc10") for folds in (TRAIN_FOLDS, VALID_FOLDS))
    return ai.score(
        classifier,
        ai.EvenSubset(ESC50(root, (5,), "esc10"), CLIPS),
        METHODS,
        MASKS,
        on=["features", "audio"],
        fill=list(FILLS),
        nulls=[],
        reference=ood_reference(classifier, training, clean),
    )


def table(rows):
    """Means over the clips, a row for each ``on``, fill and method."""
    lines = [
        f"| on | fill | method | {' | '.join(SHOWN)} |",
        "|---|---|---|" + "---|" * len(SHOWN),
    ]
    for (on, fill, method), part in rows.groupby(["on", "fill", "method"], sort=False):
        means = [f"{part[name].mean():.{decimals}f}" for name, decimals in SHOWN.items()]
        lines.append(f"| {on} | {fill} | {method} | {' | '.join(means)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(scored(sys.argv[1])))
