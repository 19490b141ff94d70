"""How the level weighs a map before it is compared with the truth: what each weight would show.

    python tests/level_weights.py DATA
    python tests/level_weights.py DATA --fold 4 --mixtures 60 --samples 400
    python tests/level_weights.py DATA --only mask_gradient

DATA is a folder like ESC-50. Two clips of different classes of a fold are mixed at 0 dB, as in
docs/localisation.md, and each class of which the network is sure enough is explained. The ranks of
each map are multiplied by a weight of the bin's level, which rises from 0 at 60 dB below the
mixture's largest to 1 at so many dB below it: 0 (in proportion to the level), 20, or 40, the
library's. Fold 4 chose among them, so fold 5 is free for the page. Prints a table in Markdown: mean
pointing and IoU for each weight.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
from fill_rows import open_esc10
from tqdm.auto import tqdm

import audiointerp as ai
from audiointerp.dataset import Mixtures, load_clip
from audiointerp.scoring import (
    LEAST_P,
    explain_clip,
    localisation_scores,
    truth_of,
    weighted,
)
from audiointerp.scoring.localisation import BASELINES
from audiointerp.scoring.localised_clip import mixed_clip

LOWEST = 60.0
"""A bin has no weight from so many dB below the clip's largest level on."""
FULL = (0.0, 20.0, 40.0)
"""A bin has the full weight from so many dB below the clip's largest level up."""
SCORES = ("pointing", "iou")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--only", help="the name of one method")
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = ai.load("esc10-mel")
    network = classifier.network
    mixtures = Mixtures(
        open_esc10(classifier, options.data, (options.fold,)), options.mixtures, 0.0
    )
    methods = [
        *(ai.Saliency(network), ai.GradCAM(network), ai.OptimalMask(network)),
        *(kind(network, samples=options.samples) for kind in (ai.RISE, ai.LogitRISE)),
        ai.MaskGradient(network),
        *(kind(network) for kind in BASELINES),
    ]
    methods = [each for each in methods if options.only in (None, each.name)]
    rows = pd.DataFrame(
        row
        for index in tqdm(range(len(mixtures)), unit="mixture", disable=None)
        for row in mixture_rows(classifier, mixtures, index, methods)
    )
    table = rows.groupby(["method", "full"], sort=False)[list(SCORES)].mean().unstack("full")
    print(f"{rows.groupby('method').size().iloc[0] // (1 + len(FULL))} explained classes\n")
    names = [f"{score}, {full}" for score, full in table.columns]
    print(f"| method | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for method, values in table.iterrows():
        print(f"| {method} | {' | '.join(f'{value:.2f}' for value in values)} |")


def mixture_rows(classifier, mixtures, index, methods):
    """Yield a row per explained class, method and weight of one mixture."""
    mixed = mixed_clip(classifier, mixtures, index, load_clip(mixtures, index))
    db = mixed.spectrogram.db
    for source in mixed.sources:
        if mixed.probs[source.target] < LEAST_P:
            continue
        truth = truth_of(source.db, source.rest_db)
        for method in methods:
            values = explain_clip(classifier, mixed.spectrogram, method, source.target).values
            for full in (None, *FULL):
                compared = values
                if full is not None:
                    compared = weighted(values, db, "level", (LOWEST, full))
                scores = localisation_scores(compared, truth.source, truth.audible)
                name = "none" if full is None else f"{full:.0f} dB"
                yield {"method": method.name, "full": name, **scores}


if __name__ == "__main__":
    main()
