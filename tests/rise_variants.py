"""What RISE and the gradient by its masks show: of what output, over silence or the background.

    python tests/rise_variants.py DATA
    python tests/rise_variants.py DATA --fold 4 --mixtures 60 --samples 400
    python tests/rise_variants.py DATA --only gradient    # variants whose names begin so
    python tests/rise_variants.py DATA --only gradient_components_8 --weights esc10-mel-noise

DATA is a folder like ESC-50. Two clips of different classes of a fold are mixed at 0 dB, as in
docs/localisation.md, and each class of which the network is sure enough is explained. Fold 4 chose
between the variants, so fold 5 is free for the page. Prints a table in Markdown: the mean contrast,
and pointing and IoU of the maps weighted by the level.
"""

import argparse
from pathlib import Path

import torch
from fill_rows import open_esc10
from torch import nn

import audiointerp as ai
from audiointerp.dataset import Mixtures
from audiointerp.interpretation import Level
from audiointerp.interpretation.components import component_shares, with_means
from audiointerp.scoring import localise

KINDS = {"probability": ai.RISE, "logit": ai.LogitRISE}
FILLS = ("silence", "background")
FRAMES = (0.0, 1.0, 2.0, 5.0)
"""Weights of the mean over a frame, of the gradient over the background."""
COMPONENTS = (4, 8, 12)
"""Numbers of components, whose means are added to the gradient with that of its frame."""
SHARED = {
    "random": ai.Random,
    "level": Level,
    "gradcam": ai.GradCAM,
    "rise_logit": ai.LogitRISE,
}
"""Other methods, to whose values the same means are added."""
COLUMNS = (("contrast", "none"), ("pointing", "level"), ("iou", "level"))


def variants_of(network: nn.Module, samples: int) -> dict[str, ai.Explainer]:
    """Return the variants by name; each RISE takes so many samples."""
    variants = {
        f"rise_{of}_{fill}": kind(network, fill=fill, samples=samples)
        for of, kind in KINDS.items()
        for fill in FILLS
    }
    variants["gradient_silence"] = ai.MaskGradient(
        network, fill="silence", frame=0, component_weight=0
    )
    for frame in FRAMES:
        explainer = ai.MaskGradient(network, frame=frame, component_weight=0)
        variants[f"gradient_background_frame_{frame:g}"] = explainer
    for count in COMPONENTS:
        variants[f"gradient_components_{count}"] = ai.MaskGradient(network, components=count)
    variants["gradcam"] = ai.GradCAM(network)
    for name, kind in SHARED.items():
        settings = {"samples": samples} if kind is ai.LogitRISE else {}
        variants[f"{name}_shared"] = shared(kind)(network, **settings)
    return variants


def shared(kind: type[ai.Explainer]) -> type[ai.Explainer]:
    """Make a method that adds the means by frame and component, as :class:`MaskGradient` does."""
    settings = ai.MaskGradient(nn.Identity())

    class Shared(kind):
        def _attribute(self, score, db):
            values, info = super()._attribute(score, db)
            added = []
            for clip, levels in zip(values, db, strict=True):
                shares = component_shares(levels[0], settings.components).to(clip)
                weight = settings.component_weight
                added.append(with_means(clip[None], settings.frame, shares, weight))
            return torch.cat(added), info

    return Shared


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--mixtures", type=int, default=60)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--only", default="", help="the first letters of the variants' names")
    parser.add_argument("--weights", default="esc10-mel")
    options = parser.parse_args()
    torch.set_num_threads(1)
    classifier = ai.load(options.weights)
    clips = open_esc10(classifier, options.data, (options.fold,))
    variants = variants_of(classifier.network, options.samples)
    methods = {name: each for name, each in variants.items() if name.startswith(options.only)}
    rows = localise(classifier, Mixtures(clips, options.mixtures, 0.0), methods, progress=False)
    scores = [score for score, _ in COLUMNS]
    table = rows[rows["status"] == "ok"].groupby(["method", "weight"])[scores].mean()
    print(f"| of, over | {' | '.join(scores)} |\n|---|---|---|---|")
    for name in (*methods, "level"):
        found = [table[score].get((name, weight), float("nan")) for score, weight in COLUMNS]
        print(f"| {name} | {' | '.join(f'{value:.2f}' for value in found)} |")


if __name__ == "__main__":
    main()
