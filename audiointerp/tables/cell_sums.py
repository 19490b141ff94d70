"""Sums of values by recording and cell, of which means and intervals are made.

A cell is a method and a mask. A draw of whole recordings has the mean Σ w S / Σ w C, of the sum S
and the number C of the values of each recording, so that the values of clips need not be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .bca import ends
from .bootstrap import DRAWS, FEWEST, mean_of
from .recording_sums import MOST_GROUPS, groups_of, times_drawn

Cell = tuple[str, str]
_CHUNK = 256
"""Draws that are multiplied at a time."""


@dataclass(frozen=True, eq=False)
class CellSums:
    """Sums and numbers of values.

    Attributes:
        sums, counts: ``(r, k)``, a row per recording in the order of their first clips' names, a
            column per cell; undefined values are left out.
        cells: the cells.

    >>> sums = CellSums(np.array([[1.0], [2.0]]), np.array([[2.0], [2.0]]), [("lime", "bin")])
    >>> sums.means().tolist()
    [0.75]
    """

    sums: np.ndarray
    counts: np.ndarray
    cells: Sequence[Cell]

    def select(self, cells: Sequence[Cell]) -> "CellSums":
        """Return some cells, in this order."""
        places = [list(self.cells).index(cell) for cell in cells]
        return CellSums(self.sums[:, places], self.counts[:, places], list(cells))

    def means(self) -> np.ndarray:
        """Return the mean of each cell, ``(k,)``; NaN where no value is defined."""
        return _divided(self.sums.sum(0), self.counts.sum(0))

    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the 95 % BCa interval of each mean, as ``bootstrap_interval`` does."""
        interval = ends(self._drawn_means(), self.means(), self._means_without_each())
        low, high = np.where(np.count_nonzero(self.counts, 0) >= FEWEST, interval, np.nan)
        return low, high

    def averages(self, parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Average the means of some cells, each cell counting equally.

        Args:
            parts: for each average, which cells it is of, ``(k,)`` of truth values.

        Returns:
            The averages, and the lower and upper ends of their intervals.
        """
        drawn, left_out, means = self._drawn_means(), self._means_without_each(), self.means()
        by_draw = np.stack([mean_of(drawn[:, cells], 1) for cells in parts], 1)
        by_recording = np.stack([mean_of(left_out[:, cells], 1) for cells in parts], 1)
        averages = np.array([float(mean_of(means[cells])) for cells in parts])
        known = [np.count_nonzero(self.counts[:, cells].any(1)) for cells in parts]
        interval = ends(by_draw, averages, by_recording)
        low, high = np.where(np.array(known) >= FEWEST, interval, np.nan)
        return averages, low, high

    def _drawn_means(self) -> np.ndarray:
        """Return the mean of each cell in each draw, ``(draws, k)``."""
        drawn = times_drawn(len(self.sums), DRAWS)
        both = np.concatenate([self.sums, self.counts], 1)
        totals = [drawn[at : at + _CHUNK].astype(float) @ both for at in range(0, DRAWS, _CHUNK)]
        sums, counts = np.split(np.concatenate(totals), 2, axis=1)
        return _divided(sums, counts)

    def _means_without_each(self) -> np.ndarray:
        """Return the mean of each cell without each recording in turn, ``(r, k)``."""
        return _divided(self.sums.sum(0) - self.sums, self.counts.sum(0) - self.counts)


def _divided(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    means: np.ndarray = np.where(counts > 0, sums, np.nan) / np.maximum(counts, 1)
    return means


def sums_of_values(values: pd.DataFrame) -> CellSums:
    """Sum the values of clips by recording.

    Args:
        values: clips × cells; the index is (clip, recording), in the order of the clips' names.

    >>> index = pd.MultiIndex.from_tuples([("a", "x"), ("b", "x")], names=["clip", "recording"])
    >>> cells = pd.MultiIndex.from_tuples([("lime", "bin")])
    >>> values = pd.DataFrame([[0.25], [0.75]], index, cells)
    >>> sums_of_values(values).sums.tolist()
    [[1.0]]
    """
    recordings = values.index.get_level_values("recording").astype(str)
    places, names = pd.factorize(recordings)
    array = values.to_numpy(float)
    known = ~np.isnan(array)
    sums, counts = np.zeros((2, len(names), array.shape[1]))
    np.add.at(sums, places, np.where(known, array, 0.0))
    np.add.at(counts, places, known)
    methods, masks = (values.columns.get_level_values(level) for level in (0, 1))
    cells = [(str(method), str(mask)) for method, mask in zip(methods, masks, strict=True)]
    return CellSums(sums, counts, cells)


class SummedCells:
    """Sums of several columns, of rows that come part by part.

    Of more than ``MOST_GROUPS`` recordings, so many groups of them take their places.

    Args:
        names: the columns.

    >>> summed = SummedCells(["FF"])
    >>> rows = pd.DataFrame({"clip": ["a", "b"], "recording": "x", "method": "lime", "mask": "bin"})
    >>> summed.add(rows.assign(FF=[0.25, 0.75]))
    >>> summed.of("FF", [("lime", "bin")]).sums.tolist()
    [[1.0]]
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.clips: dict[Cell, int] = {}
        self._recordings: dict[str, int] = {}
        self._first: dict[int, str] = {}
        self._tables: dict[Cell, np.ndarray] = {}
        self._are_groups = False

    @property
    def are_groups(self) -> bool:
        """Whether there are groups in the places of recordings."""
        return self._are_groups

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows, of which no two are of one clip and cell."""
        places = self._places(rows["recording"].astype(str))
        firsts = rows["clip"].astype(str).groupby(places).min()
        for place, clip in zip(firsts.index.tolist(), firsts.tolist(), strict=True):
            self._first[place] = min(clip, self._first.get(place, clip))
        values = rows[self.names].to_numpy(float)
        known = ~np.isnan(values)
        values = np.where(known, values, 0.0)
        cells = rows.groupby(["method", "mask"], sort=False, observed=True)
        of_cells: dict[Cell, np.ndarray] = cells.indices  # type: ignore[assignment]
        for (method, mask), row_numbers in of_cells.items():
            key = str(method), str(mask)
            if key not in self._tables:
                self._tables[key] = np.zeros((2, len(self.names), MOST_GROUPS))
            sums, counts = self._tables[key]
            self.clips[key] = self.clips.get(key, 0) + len(row_numbers)
            at = places[row_numbers]
            for number in range(len(self.names)):
                sums[number] += np.bincount(at, values[row_numbers, number], MOST_GROUPS)
                counts[number] += np.bincount(at, known[row_numbers, number], MOST_GROUPS)

    def of(self, name: str, cells: Sequence[Cell]) -> CellSums:
        """Return the sums of one column, of some cells; those of a cell without rows are 0."""
        number = self.names.index(name)
        order = sorted(self._first, key=lambda place: self._first[place])
        both = np.zeros((2, len(order), len(cells)))
        for column, cell in enumerate(cells):
            if cell in self._tables:
                both[:, :, column] = self._tables[cell][:, number][:, order]
        return CellSums(both[0], both[1], list(cells))

    def _places(self, recordings: pd.Series) -> np.ndarray:
        """Return the place of each row's recording."""
        if not self._are_groups:
            codes, names = pd.factorize(recordings)
            for name in names:
                self._recordings.setdefault(name, len(self._recordings))
            if len(self._recordings) <= MOST_GROUPS:
                return np.array([self._recordings[name] for name in names], int)[codes]
            self._group()
        return groups_of(recordings).to_numpy(int)

    def _group(self) -> None:
        """Put groups in the places of the recordings that were added before."""
        self._are_groups = True
        names = pd.Series(list(self._recordings))
        groups = groups_of(names).to_numpy(int)[:MOST_GROUPS]
        # Of the recordings of the rows that are just added, nothing is summed yet.
        for cell, table in self._tables.items():
            by_group = np.zeros((MOST_GROUPS, 2, len(self.names)))
            np.add.at(by_group, groups, np.moveaxis(table, 2, 0))
            self._tables[cell] = np.ascontiguousarray(np.moveaxis(by_group, 0, 2))
        firsts: dict[int, str] = {}
        for place, clip in self._first.items():
            group = int(groups[place])
            firsts[group] = min(clip, firsts.get(group, clip))
        self._first = firsts
        self._recordings = {}
