"""Checks that features are what a transform computes, but for a factor and a constant."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ModelError
from ..processing import Transform

LARGEST_DIFFERENCE = 0.01
"""Between the features and the transform, in dB: about what float32 leaves in quiet bins."""
ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "(N, 1, F, T)": lambda features: features,
    "(N, 1, T, F)": lambda features: features.transpose(2, 3),
    "(N, F, T)": lambda features: features[:, 0],
    "(N, T, F)": lambda features: features[:, 0].transpose(1, 2),
    # Before a batch normalisation of the bands, as PANNs have it.
    "(N, F, T, 1)": lambda features: features.permute(0, 2, 3, 1),
}
"""The shapes of features that networks take, each made of ``(N, 1, F, T)``."""
PROBES = (
    "noise",
    "quiet noise",
    "a click in silence",
    "silence",
    "a loud tone in noise",
    "noise that fades in",
)
Unequal = Callable[[str], str]
"""From what is wrong with features to the whole message, with what to do."""


class LinearFit(NamedTuple):
    """What features are: a linear function of the levels, in an order of axes.

    >>> fit = LinearFit(0.5, 1.0, "(N, T, F)")
    >>> fit.features(torch.tensor([[[[2.0, 4.0, 6.0]]]])).tolist()
    [[[2.0], [3.0], [4.0]]]
    """

    slope: float
    intercept: float
    order: str

    def features(self, levels: Tensor) -> Tensor:
        """Return the features of levels ``(N, 1, F, T)``."""
        return ORDERS[self.order](levels) * self.slope + self.intercept

    def largest_difference(self, features: Tensor, levels: Tensor) -> tuple[float, tuple[int, ...]]:
        """Return the largest difference of features, in the unit of the levels, and its place."""
        expected = ORDERS[self.order](levels).double()
        differences = ((features.double() - self.intercept) / self.slope - expected).abs()
        # A NaN is no small difference.
        place = torch.unravel_index(differences.nan_to_num(torch.inf).argmax(), expected.shape)
        return float(differences[place].nan_to_num(torch.inf)), tuple(int(index) for index in place)


def linear_fits(features: Tensor, levels: Tensor) -> list[tuple[float, tuple[int, ...], LinearFit]]:
    """Fit features as a linear function of levels, in each order of axes that has their shape.

    Returns:
        For each order the largest difference, its place, and the fit; the best one first.

    >>> levels = torch.rand(1, 1, 2, 3)
    >>> [fit.order for _, _, fit in linear_fits(2 * levels[:, 0], levels)]
    ['(N, F, T)']
    """
    fits = []
    for order, ordered in ORDERS.items():
        expected = ordered(levels)
        if features.shape != expected.shape:
            continue
        x, y = expected.double(), features.double()
        slope = ((x - x.mean()) * (y - y.mean())).mean() / x.var(correction=0)
        fit = LinearFit(float(slope), float(y.mean() - slope * x.mean()), order)
        fits.append((*fit.largest_difference(features, levels), fit))
    return sorted(fits, key=lambda possibility: possibility[0])


def probes(length: int) -> Tensor:
    """Return sounds ``(6, 1, L)`` with levels all over the range, in the order of PROBES.

    >>> probes(1600).shape
    torch.Size([6, 1, 1600])
    """
    sounds = torch.zeros(len(PROBES), 1, length)
    noise = torch.randn(length, generator=torch.Generator().manual_seed(0))
    sounds[0, 0] = 0.2 * noise
    sounds[1, 0] = 0.002 * noise.roll(length // 2)
    sounds[2, 0, length // 3] = 1
    # As loud as a clip can be, for limits from above and relative to the peak; a tone in a band.
    sounds[4, 0] = 0.9 * torch.sin(0.5 * torch.arange(length)) + 0.01 * noise.roll(length // 3)
    # Around the floor, log(x + floor) and log(max(x, floor)) differ.
    sounds[5, 0] = 0.2 * torch.logspace(-7, 0, length) * noise
    return sounds


def equal_fit(
    transform: Transform,
    features_of: Callable[[Tensor], Tensor],
    sounds: Tensor,
    others: Tensor,
    unequal: Unequal,
) -> LinearFit:
    """Return what features are as a linear function of the levels of a transform.

    Args:
        transform: the transform.
        features_of: from sounds ``(N, 1, L)`` to features.
        sounds: of :func:`probes`.
        others: the same sounds, maybe of another length, which are given in two batches.
        unequal: makes the whole message of what is wrong.

    Raises:
        ModelError: the features are something else, or those of a sound depend on more than it.

    >>> from audiointerp.processing import LogMel
    >>> transform, sounds = LogMel(), probes(32000)
    >>> fit = equal_fit(transform, lambda wav: 2 * transform(wav).db + 1, sounds, sounds, str)
    >>> round(fit.slope, 4), round(fit.intercept, 3), fit.order
    (2.0, 1.0, '(N, 1, F, T)')
    """
    levels, features, unit = _levels_and_features(transform, features_of, sounds)
    fits = linear_fits(features, levels)
    if not fits:
        raise ModelError(unequal(_other_shape(features, levels, sounds.shape[-1])))
    difference, place, fit = fits[0]
    if not difference * unit <= LARGEST_DIFFERENCE:
        raise ModelError(unequal(_different(difference * unit, place, transform)))
    for batch in others.split(len(others) // 2):
        levels, features, _ = _levels_and_features(transform, features_of, batch)
        if features.shape != ORDERS[fit.order](levels).shape:
            raise ModelError(unequal(_other_shape(features, levels, batch.shape[-1])))
        difference, _ = fit.largest_difference(features, levels)
        if not difference * unit <= LARGEST_DIFFERENCE:
            raise ModelError(unequal(_not_of_the_sound_alone(difference * unit)))
    return fit


def _levels_and_features(
    transform: Transform, features_of: Callable[[Tensor], Tensor], sounds: Tensor
) -> tuple[Tensor, Tensor, float]:
    """What the transform and the model make of sounds, and how many dB the unit of both is."""
    with torch.no_grad():
        db = transform(sounds).db
        levels = transform.scaled(db)
        return levels, features_of(sounds), float(db.std() / levels.std())


def _other_shape(features: Tensor, levels: Tensor, samples: int) -> str:
    return (
        f"the front end makes features {tuple(features.shape)} of {samples} samples, "
        f"and the transform levels {tuple(levels.shape)}; give a transform with its bins, hop "
        f"and padding"
    )


def _different(difference: float, place: tuple[int, ...], transform: Transform) -> str:
    *_, row, column = place
    return (
        f"the front end does not compute what {type(transform).__name__} computes: up to "
        f"{difference:.3g} dB apart, in {PROBES[place[0]]} at bin or frame {row}, {column}; make "
        f"the transform equal (window, mel_scale, mel_norm, center, padding, scaling with its "
        f"offset; no limit below the loudest level, as top_db sets)"
    )


def _not_of_the_sound_alone(difference: float) -> str:
    return (
        f"the front end makes other features of a sound in another batch, of another "
        f"length or in a second call: up to {difference:.3g} dB apart; make each "
        f"sound's features depend on that sound alone (no statistics of the batch, no "
        f"randomness)"
    )
