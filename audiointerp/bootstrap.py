"""How sure a mean over clips is: percentile intervals of a seeded bootstrap that draws recordings.

ESC-50 cuts several clips from one recording, and such clips are alike. Drawing them one by one, as if they were independent,
gave intervals of FF, AD and FidIn that were 14 to 20 % too narrow (medians over the cells of ``results/``: 80 clips of 57
recordings). So a recording is drawn with all of its clips.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

DRAWS = 2000
FEWEST = 10
"""Recordings below which the percentiles of a bootstrap say too little to stand beside a mean."""
_ESC50 = re.compile(r"\d-(\d+)-[A-Z]-\d+(?:\.\w+)?")


def recording_of(clip: str) -> str:
    """The recording that a clip was cut from, as ESC-50's names tell it (fold-recording-take-class); else the clip itself.

    >>> recording_of("5-151085-B-20.wav"), recording_of("dog.wav")
    ('151085', 'dog.wav')
    """
    found = _ESC50.fullmatch(clip)
    return found[1] if found else clip


def bootstrap_interval(
    values: np.ndarray, clips: Sequence[str] | None = None, draws: int = DRAWS, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval of the mean of each column ``(n, k)`` over the rows, each ``(k,)``; NaN is left out.

    NaN for a column that fewer than ``FEWEST`` recordings have a value in.

    Args:
        values: a row per clip.
        clips: the rows' clips, whose recordings are drawn; if None each row is drawn by itself.
        draws: of the bootstrap.
        level: the share of the draws between the ends.

    >>> low, high = bootstrap_interval(np.ones((10, 1)))
    >>> low.tolist(), high.tolist()
    ([1.0], [1.0])
    """
    found = ends(bootstrap_means(values, clips, draws), level)
    low, high = np.where(recordings_known(values, clips) >= FEWEST, found, np.nan)
    return low, high


def bootstrap_means(values: np.ndarray, clips: Sequence[str] | None = None, draws: int = DRAWS) -> np.ndarray:
    """The means ``(draws, k)`` of each column of ``(n, k)`` over drawn rows; see :func:`bootstrap_interval`."""
    times = _times_drawn(_numbers(clips if clips is not None else range(len(values))), draws)
    known = ~np.isnan(values)
    counts = times @ known
    means: np.ndarray = np.where(counts > 0, times @ np.where(known, values, 0.0), np.nan) / np.maximum(counts, 1)
    return means


def ends(means: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The percentiles of each column ``(draws, k)`` that hold ``level`` of its draws between them; NaN is left out."""
    percent = [50 - 50 * level, 50 + 50 * level]
    found = np.full((2, means.shape[1]), np.nan)
    whole = ~np.isnan(means).any(0)
    found[:, whole] = np.percentile(means[:, whole], percent, axis=0)
    for number in np.flatnonzero(~whole):
        known = means[~np.isnan(means[:, number]), number]
        if len(known):
            found[:, number] = np.percentile(known, percent)
    return found[0], found[1]


def mean_of(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """The mean along an axis, NaN left out; NaN where there is nothing else.

    >>> mean_of(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    counts = (~np.isnan(values)).sum(axis)
    means: np.ndarray = np.where(counts > 0, np.nansum(values, axis), np.nan) / np.maximum(counts, 1)
    return means


def recordings_known(values: np.ndarray, clips: Sequence[str] | None = None) -> np.ndarray:
    """How many recordings have a value in each column ``(n, k)``: ``(k,)``; each row is one where ``clips`` is None."""
    numbers = np.array(_numbers(clips if clips is not None else range(len(values))), int)
    return np.array([len(set(numbers[~np.isnan(column)])) for column in values.T])


def _numbers(clips: Sequence[str] | range) -> tuple[int, ...]:
    """The number of each clip's recording, from 0 in the order of their coming."""
    known: dict[str | int, int] = {}
    names = (recording_of(clip) if isinstance(clip, str) else clip for clip in clips)
    return tuple(known.setdefault(name, len(known)) for name in names)


@lru_cache(maxsize=8)
def _times_drawn(numbers: tuple[int, ...], draws: int) -> np.ndarray:
    """How often each row is in each of the draws ``(draws, n)``, by the number of its recording; the same for every score."""
    count = max(numbers) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=draws)
    return drawn[:, list(numbers)].astype(float)
