"""Statistics of one setting's cells: a cell is a method and a mask, its values are one score of every clip.

Values are a frame of clips × cells: the index is the clip, the columns are (method, mask), methods in the order of ``METHODS``,
masks in that of ``MASKS``; NaN where a clip failed or the score is undefined. Two such frames may be subtracted: pandas pairs
their clips and cells.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..interpretation import MASKS, METHODS
from ..tables import bootstrap_means, ends

PARTS = ("mean", "low", "high")


def clip_values(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The values (clips × cells) of one column of rows that are all of one experiment, protocol and ``on``.

    Raises:
        AudioInterpError: a clip has two rows of one method and mask.

    >>> rows = pd.DataFrame({"clip": ["a", "b"], "method": "random", "mask": "bin", "status": "ok", "FF": [0.0, 1.0]})
    >>> clip_values(rows, "FF")[("random", "bin")].tolist()
    [0.0, 1.0]
    """
    scored = rows.loc[rows["status"] == "ok", ["clip", "method", "mask", name]]
    twice = scored[scored.duplicated(["clip", "method", "mask"])]
    if len(twice):
        clip, method, mask = twice.iloc[0][["clip", "method", "mask"]]
        raise AudioInterpError(
            f"clip {clip}: two rows of {method}, {mask} in one setting; metrics.csv was changed: run it again"
        )
    values = scored.pivot(index="clip", columns=["method", "mask"], values=name).astype(float)
    cells = list(zip(*(map(str, values.columns.get_level_values(level)) for level in ("method", "mask")), strict=True))
    order = sorted(cells, key=lambda cell: (place(cell[0], METHODS), place(cell[1], MASKS)))
    return values[order]


def place(name: str, known: Iterable[str]) -> tuple[int, str]:
    """Where a name is in the order of the known ones; the others come after them, by name."""
    order = list(known)
    return (order.index(name), "") if name in order else (len(order), name)


def with_intervals(values: pd.DataFrame) -> pd.DataFrame:
    """The mean of each cell over the clips and its 95 % bootstrap interval: a row per cell, columns mean, low, high."""
    array = values.to_numpy(float)
    low, high = ends(bootstrap_means(array))
    return pd.DataFrame(np.stack([mean_of(array, 0), low, high], 1), values.columns, list(PARTS))


def averaged(values: pd.DataFrame, level: str) -> pd.DataFrame:
    """As :func:`with_intervals`, a row per name of one level: the mean of its cells' means, each cell counting equally.

    A cell that is undefined for every clip is left out. A draw of the bootstrap takes a clip with all its cells.

    Args:
        values: clips × cells.
        level: ``"method"`` (over its masks) or ``"mask"`` (over its methods).
    """
    array = values.to_numpy(float)
    drawn, means = bootstrap_means(array), mean_of(array, 0)
    names = values.columns.get_level_values(level)
    kept = {}
    for name in dict.fromkeys(names):
        own = np.asarray(names == name)
        low, high = ends(mean_of(drawn[:, own], 1)[:, None])
        kept[name] = [float(mean_of(means[own], 0)), low[0], high[0]]
    return pd.DataFrame.from_dict(kept, "index", columns=list(PARTS)).rename_axis(level)


def mean_of(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean along an axis, NaN left out; NaN where there is nothing else.

    >>> mean_of(np.array([[1.0, np.nan], [3.0, np.nan]]), 0).tolist()
    [2.0, nan]
    """
    counts = (~np.isnan(values)).sum(axis)
    means: np.ndarray = np.where(counts > 0, np.nansum(values, axis), np.nan) / np.maximum(counts, 1)
    return means
