"""How far saliency and Grad-CAM are beyond each null on real clips: the table of docs/scores.md.

Usage: python tests/null_differences.py ../shared/data/ESC-10 (about a minute of one core)
"""

import sys

import audiointerp as ai
from audiointerp.dataset import ESC50
from audiointerp.interpretation import NULLS
from audiointerp.tables import SOFT_MASKS

CLIPS, METHODS, SCORES = 16, ["saliency", "gradcam"], ["FF", "FidIn", "AD"]


def scored(root):
    """The rows of 16 clips of fold 5, spread over its classes, on features."""
    classifier = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors")
    clips = ai.EvenSubset(ESC50(root, (5,), "esc10"), CLIPS)
    return ai.score(classifier, clips, METHODS, on="features", fill="silence")


def table(rows):
    """Means over the clips, of each score and of the score minus each null's."""
    hard = rows[~rows["mask"].isin(SOFT_MASKS)]
    parts = {"topK_30": rows[rows["mask"] == "topK_30"], "all 0/1 masks": hard}
    lines = [
        "| score | masks | method | mean | " + " | ".join(f"− {null}" for null in NULLS) + " |"
    ]
    lines.append("|---|---|---|---|" + "---|" * len(NULLS))
    for name in SCORES:
        for masks, part in parts.items():
            for method, of_method in part.groupby("method", sort=False):
                lines.append(
                    f"| {name} | {masks} | {method} | {' | '.join(cells(of_method, name))} |"
                )
    return "\n".join(lines)


def cells(rows, name):
    """The mean of a score, and its mean difference to each null."""
    decimals = 1 if name == "AD" else 2
    differences = [rows[name] - rows[f"{name}_{null}"] for null in NULLS]
    means = [f"{difference.mean():+.{decimals}f}" for difference in differences]
    return [f"{rows[name].mean():.{decimals}f}", *means]


if __name__ == "__main__":
    print(table(scored(sys.argv[1])))
