"""The work of the large network: each explanation, the scores, and a forward pass."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiointerp import LIME, MASKS, SHAP, GradCAM, Saliency, Spectrogram
from audiointerp.interpretation.segments import segmented
from audiointerp.model import Classifier, optimized
from audiointerp.scoring import classify_parts

from . import packages, published
from .material import Material, forward_flop
from .measure import LIBRARY, REFERENCE, Work

LAYER = "conv_block6.conv2"
"""The last convolution, from which Grad-CAM takes its map."""
FEW = 12
"""Clips among which LIME's is chosen."""
SCORES = ("FF", "AI", "AD", "AG", "FidIn", "SPS", "COMP")


@dataclass(frozen=True, eq=False)
class _Networks:
    """The same weights three times: as the library has them, folded, and as scripts write them."""

    material: Material
    fast: Classifier
    script: nn.Module
    flop: float

    @property
    def plain(self) -> nn.Module:
        return self.material.large.network

    @property
    def layer(self) -> nn.Module:
        return self.plain.get_submodule(LAYER)


def works(material: Material) -> Iterator[Work]:
    """Yield the work of the table, row by row."""
    networks = _Networks(
        material=material,
        fast=optimized(material.large, "folded"),
        script=published.ScriptCnn14(material.large.network).eval(),
        flop=forward_flop(material.large.network, material.db),
    )
    # Scripts never switch the parameters' gradients off.
    networks.plain.requires_grad_(True)
    for row in (
        _forward,
        _saliency,
        _grad_cam,
        _shap,
        _many_backgrounds,
        _second_clip,
        _lime,
        _score,
    ):
        yield row(networks)


def _forward(networks: _Networks) -> Work:
    def run(network: nn.Module) -> Callable[[], Tensor]:
        def forward() -> Tensor:
            with torch.no_grad():
                probabilities: Tensor = network(networks.material.db).softmax(1)
            return probabilities

        return forward

    sides = {
        REFERENCE: run(networks.script),
        LIBRARY: run(networks.fast.network),
        "library, not folded": run(networks.plain),
    }
    return Work("forward", sides, flop=networks.flop, pairs=2 * networks.material.size.pairs)


def _saliency(networks: _Networks) -> Work:
    db, method = networks.material.db, Saliency(networks.fast.network)
    plain = Saliency(networks.plain)
    sides = {
        REFERENCE: lambda: published.saliency(networks.script, db),
        LIBRARY: lambda: method(db).values,
        "library, not folded": lambda: plain(db).values,
        "captum": lambda: packages.captum_saliency(networks.plain, db),
    }
    pairs = networks.material.size.pairs
    return Work("saliency", sides, flop=2 * networks.flop, pairs=pairs, goal=2.5)


def _grad_cam(networks: _Networks) -> Work:
    db, plain = networks.material.db, GradCAM(networks.plain)
    # As score and run bind it: the layer is found in the network itself, and used in the copy.
    method = GradCAM(networks.plain).bound_to(networks.fast.network)
    sides = {
        REFERENCE: lambda: published.grad_cam(networks.script, networks.layer, db),
        LIBRARY: lambda: method(db).values,
        "library, not folded": lambda: plain(db).values,
        "captum": lambda: packages.captum_grad_cam(networks.plain, networks.layer, db),
        "pytorch-grad-cam": lambda: packages.pytorch_grad_cam(networks.plain, networks.layer, db),
    }
    pairs = networks.material.size.pairs
    return Work("Grad-CAM", sides, flop=networks.flop, pairs=pairs, goal=6.0)


def _shap(networks: _Networks) -> Work:
    material = networks.material
    db, background = material.db, material.background[: material.size.backgrounds]
    method = SHAP(networks.plain, background)
    # The first call runs the background, so what is timed is a later clip.
    target = int(method(db).target)
    # Each has its own, since shap leaves parameters in a network: ours would be explained anew.
    for_shap, for_captum = (copy.deepcopy(networks.plain) for _ in range(2))
    sides = {
        REFERENCE: lambda: published.shap_values(networks.script, background, db),
        LIBRARY: lambda: method(db).values,
        "shap": lambda: packages.shap_deep(for_shap, background, db, target),
        "captum DeepLiftShap": lambda: packages.captum_deep_lift(
            for_captum, background, db, target
        ),
    }
    pairs, parts = max(1, material.size.pairs - 2), len(background)
    name = "SHAP, per background clip"
    return Work(name, sides, parts, 2 * networks.flop, pairs, goal=5.0)


def _many_backgrounds(networks: _Networks) -> Work:
    db, background = networks.material.db, networks.material.background
    # Made anew, so that the background's forward pass is counted.
    sides = {LIBRARY: lambda: SHAP(networks.plain, background)(db).values}
    name = f"SHAP, {len(background)} background clips, the first clip"
    return Work(name, sides, len(background), 2 * networks.flop, pairs=0)


def _second_clip(networks: _Networks) -> Work:
    db, background = networks.material.db, networks.material.background
    method = SHAP(networks.plain, background)
    method(db)
    # What each further clip of a run pays: of the background, what fits the budget is kept.
    sides = {LIBRARY: lambda: method(db).values}
    name = f"SHAP, {len(background)} background clips, a later clip"
    return Work(name, sides, len(background), 2 * networks.flop, pairs=0)


def _lime(networks: _Networks) -> Work:
    material = networks.material
    db, count = _fewest_segments(material)
    segments = segmented(db, "quickshift", seed=0)
    samples = max(material.size.samples, 2 * count)
    method = LIME(networks.fast.network, samples=samples, progress=False)
    sides = {
        REFERENCE: lambda: published.lime_values(networks.script, db, samples),
        LIBRARY: lambda: method(db).values,
        "captum": lambda: packages.captum_lime(networks.plain, db, segments, samples),
    }
    pairs = max(1, material.size.pairs - 3)
    return Work("LIME, a sample", sides, samples, networks.flop, pairs, goal=1.6)


def _fewest_segments(material: Material) -> tuple[Tensor, int]:
    """Return the clip with the fewest segments, which needs the fewest samples, and how many."""
    clips = [material.db, *material.background[:FEW].split(1)]
    counts = [int(segmented(db, "quickshift", seed=0).max()) + 1 for db in clips]
    least = min(counts)
    return clips[counts.index(least)], least


def _score(networks: _Networks) -> Work:
    material = networks.material
    wav = material.clips[0][0][None]
    spectrogram: Spectrogram = material.large.transform(wav)
    attribution = Saliency(networks.fast.network)(spectrogram.db)
    names = list(MASKS)[: material.size.masks]
    masks = torch.cat([MASKS[name](attribution.values) for name in names])

    def library() -> Tensor:
        outcomes = classify_parts(networks.fast, spectrogram, attribution.target, masks)
        scores = outcomes.scores(masks)
        return torch.stack([scores[name].float() for name in SCORES])

    sides = {
        REFERENCE: lambda: published.scores(networks.script, spectrogram.db, masks.split(1)),
        LIBRARY: library,
    }
    pairs, flop = max(1, material.size.pairs - 2), (1 + 2 * len(masks)) * networks.flop
    return Work(f"score {len(masks)} masks", sides, flop=flop, pairs=pairs, goal=4.0)
