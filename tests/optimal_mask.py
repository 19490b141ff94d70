"""The optimal mask against other methods, as heard: the table of docs/methods.md.

Usage: python tests/optimal_mask.py DATA [--clips N] [--others FILE ...] [--methods NAME ...]
                                        [--rows FILE] [--second FILE] [--randomise]

DATA is ESC-10 in the layout of ESC-50. Of fold 5, N clips that the network classifies correctly are
taken, spread over the fold. Each method explains the network of weights/esc10_mel_cnn10, and its
largest 10, 20 and 30 % of the bins are kept or removed with the fill "background". The sounds are
analysed anew and classified by that network and by the networks of --others, which no method has
seen, there for the clips that they classify correctly. Printed are the means of AD and FF, and
the paired differences of the optimal mask to each method, with intervals over recordings.

With --rows the rows are kept in a file, and what it has is not computed again. With --methods other
methods are compared; of VARIATIONS, those of the optimal mask.

With --randomise the rank correlation of each method's map with that of the network with new random
weights is printed instead, the mean over the clips, beside that with the clip's own levels.
"""

import argparse
import copy
import time
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

import audiointerp as ai
from audiointerp.dataset import recording_of
from audiointerp.experiments import TEST_FOLDS, TRAIN_FOLDS, background_of, open_data
from audiointerp.interpretation import ranking, resolve_mask
from audiointerp.interpretation.default_layer import early_layer
from audiointerp.interpretation.measurement import Measurement
from audiointerp.interpretation.preserve import seeded
from audiointerp.metrics import average_drop, faithfulness
from audiointerp.tables import FEWEST, bootstrap_interval, bootstrap_p_values, holm

WEIGHTS = Path(__file__).parents[1] / "weights" / "esc10_mel_cnn10.safetensors"
AREAS = (10, 20, 30)
SIGNIFICANT = 0.05
FILL = "background"
BACKGROUND: list[Tensor] = []
"""For SHAP, put here by :func:`measure`: two clips of each class, of the training folds."""


class WithDropout(ai.OptimalMask):
    """Each step draws units to drop, as in training."""

    def _loss_and_gradient(self, score, levels):
        layers = [module for module in self.network.modules() if isinstance(module, nn.Dropout)]
        for layer in layers:
            layer.train()
        try:
            return super()._loss_and_gradient(score, levels)
        finally:
            for layer in layers:
                layer.eval()


class WithWeightNoise(ai.OptimalMask):
    """Each step multiplies the weights of all layers by 1 plus noise."""

    noise = 0.1

    def _loss_and_gradient(self, score, levels):
        weights = [weight for weight in self.network.parameters() if weight.ndim > 1]
        kept = [weight.data for weight in weights]
        for weight in weights:
            weight.data = weight.data * (1 + self.noise * torch.randn_like(weight))
        try:
            return super()._loss_and_gradient(score, levels)
        finally:
            for weight, data in zip(weights, kept, strict=True):
                weight.data = data


class WithGain(ai.OptimalMask):
    """Each step changes the level of the whole clip by -20 to 0 dB."""

    def _loss_and_gradient(self, score, levels):
        return super()._loss_and_gradient(score, (levels - 20 * torch.rand(())).clamp_min(-100))


class WithShift(ai.OptimalMask):
    """Each step rotates the clip in time."""

    def _loss_and_gradient(self, score, levels):
        frames = int(torch.randint(levels.shape[-1], ()))
        loss, gradient = super()._loss_and_gradient(score, levels.roll(frames, -1))
        return loss, gradient.roll(-frames, -1)


class WithNoise(ai.OptimalMask):
    """Each step adds noise of 3 dB to each bin."""

    def _loss_and_gradient(self, score, levels):
        return super()._loss_and_gradient(score, levels + 3 * torch.randn_like(levels[:1]))


class WithNetworks(ai.OptimalMask):
    """Each step takes one of several networks."""

    others = ()

    def _loss_and_gradient(self, score, levels):
        networks = [score.network, *self.others]
        drawn = networks[int(torch.randint(len(networks), ()))]
        other = type(score)(drawn, score.target, score.against, score.output)
        return super()._loss_and_gradient(other, levels)


