"""Checks that a method can pass or fail without any truth about the clip.

Maps are compared by the rank correlation of their bins; two calls of a method by the largest
difference of their values, as a share of the largest magnitude.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..interpretation import Explainer, is_constant, seeded
from ..model import Classifier, bound_windows
from ..processing import Spectrogram
from .explain import explain_clip

SEEDS = (1208, 3404)
"""Global random states of the two calls whose values must be equal."""
SHIFT = 64
"""Frames, at most; a multiple of the time strides that networks have."""


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Return Spearman's ρ of two maps of one shape; equal values share their mean rank.

    A constant map orders nothing: it has ρ = 0 with any other map, and 1 with another constant one.
    NaN has no rank, so a map with one gives NaN.

    Raises:
        ArgumentError: their shapes differ.

    >>> rank_correlation(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([0.0, 5.0, 6.0]))
    1.0
    """
    if first.shape != second.shape:
        raise ArgumentError(
            f"maps of {tuple(first.shape)} and {tuple(second.shape)} cannot be compared"
        )
    if bool(first.isnan().any()) or bool(second.isnan().any()):
        return math.nan
    constant = is_constant(first) + is_constant(second)
    if constant:
        return float(constant == 2)
    ranks = torch.stack([_ranks(first), _ranks(second)])
    centred = ranks - ranks.mean(1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True)
    return round(float((unit[0] * unit[1]).sum()), 12)


def _ranks(values: Tensor) -> Tensor:
    _, places, counts = values.flatten().unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks: Tensor = (last - (counts - 1) / 2)[places]
    return ranks


def relative_difference(first: Tensor, second: Tensor) -> float:
    """Return the largest difference of two maps, as a share of the largest magnitude of both.

    >>> relative_difference(torch.tensor([4.0, 1.0]), torch.tensor([4.0, 2.0]))
    0.25
    """
    largest = float(torch.maximum(first.abs().max(), second.abs().max()))
    difference = float((first - second).abs().max())
    return difference / largest if difference else 0.0


def repeat_difference(
    classifier: Classifier, spectrogram: Spectrogram, explainer: Explainer, target: int
) -> float:
    """Return how much two calls differ that start from different global random states.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        explainer: the method.
        target: the explained class.

    >>> from audiointerp import Cnn6, LogMel, Random
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> repeat_difference(classifier, clip, Random(network), 0)
    0.0
    """
    values = []
    for seed in SEEDS:
        with seeded(seed):
            values.append(explain_clip(classifier, spectrogram, explainer, target).values)
    return relative_difference(*values)


def batch_difference(
    classifier: Classifier, spectrogram: Spectrogram, explainer: Explainer, target: int
) -> float:
    """Return how much a clip's map differs alone and in a batch with its own reversed levels.

    Of a longer clip, it is the first window. The arguments are those of
    :func:`repeat_difference`.

    >>> from audiointerp import Cnn6, LogMel, Random
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> batch_difference(classifier, clip, Random(network), 0)
    0.0
    """
    network, levels = bound_windows(classifier, spectrogram)[0]
    method = explainer.bound_to(network)
    # The same random state, so that a method that draws at random does not fail here too.
    with seeded(SEEDS[0]):
        alone = method(levels, target, output=classifier.output).values
    with seeded(SEEDS[0]):
        pair = torch.cat([levels, levels.flip(-1)])
        together = method(pair, target, output=classifier.output).values[:1]
    return relative_difference(alone, together)


