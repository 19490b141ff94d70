"""How the time of the library's work grows with clips, bins, background clips and masks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from audiointerp import SHAP, Cnn14, Saliency
from audiointerp.model import initialise, optimized
from audiointerp.scoring import classify_parts
from audiointerp.util import folded

from .material import Material
from .measure import Side, timed

RUNS = 2
MASKS = 4


@dataclass(frozen=True)
class Growth:
    """Seconds of some work at multiples of its size.

    Attributes:
        name: of what is multiplied, with the work.
        unit: how much there is at the multiple 1.
        multiples: of the size.
        seconds: at each multiple, the least of some runs.
    """

    name: str
    unit: int
    multiples: tuple[int, ...]
    seconds: tuple[float, ...]


def growths(material: Material) -> Iterator[Growth]:
    """Yield the growth with each size in turn."""
    multiples = material.size.growth
    kinds: dict[str, tuple[int, Callable[[Material, int], Side]]] = {
        "clips (saliency)": (1, _of_clips),
        "bins (saliency)": (material.db.shape[2], _of_bins),
        "background clips (SHAP)": (material.size.backgrounds, _of_backgrounds),
        "masks (scores)": (MASKS, _of_masks),
    }
    for name, (unit, make) in kinds.items():
        seconds = tuple(_least(make(material, multiple)) for multiple in multiples)
        yield Growth(name, unit, multiples, seconds)


def _least(side: Side) -> float:
    side()
    return min(timed(side)[0] for _ in range(RUNS))


def _of_clips(material: Material, multiple: int) -> Side:
    db = material.background.repeat(multiple, 1, 1, 1)[:multiple]
    method = Saliency(optimized(material.large, "folded").network)
    return lambda: method(db).values


def _of_bins(material: Material, multiple: int) -> Side:
    db = material.db.repeat(1, 1, multiple, 1)
    network = Cnn14(2, num_bins=db.shape[2], base_channels=material.size.channels).eval()
    initialise(network, seed=0)
    method = Saliency(folded(network, db) or network)
    return lambda: method(db).values


def _of_backgrounds(material: Material, multiple: int) -> Side:
    count = material.size.backgrounds * multiple
    background = material.background.repeat(multiple, 1, 1, 1)[:count]
    method = SHAP(material.large.network, background)
    return lambda: method(material.db).values


def _of_masks(material: Material, multiple: int) -> Side:
    fast = optimized(material.large, "folded")
    spectrogram = material.large.transform(material.clips[0][0][None])
    generator = torch.Generator().manual_seed(0)
    size = (MASKS * multiple, *spectrogram.db.shape[1:])
    masks = torch.rand(size, generator=generator)
    target = torch.tensor([0])
    return lambda: classify_parts(fast, spectrogram, target, masks).probs
