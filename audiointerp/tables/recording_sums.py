"""Differences by clip as sums by recording: what a bootstrap over recordings needs.

A draw of whole recordings has the mean Σ w S / Σ w C, of the sum S and the number C of the values
of each recording. So clips need not be kept. Of many recordings, groups are drawn: each group is
all recordings whose names have one hash, so groups are as independent as recordings, and a few
thousand of them say the same about the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd

from .bca import ends
from .best_null import Differences, sign_of
from .bootstrap import DRAWS, FEWEST
from .comparisons import MANY_DRAWS, p_values_of

MOST_GROUPS = 2048
"""The recordings that are drawn one by one; of more of them, so many groups are drawn."""
_CHUNK = 256
"""Draws that are multiplied at a time."""


@dataclass(eq=False)
class RecordingSums:
    """The sums by recording of the differences between a method and a null.

    >>> sums = RecordingSums(["FF"])
    >>> index = pd.MultiIndex.from_tuples([("a", "x"), ("b", "x")], names=["clip", "recording"])
    >>> sums.add(pd.DataFrame({"FF": [0.25, 0.75]}, index))
    >>> sums.differences("FF").mean()
    0.5
    """

    names: Sequence[str]
    _tables: list[pd.DataFrame] = field(default_factory=list)
    _pending: int = 0
    _are_groups: bool = False

    def add(self, by_clip: pd.DataFrame) -> None:
        """Add the differences of some clips.

        Args:
            by_clip: a row per clip, indexed by clip and recording; a column per score.
        """
        flat = by_clip.reset_index()
        values = flat[[*self.names]].astype(float)
        columns: dict[str, pd.Series] = {"first": flat["clip"].astype(str)}
        for name in self.names:
            columns[f"sum {name}"] = values[name].fillna(0.0)
            columns[f"count {name}"] = values[name].notna().astype(float)
            columns[f"largest {name}"] = values[name].abs().fillna(0.0)
        table = pd.DataFrame(columns).set_axis(self._keys(flat["recording"]), axis=0)
        table = self._summed(table)
        self._tables.append(table)
        self._pending += len(table)
        if self._pending > 4 * MOST_GROUPS:
            self._compact()

    def differences(self, name: str) -> Differences:
        """Return the differences of one score; positive is better."""
        return self._of(name, sign_of(name))

    def values(self, name: str) -> Differences:
        """Return what was added of one score, as it is."""
        return self._of(name, 1)

    def _of(self, name: str, sign: int) -> Differences:
        self._compact()
        (table,) = self._tables
        # The order in which recordings of rows in memory are numbered.
        table = table.sort_values("first", kind="stable")
        return _Grouped(
            table[f"sum {name}"].to_numpy(),
            table[f"count {name}"].to_numpy(),
            table[f"largest {name}"].to_numpy(),
            sign,
        )

    def _keys(self, recordings: pd.Series) -> pd.Index:
        if not self._are_groups:
            return pd.Index(recordings.astype(str))
        return groups_of(recordings)

    def _compact(self) -> None:
        table = self._summed(pd.concat(self._tables))
        if len(table) > MOST_GROUPS and not self._are_groups:
            self._are_groups = True
            table = self._summed(table.set_axis(groups_of(table.index.to_series()), axis=0))
        self._tables = [table]
        self._pending = len(table)

    def _summed(self, table: pd.DataFrame) -> pd.DataFrame:
        how = {"first": "min"}
        for name in self.names:
            how |= {f"sum {name}": "sum", f"count {name}": "sum", f"largest {name}": "max"}
        return table.groupby(level=0, sort=True).agg(how)


def groups_of(recordings: pd.Series) -> pd.Index:
    """Return the group of each recording: a number below :data:`MOST_GROUPS`.

    >>> groups = groups_of(pd.Series(["day 1", "day 2", "day 1"]))
    >>> bool(groups[0] == groups[2]), bool(groups.max() < MOST_GROUPS)
    (True, True)
    """
    hashes = pd.util.hash_pandas_object(recordings.astype(str), index=False)
    return pd.Index(hashes.to_numpy() % MOST_GROUPS)


@dataclass(frozen=True, eq=False)
class _Grouped:
    """The differences of one score as sums by recording, each ``(r,)``."""

    sums: np.ndarray
    counts: np.ndarray
    largest: np.ndarray
    sign: int

    def mean(self) -> float:
        total = self.counts.sum()
        return float(self.sign * self.sums.sum() / total) if total else float("nan")

    def p_value(self) -> float:
        if not self._are_enough():
            return 1.0
        means = self._means(MANY_DRAWS)
        (p_value,) = p_values_of(means[:, None], np.array([self.largest.max()]))
        return float(p_value)

    def interval(self) -> tuple[float, float]:
        if not self._are_enough():
            return float("nan"), float("nan")
        left = self.counts.sum() - self.counts
        with np.errstate(invalid="ignore", divide="ignore"):
            without_each = np.where(left > 0, (self.sums.sum() - self.sums) / left, np.nan)
        estimate = np.array([self.mean()])
        draws = self._means(DRAWS)[:, None]
        (low,), (high,) = ends(draws, estimate, self.sign * without_each[:, None])
        return float(low), float(high)

    def _are_enough(self) -> bool:
        return bool(np.count_nonzero(self.counts) >= FEWEST)

    def _means(self, draws: int) -> np.ndarray:
        """Return the mean in each draw, ``(draws,)``."""
        drawn = times_drawn(len(self.sums), draws)
        both = np.stack([self.sums, self.counts], 1)
        totals = [drawn[at : at + _CHUNK].astype(float) @ both for at in range(0, draws, _CHUNK)]
        sums, counts = np.concatenate(totals).T
        means: np.ndarray = np.where(counts > 0, self.sign * sums, np.nan) / np.maximum(counts, 1)
        return means


# Cached because the same recordings are drawn for every score.
@lru_cache(maxsize=3)
def times_drawn(count: int, draws: int) -> np.ndarray:
    """Count how often each recording is in each draw, ``(draws, count)``.

    The draws are those of :func:`~audiointerp.tables.bootstrap.bootstrap_means`.

    >>> times_drawn(30, draws=2).sum(1).tolist()
    [30, 30]
    """
    random = np.random.default_rng(0)
    # None is drawn 256 times, since each is drawn once on average.
    drawn = np.empty((draws, count), np.uint8)
    if not count:
        return drawn
    shares = np.full(count, 1 / count)
    for at in range(0, draws, _CHUNK):
        size = min(_CHUNK, draws - at)
        drawn[at : at + size] = random.multinomial(count, shares, size=size)
    return drawn