def shift_correlation(
    classifier: Classifier,
    wav: Tensor,
    explainer: Explainer,
    target: int,
    values: Tensor,
    shift: int | None = None,
) -> float:
    """Return the rank correlation of a clip's map with the map of the clip rolled in time.

    The second map is rolled back. Frames within ``shift`` of the clip's ends, or of where they are
    in the rolled clip, are left out.

    Args:
        classifier: the classifier.
        wav: the clip, ``(1, 1, L)``.
        explainer: the method.
        target: the explained class.
        values: the clip's map.
        shift: frames; by default 64, or the largest power of two that is at most an eighth of the
            clip. It should be a multiple of the network's time strides, beyond which no network
            with strides can follow.

    Raises:
        ArgumentError: less than ``shift`` frames would be left.

    >>> from audiointerp import Cnn6, LogMel, Random
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> wav, method = torch.randn(1, 1, 32000), Random(network)
    >>> values = method(classifier.transform(wav).db).values
    >>> abs(shift_correlation(classifier, wav, method, 0, values)) < 0.2
    True
    """
    frames = values.shape[-1]
    if shift is None:
        shift = SHIFT
        while shift > max(1, frames // 8):
            shift //= 2
    if not 1 <= shift <= frames // 4:
        raise ArgumentError(
            f"shift={shift}: must be from 1 to a quarter of the clip's {frames} frames"
        )
    rolled = wav.roll(shift * classifier.transform.hop_length, -1).to(classifier.device)
    moved = explain_clip(classifier, classifier.transform(rolled), explainer, target).values
    kept = slice(shift, frames - 2 * shift)
    return rank_correlation(values[..., kept], moved.roll(-shift, -1)[..., kept])


def class_correlation(
    classifier: Classifier,
    spectrogram: Spectrogram,
    explainer: Explainer,
    second: int,
    values: Tensor,
) -> float:
    """Return the rank correlation of a clip's map with that of another class.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        explainer: the method.
        second: the other class.
        values: the map of the explained class.

    >>> from audiointerp import Cnn6, LogMel, Random
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip, method = classifier.transform(torch.randn(1, 1, 32000)), Random(network)
    >>> class_correlation(classifier, clip, method, 1, method(clip.db, 0).values)
    1.0
    """
    return rank_correlation(values, explain_clip(classifier, spectrogram, explainer, second).values)


def network_agreement(
    classifiers: Sequence[Classifier],
    wav: Tensor,
    explainer: Explainer,
    target: int,
    values: Tensor,
) -> float:
    """Return the mean rank correlation of a clip's maps by each two of several networks.

    Args:
        classifiers: two or more with the same labels and the same grid, e.g. of other seeds.
        wav: the clip, ``(1, 1, L)``.
        explainer: the method, built on the network of the first; for the others it is built again
            with the same arguments.
        target: the explained class.
        values: the map by the first network.

    Raises:
        ArgumentError: there are fewer than two, their labels or grids differ, or an argument of the
            method belongs to the first network, e.g. a layer.

    >>> from audiointerp import Cnn6, LogMel, Random
    >>> networks = [Cnn6(2, base_channels=4) for _ in range(2)]
    >>> pair = [Classifier(network, LogMel(), ["cat", "dog"], duration=1.0) for network in networks]
    >>> wav, method = torch.randn(1, 1, 32000), Random(networks[0])
    >>> network_agreement(pair, wav, method, 0, method(LogMel()(wav).db).values)
    1.0
    """
    if len(classifiers) < 2:
        raise ArgumentError("agreement between networks needs at least two classifiers")
    if any(other.labels != classifiers[0].labels for other in classifiers):
        raise ArgumentError("agreement between networks needs classifiers with the same labels")
    grids = {_grid(classifier): classifier.transform for classifier in classifiers}
    if len(grids) > 1:
        first, second, *_ = grids.values()
        raise ArgumentError(
            f"agreement between networks needs the same grid, not {first} and {second}"
        )
    maps = [values.cpu()]
    for classifier in classifiers[1:]:
        method = built_for(explainer, classifier.network)
        spectrogram = classifier.transform(wav.to(classifier.device))
        maps.append(explain_clip(classifier, spectrogram, method, target).values.cpu())
    correlations = [rank_correlation(*pair) for pair in combinations(maps, 2)]
    return sum(correlations) / len(correlations)


def _grid(classifier: Classifier) -> tuple[Any, ...]:
    """What says where the bins and frames of a map lie."""
    transform = classifier.transform
    frequencies = tuple(transform.frequencies.tolist())
    return transform.sample_rate, transform.hop_length, frequencies


def built_for(explainer: Explainer, network: nn.Module) -> Explainer:
    """Return an explainer of another network, made with the same arguments.

    Raises:
        ArgumentError: an argument is a module, e.g. a layer of the explainer's own network.

    >>> from audiointerp import Cnn6, Random
    >>> built_for(Random(Cnn6(2, base_channels=4), seed=7), Cnn6(2, base_channels=4)).seed
    7
    """
    arguments, keywords = explainer.made_with
    # The network itself is the first argument, or is given by its name.
    others = {name: value for name, value in keywords.items() if name != "network"}
    if any(isinstance(value, nn.Module) for value in (*arguments[1:], *others.values())):
        raise ArgumentError(
            f"{explainer.name} was made with a module of its own network; give the layer's name "
            f"instead, which other networks have too"
        )
    return type(explainer)(network, *arguments[1:], **others).renamed(explainer.name)