class Coarse(ai.OptimalMask):
    """The grids of the first prototype."""

    def _explain_clip(self, score, db, start):
        with mock.patch.object(ranking, "CELLS", ((16, 32), (8, 16), (4, 8))):
            return super()._explain_clip(score, db, start)


class Analysis(nn.Module):
    """A network on features as one on sounds."""

    def __init__(self, classifier):
        super().__init__()
        self.transform, self.network = classifier.transform, classifier.network

    def forward(self, wav):
        return self.network(self.transform(wav).db)


def through_the_sound(classifier, spectrogram):
    """The network from levels of a clip to logits, where the levels are heard and analysed."""
    heard = ai.Classifier.from_waveform(
        Analysis(classifier),
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize=classifier.normalize,
        grid=classifier.transform,
        shape="NCL",
    )
    return heard.bind(spectrogram)


@cache
def shap(network):
    """One explainer for all clips, since it runs its background once."""
    return ai.SHAP(network, BACKGROUND[0])


def early_layercam(network, db):
    return ai.LayerCAM(network, early_layer(Measurement(network, db)))


def both_ranked(network: nn.Module, db: Tensor) -> Tensor:
    """The sum of the ranks of early LayerCAM and of integrated gradients."""
    maps = [
        early_layercam(network, db)(db).values,
        ai.IntegratedGradients(network, steps=10)(db).values,
    ]
    return sum(values.flatten().argsort().argsort().view_as(db).to(db) for values in maps)


METHODS = {
    "optimal": lambda network, db: ai.OptimalMask(network),
    "gradcam": lambda network, db: ai.GradCAM(network),
    "layercam, early": early_layercam,
    "saliency": lambda network, db: ai.Saliency(network),
    "integrated_gradients": lambda network, db: ai.IntegratedGradients(network),
    "shap": lambda network, db: shap(network),
    "occlusion": lambda network, db: ai.Occlusion(network, samples=300),
    "rise": lambda network, db: ai.RISE(network, samples=300),
    "lime": lambda network, db: ai.LIME(network, "grid", samples=512),
    "random": lambda network, db: ai.Random(network),
}
"""What is compared."""
VARIATIONS = {
    "start: none": lambda network, db: ai.OptimalMask(network, start="none"),
    "start: with integrated gradients": lambda network, db: ai.OptimalMask(
        network, start=both_ranked(network, db)
    ),
    "cells to 16 x 32": lambda network, db: Coarse(network),
    "four fills": lambda network, db: ai.OptimalMask(
        network, fills=("silence", "background", "noise", "blur")
    ),
    "fill: silence": lambda network, db: ai.OptimalMask(network, fills=("silence",)),
    "15 steps": lambda network, db: ai.OptimalMask(network, steps=15),
    "80 steps": lambda network, db: ai.OptimalMask(network, steps=80),
    "areas to 0.35": lambda network, db: ai.OptimalMask(network, areas=(0.05, 0.35)),
    "dropout": lambda network, db: WithDropout(network),
    "weight noise": lambda network, db: WithWeightNoise(network),
    "gain": lambda network, db: WithGain(network),
    "time shift": lambda network, db: WithShift(network),
    "noise of 3 dB": lambda network, db: WithNoise(network),
    "through the sound": lambda network, db: ai.OptimalMask(network),
    "two networks": lambda network, db: WithNetworks(network),
}
"""The optimal mask in other ways."""


