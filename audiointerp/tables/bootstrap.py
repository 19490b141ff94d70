"""Confidence intervals of means over clips: a seeded bootstrap that draws recordings.

ESC-50 cuts several clips from one recording, and such clips are alike. Drawing clips as if they
were independent gave intervals of FF, AD and FidIn that were 14 to 20 % too narrow (medians over
the cells of ``results/``: 80 clips of 57 recordings). So each draw takes whole recordings. The
intervals are BCa, see :mod:`~audiointerp.tables.bca`.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np

from .bca import ends

DRAWS = 2000
"""Default number of bootstrap draws."""
FEWEST = 20
"""Fewest recordings for an interval or a p-value: with fewer, intervals of skewed scores miss too
often (``docs/scores.md``)."""


def bootstrap_interval(
    values: np.ndarray,
    recordings: Sequence[str] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """BCa interval of the mean of each column.

    Args:
        values: ``(n, k)``, a row per clip, a column per score; NaN entries are left out.
        recordings: the recording of each row, ``n`` names; rows of one recording are drawn
            together. If None, each row is a recording of its own.
        draws: number of bootstrap draws; the seed is fixed.
        level: coverage of the interval, in (0, 1).

    Returns:
        The lower and the upper ends, each ``(k,)``; NaN for a column in which fewer than
        ``FEWEST`` recordings have a value.

    >>> low, high = bootstrap_interval(np.ones((20, 1)))
    >>> low.tolist(), high.tolist()
    ([1.0], [1.0])
    >>> bootstrap_interval(np.ones((20, 1)), recordings=["a", "b"] * 10)[0].tolist()
    [nan]
    """
    means = bootstrap_means(values, recordings, draws)
    interval = ends(means, mean_of(values), means_without_each(values, recordings), level)
    enough = recordings_known(values, recordings) >= FEWEST
    low, high = np.where(enough, interval, np.nan)
    return low, high


def bootstrap_means(
    values: np.ndarray, recordings: Sequence[str] | None = None, draws: int = DRAWS
) -> np.ndarray:
    """Mean of each column in each bootstrap draw, ``(draws, k)``; see :func:`bootstrap_interval`.

    >>> bootstrap_means(np.ones((10, 2)), draws=3).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    times_drawn = _times_drawn(_recording_numbers(len(values), recordings), draws)
    return _weighted_means(values, times_drawn)


def _weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of each column for each row of weights ``(m, n)``, without NaN entries: ``(m, k)``."""
    known = ~np.isnan(values)
    counts = weights @ known
    sums = weights @ np.where(known, values, 0.0)
    means: np.ndarray = np.where(counts > 0, sums, np.nan) / np.maximum(counts, 1)
    return means


def means_without_each(values: np.ndarray, recordings: Sequence[str] | None = None) -> np.ndarray:
    """Mean of each column without each recording in turn, ``(recordings, k)``: the jackknife.

    NaN entries are left out; a mean of nothing is NaN.

    >>> means_without_each(np.array([[1.0], [2.0], [6.0]]), ["a", "a", "b"]).tolist()
    [[6.0], [1.5]]
    """
    numbers = np.array(_recording_numbers(len(values), recordings), int)
    others = (numbers != np.arange(numbers.max() + 1)[:, None]).astype(float)
    return _weighted_means(values, others)


def mean_of(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean along an axis, without NaN entries; NaN where all entries are NaN.

    >>> mean_of(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    counts = (~np.isnan(values)).sum(axis)
    sums = np.where(counts > 0, np.nansum(values, axis), np.nan)
    means: np.ndarray = sums / np.maximum(counts, 1)
    return means


def recordings_known(values: np.ndarray, recordings: Sequence[str] | None = None) -> np.ndarray:
    """Number of recordings that have a value in each column of ``(n, k)``: ``(k,)``.

    >>> recordings_known(np.array([[1.0], [2.0], [np.nan]]), ["a", "a", "b"]).tolist()
    [1]
    """
    numbers = np.array(_recording_numbers(len(values), recordings), int)
    return np.array([len(set(numbers[~np.isnan(column)])) for column in values.T])


def _recording_numbers(rows: int, recordings: Sequence[str] | None) -> tuple[int, ...]:
    """Number the recordings of the rows from 0, in order of first appearance."""
    names: Sequence[Hashable] = range(rows) if recordings is None else recordings
    numbers: dict[Hashable, int] = {}
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


# Cached because the same clips are drawn for every score.
@lru_cache(maxsize=8)
def _times_drawn(numbers: tuple[int, ...], draws: int) -> np.ndarray:
    """Count how often each row is in each draw, ``(draws, n)``, by the row's recording number."""
    count = max(numbers) + 1
    random = np.random.default_rng(0)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=draws)
    return drawn[:, list(numbers)].astype(float)
