"""Means of groups and numbers of clips, of rows that come part by part."""

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd


class Distinct:
    """The number of different names, at 8 bytes each; two of equal hash count as one.

    Of ten million names, the chance that any two have one hash is three in a million.

    >>> names = Distinct()
    >>> names.add(pd.Series(["a", "b", "a"]))
    >>> names.add(pd.Series(["b", "c"]))
    >>> len(names)
    3
    """

    def __init__(self) -> None:
        self._hashes = np.empty(0, np.uint64)
        self._pending: list[np.ndarray] = []
        self._size = 0

    def add(self, names: pd.Series) -> None:
        """Add names."""
        if len(names):
            unique = pd.Series(names.unique())
            hashes = pd.util.hash_pandas_object(unique.astype(str), index=False).to_numpy()
            self._pending.append(hashes)
            self._size += len(hashes)
        # Twice as much before it is sorted again: each name is sorted a few times at most.
        if self._size > max(2**16, len(self._hashes)):
            self._merge()

    def include(self, other: "Distinct") -> None:
        """Add the names of another one."""
        other._merge()
        self._pending.append(other._hashes)
        self._merge()

    def equals(self, other: "Distinct") -> bool:
        """Return whether both have the same names."""
        self._merge()
        other._merge()
        return np.array_equal(self._hashes, other._hashes)

    def __len__(self) -> int:
        self._merge()
        return len(self._hashes)

    def _merge(self) -> None:
        self._hashes = np.unique(np.concatenate([self._hashes, *self._pending]))
        self._pending, self._size = [], 0


class GroupSums:
    """The sums of columns by group.

    Args:
        keys: the columns to group by.
        names: the columns of numbers.
        masks: the order of the masks, if they are among the keys.
        each_clip_once: whether a clip of a group is never in two calls of :meth:`add`, so that it
            need not be known which clips there were.

    >>> sums = GroupSums(["method"], ["FF", "AD"])
    >>> for value in (0.25, 0.75):
    ...     rows = pd.DataFrame({"method": ["lime"], "clip": str(value), "FF": value, "AD": 0.5})
    ...     sums.add(rows)
    >>> sums.table().loc["lime"].tolist()
    [0.5, 0.5, 2.0]
    """

    def __init__(
        self,
        keys: Sequence[str],
        names: Sequence[str],
        masks: Sequence[str] = (),
        *,
        each_clip_once: bool = False,
    ) -> None:
        self.keys, self.names, self.masks = list(keys), list(names), list(masks)
        self.each_clip_once = each_clip_once
        self._total: pd.DataFrame | None = None
        self._clips: dict[Hashable, Distinct] = {}

    def add(self, rows: pd.DataFrame) -> None:
        """Add rows; their columns are the keys, the names and ``clip``."""
        keys = [rows[key].astype(str) if key == "mask" else rows[key] for key in self.keys]
        values = rows[self.names].astype(float)
        sums = values.fillna(0.0).groupby(keys, sort=False).sum()
        counts = values.notna().groupby(keys, sort=False).sum().add_prefix("count ")
        clips = rows["clip"].groupby(keys, sort=False)
        table = sums.join(counts).assign(clips=clips.nunique())
        parts = [table] if self._total is None else [self._total, table]
        levels = list(range(len(self.keys)))
        self._total = pd.concat(parts).groupby(level=levels, sort=False).sum()
        if not self.each_clip_once:
            for group, names in clips:
                # Of one key, pandas gives a tuple here, but not in the index.
                key = group[0] if isinstance(group, tuple) and len(group) == 1 else group
                self._clips.setdefault(key, Distinct()).add(names)

    def table(self) -> pd.DataFrame:
        """Return the means by group, and the number of clips of each; as a summary has them."""
        assert self._total is not None
        total = self._total
        if not self.each_clip_once:
            total = total.assign(clips=[len(self._clips[group]) for group in total.index])
        total = total.reset_index()
        if "mask" in total:
            total["mask"] = pd.Categorical(total["mask"], self.masks)
        total = total.set_index(self.keys).sort_index()
        counts = total[[f"count {name}" for name in self.names]].set_axis(self.names, axis=1)
        means = total[self.names] / counts.where(counts > 0)
        return means.assign(clips=total["clips"])
