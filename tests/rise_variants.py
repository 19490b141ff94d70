"""What RISE and the gradient by its masks show: of what output, over silence or the background.

    python tests/rise_variants.py DATA
    python tests/rise_variants.py DATA --fold 4 --mixtures 60 --samples 400
    python tests/rise_variants.py DATA --only gradient    # or rise

DATA is a folder like ESC-50. Two clips of different classes of a fold are mixed at 0 dB, as in
docs/localisation.md, and each class of which the network is sure enough is explained. Fold 4 chose
between the variants, so fold 5 is free for the page. Prints a table in Markdown: the mean contrast,
and pointing and IoU of the maps weighted by the level.
"""

import argparse
from pathlib import Path

import torch
from fill_rows import open_esc10

import audiointerp as ai
from audiointerp.dataset import Mixtures
from audiointerp.scoring import localise

KINDS = {"probability": ai.RISE, "logit": ai.LogitRISE}
FILLS = ("silence", "background")
FRAMES = (0.0, 1.0, 2.0, 5.0)
"""Weights of the mean over a frame, of the gradient over the background."""
COLUMNS = (("contrast", "none"), ("pointing", "level"), ("iou", "level"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--only", choices=("rise", "gradient"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = ai.load("esc10-mel")
    clips = open_esc10(classifier, options.data, (options.fold,))
    methods = {}
    if options.only != "gradient":
        methods = {
            f"{of}_{fill}": kind(classifier.network, fill=fill, samples=options.samples)
            for of, kind in KINDS.items()
            for fill in FILLS
        }
    if options.only != "rise":
        methods["gradient_silence"] = ai.MaskGradient(classifier.network, fill="silence", frame=0)
        for frame in FRAMES:
            name = f"gradient_background_frame_{frame:g}"
            methods[name] = ai.MaskGradient(classifier.network, frame=frame)
    rows = localise(classifier, Mixtures(clips, options.mixtures, 0.0), methods, progress=False)
    scores = [score for score, _ in COLUMNS]
    table = rows[rows["status"] == "ok"].groupby(["method", "weight"])[scores].mean()
    print(f"| of, over | {' | '.join(scores)} |\n|---|---|---|---|")
    for name in (*methods, "level"):
        found = [table[score].get((name, weight), float("nan")) for score, weight in COLUMNS]
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in found)} |")


if __name__ == "__main__":
    main()
