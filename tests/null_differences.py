"""How far saliency and Grad-CAM are beyond each null on real clips: the table of docs/scores.md.

python tests/null_differences.py ../shared/data/ESC-10
"""

import sys

import audiointerp as ai
from audiointerp.dataset import ESC50
from audiointerp.interpretation import NULLS
from audiointerp.paper.comparable import SOFT_MASKS

CLIPS, METHODS, SCORES = 16, ["saliency", "gradcam"], ["FF", "FidIn", "AD"]


def scored(root):
    """The rows of 16 clips of fold 5, spread over its classes."""
    classifier = ai.Classifier.load("weights/esc10_mel_cnn10.safetensors")
    clips = ai.EvenSubset(ESC50(root, (5,), "esc10"), CLIPS)
    return ai.score(classifier, clips, METHODS)


def table(rows):
    """The mean over the clips and the 0/1 masks: of a score, and of the score minus each null's."""
    rows = rows[~rows["mask"].isin(SOFT_MASKS)]
    lines = ["| score | method | mean | " + " | ".join(f"− {null}" for null in NULLS) + " |"]
    lines.append("|---|---|" + "---|" * (1 + len(NULLS)))
    for name in SCORES:
        decimals = 1 if name == "AD" else 2
        for method, part in rows.groupby("method", sort=False):
            differences = [part[name] - part[f"{name}_{null}"] for null in NULLS]
            cells = [f"{difference.mean():+.{decimals}f}" for difference in differences]
            mean = f"{part[name].mean():.{decimals}f}"
            lines.append(f"| {' | '.join([name, method, mean, *cells])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(scored(sys.argv[1])))
