"""Intervals from bootstrap draws, corrected for bias and skewness (BCa).

Percentile intervals of the mean of a skewed score miss more often than they say: see the figures
in ``docs/scores.md``. BCa (Efron 1987, "Better bootstrap confidence intervals", JASA 82) shifts the
percentiles by the bias of the draws, z₀, and by the acceleration, a, of a jackknife.
"""

from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()
TOLERANCE = 1e-12
"""Draws closer than this, relative to the largest, are ties: rounding alone tells them apart."""


def ends(
    draws: np.ndarray, estimates: np.ndarray, left_out: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """BCa interval of each column.

    Args:
        draws: ``(draws, k)``, the statistic in each bootstrap draw; NaN entries are left out.
        estimates: ``(k,)``, the statistic of the data.
        left_out: ``(r, k)``, the statistic without each of the ``r`` recordings.
        level: coverage of the interval, in (0, 1).

    Returns:
        The lower and the upper ends, each ``(k,)``. Where all draws are equal, both are the
        estimate; where there is no draw, NaN.

    >>> draws = np.arange(101.0)[:, None]
    >>> low, high = ends(draws, np.array([50.0]), np.array([[49.0], [51.0]]), level=0.9)
    >>> low.round(9).tolist(), high.round(9).tolist()
    ([5.0], [95.0])
    """
    interval = np.full((2, draws.shape[1]), np.nan)
    tails = [(1 - level) / 2, (1 + level) / 2]
    for number, column in enumerate(draws.T):
        known = column[~np.isnan(column)]
        if _agree(known):
            interval[:, number] = estimates[number]
        elif len(known):
            bias, acceleration = _bias_and_acceleration(
                known, float(estimates[number]), left_out[:, number]
            )
            shares = [_shifted(tail, bias, acceleration) for tail in tails]
            interval[:, number] = np.quantile(known, shares)
    return interval[0], interval[1]


def _agree(known: np.ndarray) -> bool:
    return len(known) > 0 and bool(np.ptp(known) <= TOLERANCE * np.abs(known).max())


def _share_below(known: np.ndarray, value: float) -> float:
    """Return the share of draws below a value; ties count by half."""
    margin = TOLERANCE * float(np.abs(known).max())
    below = np.count_nonzero(known < value - margin)
    return float(below + np.count_nonzero(known <= value + margin)) / (2 * len(known))


def _bias_and_acceleration(
    known: np.ndarray, estimate: float, left_out: np.ndarray
) -> tuple[float, float]:
    """Return z₀ of the draws, and a of the jackknife over recordings."""
    share = _share_below(known, estimate)
    smallest = 1 / (2 * len(known))
    bias = NORMAL.inv_cdf(min(max(share, smallest), 1 - smallest))
    without = left_out[~np.isnan(left_out)]
    influences = without.mean() - without if len(without) else without
    squares = float((influences**2).sum())
    cubes = float((influences**3).sum())
    return bias, cubes / (6 * squares**1.5) if squares > 0 else 0.0


def _shifted(tail: float, bias: float, acceleration: float) -> float:
    """Return the share of draws below the end that leaves out the share ``tail``."""
    shifted = bias + NORMAL.inv_cdf(tail)
    # |a| is at most 1/6, so this is positive unless the tail is of less than one in a billion.
    return NORMAL.cdf(bias + shifted / max(1 - acceleration * shifted, TOLERANCE))