@dataclass
class Bench:
    """The networks: that which is explained, and those that no method has seen."""

    classifier: ai.Classifier
    others: dict[str, ai.Classifier]

    @torch.no_grad()
    def probabilities(self, wavs: Tensor) -> dict[str, Tensor]:
        """The probabilities ``(N, C)`` of sounds, by network."""
        db = self.classifier.transform(wavs).db
        networks = {"own": self.classifier, **self.others}
        return {name: network.probabilities(db) for name, network in networks.items()}

    def rows(self, wav: Tensor, target: int, method: str) -> list[dict[str, object]]:
        """A row per network and area of one method's map of a clip ``(1, 1, L)``."""
        spectrogram = self.classifier.transform(wav)
        start = time.process_time()
        values = self.values(method, spectrogram, target)
        seconds = time.process_time() - start
        masks = torch.cat([resolve_mask(f"topK_{area}")[1](values) for area in AREAS])
        both = torch.cat([masks, 1 - masks])
        sounds = [spectrogram.masked(mask[None], fill=FILL).to_wav() for mask in both]
        rows = []
        for network, probs in self.probabilities(torch.cat([wav, *sounds])).items():
            p, p_in, p_out = probs[:, target].split([1, len(AREAS), len(AREAS)])
            drops, losses = average_drop(p, p_in), faithfulness(p, p_out)
            for area, drop, loss in zip(AREAS, drops.tolist(), losses.tolist(), strict=True):
                row = {"network": network, "area": area, "AD": drop, "FF": loss, "p": float(p)}
                is_correct = int(probs[0].argmax()) == target
                rows.append({**row, "correct": is_correct, "seconds": seconds})
        return rows

    def values(self, method: str, spectrogram: ai.Spectrogram, target: int) -> Tensor:
        torch.manual_seed(0)
        network, db = self.classifier.network, spectrogram.db
        explainer = {**METHODS, **VARIATIONS}[method](network, db)
        if method == "through the sound":
            explainer = explainer.bound_to(through_the_sound(self.classifier, spectrogram))
        return explainer(db, target).values


def measure(options: argparse.Namespace) -> pd.DataFrame:
    """The rows of all clips and methods."""
    classifier = ai.Classifier.load(WEIGHTS)
    if options.second:
        WithNetworks.others = (ai.Classifier.load(options.second).network.eval(),)
    others = {Path(path).stem: ai.Classifier.load(path) for path in options.others}
    bench = Bench(classifier, others)
    data = open_esc10(options.data, classifier)
    train = open_esc10(options.data, classifier, TRAIN_FOLDS)
    BACKGROUND[:] = [background_of(train, classifier.transform)]
    rows = []
    kept = Path(options.rows) if options.rows else None
    if kept is not None and kept.is_file():
        rows = pd.read_csv(kept, dtype={"recording": str}).to_dict("records")
    done = {(row["clip"], row["method"]) for row in rows}
    for index in chosen(bench, data, options.clips):
        name, (wav, target) = data.clip_id(index), data[index]
        for method in options.methods:
            if (name, method) in done:
                continue
            identity = {"clip": name, "recording": recording_of(data, index), "method": method}
            rows += [{**identity, **row} for row in bench.rows(wav[None], int(target), method)]
            if kept is not None:
                pd.DataFrame(rows).to_csv(kept, index=False)
    return pd.DataFrame(rows)


def open_esc10(
    path: str, classifier: ai.Classifier, folds: tuple[int, ...] = TEST_FOLDS
) -> ai.ESC50:
    """The clips of some folds of ESC-10, by default the test clips."""
    rate, duration = classifier.sample_rate, classifier.duration
    return open_data(path, folds, "esc10", sample_rate=rate, duration=duration)


def chosen(bench: Bench, data: ai.ESC50, clips: int) -> list[int]:
    """Numbers of clips that the explained network classifies correctly, spread over the data."""
    wavs = torch.stack([data[index][0] for index in range(len(data))])
    predicted = torch.cat(
        [bench.probabilities(part)["own"].argmax(1) for part in wavs.split(16)]
    ).tolist()
    correct = [index for index in range(len(data)) if predicted[index] == data[index][1]]
    places = torch.linspace(0, len(correct) - 1, min(clips, len(correct))).round().int().tolist()
    return [correct[place] for place in places]


