"""Where the explained source lies in a mixture, and the map that is compared with it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import choose
from ..util import FLOOR
from .localisation_scores import mean_ranks

AUDIBLE = 40.0
"""A source is audible where its level is within so many dB of its own largest."""
WEIGHT_DB = (60.0, 40.0)
"""The weight of a bin rises from 0 to 1 between so many dB below the clip's largest level."""
AXES = ("bins", "time")
"""What is compared: bins of the spectrogram, or frames."""
WEIGHTS = ("none", "level")
"""How a map is weighted before it is compared."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The bins (or frames) of one source in a mixture.

    Attributes:
        source: bool ``(1, 1, F, T)``: it is louder there than all others together, and audible:
            within 40 dB of its own largest level, above the floor.
        audible: bool ``(1, 1, F, T)``: it or the others are.

    >>> levels = torch.tensor([[[[-20.0, -70.0, -30.0]]]])
    >>> truth_of(levels, levels.flip(-1)).source.tolist()
    [[[[True, False, False]]]]
    """

    source: Tensor
    audible: Tensor


def truth_of(source: Tensor, others: Tensor, axis: str = "bins") -> Truth:
    """Return where a source lies, from the levels of it and of the rest of the mixture.

    Args:
        source, others: in dB, ``(1, 1, F, T)``, as they lie in the mixture.
        axis: ``"bins"``, or ``"time"`` for frames ``(1, 1, 1, T)``, by the power of all bands.

    Raises:
        ArgumentError: the axis is unknown.

    >>> levels = torch.tensor([[[[-20.0, -70.0, -30.0]]]])
    >>> truth_of(levels, levels.flip(-1)).audible.tolist()
    [[[[True, False, True]]]]
    """
    if choose("axis", axis, AXES) == "time":
        source, others = (_frame_levels(levels) for levels in (source, others))
    source_audible, others_audible = _audible(source), _audible(others)
    return Truth((source > others) & source_audible, source_audible | others_audible)


def _frame_levels(db: Tensor) -> Tensor:
    # The floor stands for silence, whose sum over the bands must not be above it.
    power = torch.where(db > FLOOR, 10 ** (db.double() / 10), 0.0).sum(2, keepdim=True)
    return 10 * power.clamp_min(10 ** (FLOOR / 10)).log10()


def _audible(db: Tensor) -> Tensor:
    return (db >= db.max() - AUDIBLE) & (db > FLOOR)


def weighted(
    values: Tensor,
    db: Tensor,
    weight: str = "none",
    between: tuple[float, float] = WEIGHT_DB,
) -> Tensor:
    """Return a map, weighted by the level of the clip if asked for.

    ``"level"``: the share of bins with a value at most as large (the mean rank of equal ones),
    times the weight of the bin's level: 0 from 60 dB below the clip's largest on and at the floor,
    rising to 1 at 40 dB below. So a bin is high where the map is and there is something to hear,
    whatever the map's unit and sign; among bins within 40 dB of the largest, the map alone decides.

    Args:
        values: the map ``(1, 1, F, T)``.
        db: the clip's levels, likewise.
        weight: a name in :data:`WEIGHTS`.
        between: where the weight is 0 and where it is 1, in dB below the clip's largest level.

    Raises:
        ArgumentError: the weight is unknown.

    >>> values = torch.tensor([[[[0.1, -1.0, 0.7, 5.0]]]])
    >>> db = torch.tensor([[[[-20.0, -60.0, -70.0, -90.0]]]])
    >>> weighted(values, db, "level").tolist()
    [[[[0.5, 0.25, 0.375, 0.0]]]]
    """
    if choose("weight", weight, WEIGHTS) == "none":
        return values
    ranks = mean_ranks(values.flatten()).view(values.shape) / values.numel()
    lowest, full = between
    below = db.double().max() - db.double()
    weights = ((lowest - below) / (lowest - full)).clamp(0, 1)
    return ranks * torch.where(db > FLOOR, weights, 0.0)


def compared(values: Tensor, axis: str = "bins") -> Tensor:
    """Return a map as it is compared with the truth: as it is, or its mean over the bands.

    >>> compared(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), "time").tolist()
    [[[[2.0, 3.0]]]]
    """
    return values.double().mean(2, keepdim=True) if axis == "time" else values
