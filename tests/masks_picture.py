"""The picture of docs/masks.md: the masks of one attribution, and the share that each keeps.

Usage: python tests/masks_picture.py docs/masks.png
"""

import math
import sys

import matplotlib.pyplot as plt

import audiointerp as ai
from audiointerp.util import atomic_write

COLUMNS = 4
GREY, SIGNED = "gray_r", "RdBu_r"


def draw_masks(path):
    """Draw the clip, its Grad-CAM map and each mask of the map, and print the shares."""
    classifier = ai.load("synthetic-mel")
    clips = ai.Synthetic(folds=(5,), sample_rate=classifier.sample_rate)
    index = clips.labels.index("bird_chirps") * 8
    spec = classifier.transform(clips[index][0][None])
    values = ai.GradCAM(classifier.network)(spec.db).values
    rows = math.ceil((2 + len(ai.MASKS)) / COLUMNS)
    size = (2.25 * COLUMNS, 1.65 * rows)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=size, layout="constrained")
    panels = axes.flat
    loudest = float(spec.db.max())
    show(next(panels), spec.db, "the clip, dB", "magma", loudest - 80, loudest)
    largest = float(values.abs().max())
    show(next(panels), values, "the attribution", SIGNED, -largest, largest)
    for name, mask in ai.MASKS.items():
        kept = mask(values)
        share = f"{kept.mean():.0%}"
        show(next(panels), kept, f"{name}, {share}", GREY, 0, 1)
        print(f"| `{name}` | {share} |")
    for panel in panels:
        panel.axis("off")
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=90)


def show(ax, values, title, colors, low, high):
    """Draw values ``(1, 1, F, T)``, low frequencies at the bottom."""
    ax.imshow(
        values[0, 0],
        origin="lower",
        aspect="auto",
        cmap=colors,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    ax.set_title(title, fontsize=9)
    ax.set_xticks([])
    ax.set_yticks([])


if __name__ == "__main__":
    draw_masks(sys.argv[1])