def table(rows: pd.DataFrame, reference: str = "optimal") -> str:
    """Means, and the differences of the reference to each method, as Markdown."""
    lines = []
    for network, of_network in rows[rows["correct"]].groupby("network", sort=False):
        lines += [f"\nNetwork: {network}, {of_network['clip'].nunique()} clips\n"]
        lines += ["| method | " + " | ".join(f"{s} {a} %" for s in ("AD", "FF") for a in AREAS)]
        lines[-1] += f" | AD, {reference} − it | FF, {reference} − it | CPU s |"
        lines += ["|---|" + "---|" * (2 * len(AREAS) + 3)]
        wide = of_network.pivot_table(
            index=["clip", "recording"], columns=["method", "area"], values=["AD", "FF"]
        )
        seconds = of_network.groupby("method")["seconds"].mean()
        differences = _differences(wide, reference)
        for method in of_network["method"].unique():
            means = [
                f"{wide[score, method, area].mean():.{1 if score == 'AD' else 2}f}"
                for score in ("AD", "FF")
                for area in AREAS
            ]
            less = [differences.get((method, score), "") for score in ("AD", "FF")]
            cells = [method, *means, *less, f"{seconds[method]:.1f}"]
            lines += ["| " + " | ".join(cells) + " |"]
    return "\n".join(lines)


def _differences(wide: pd.DataFrame, reference: str) -> dict[tuple[str, str], str]:
    """The mean over the areas of the reference less each method, with its interval.

    Bold is what remains after Holm's correction over the methods and both scores.
    """
    methods = [name for name in wide["AD"].columns.unique("method") if name != reference]
    texts, p_values = {}, []
    for method, score in product(methods, ("AD", "FF")):
        paired = (wide[score, reference] - wide[score, method]).mean(axis=1).dropna()
        recordings = paired.index.get_level_values("recording").tolist()
        values, decimals = paired.to_numpy()[:, None], 1 if score == "AD" else 2
        texts[method, score] = f"{paired.mean():+.{decimals}f}"
        if len(set(recordings)) >= FEWEST:
            low, high = bootstrap_interval(values, recordings)
            texts[method, score] += f" [{low[0]:+.{decimals}f}, {high[0]:+.{decimals}f}]"
        p_values.append(float(bootstrap_p_values(values, recordings)[0]))
    corrected = holm(np.array(p_values))
    return {
        key: f"**{text}**" if p_value <= SIGNIFICANT else text
        for (key, text), p_value in zip(texts.items(), corrected, strict=True)
    }


def correlations(options: argparse.Namespace) -> str:
    """Rank correlations of maps with those of a network of random weights, as Markdown."""
    classifier = ai.Classifier.load(WEIGHTS)
    data = open_esc10(options.data, classifier)
    bench = Bench(classifier, {})
    rows: dict[str, list[list[float]]] = {method: [] for method in options.methods}
    for number, index in enumerate(chosen(bench, data, options.clips)):
        wav, target = data[index]
        spectrogram = classifier.transform(wav[None])
        randomised = Bench(copy.deepcopy(classifier), {})
        with seeded(number):
            for module in randomised.classifier.network.modules():
                getattr(module, "reset_parameters", lambda: None)()
        for method in options.methods:
            values = bench.values(method, spectrogram, target)
            others = (randomised.values(method, spectrogram, target), spectrogram.db)
            rows[method].append([rank_correlation(values, other) for other in others])
    lines = ["| method | ρ with random weights | its mean magnitude | ρ with the level |"]
    lines += ["|---|---|---|---|"]
    for method, of_method in rows.items():
        random, level = torch.tensor(of_method).T
        cells = [random.mean(), random.abs().mean(), level.mean()]
        lines += [f"| {method} | " + " | ".join(f"{float(cell):+.2f}" for cell in cells) + " |"]
    return "\n".join(lines)


def rank_correlation(first: Tensor, second: Tensor) -> float:
    return float(spearmanr(first.flatten(), second.flatten()).statistic)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--others", nargs="*", default=[])
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--second", help="the other network of the variation 'two networks'")
    parser.add_argument("--rows")
    parser.add_argument("--randomise", action="store_true")
    torch.set_num_threads(1)
    arguments = parser.parse_args()
    # The table compares it with the others.
    arguments.methods = list(dict.fromkeys(["optimal", *arguments.methods]))
    print(correlations(arguments) if arguments.randomise else table(measure(arguments)))
