"""Statistics of one setting's cells: a cell is a method and a mask, its values are one score of every clip.

Values are a frame of clips × cells: the index is the clip, the columns are (method, mask), methods in the order of ``METHODS``,
masks in that of ``MASKS``; NaN where a clip failed or the score is undefined. Two such frames may be subtracted: pandas pairs
their clips and cells.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..bootstrap import FEWEST, bootstrap_interval, bootstrap_means, ends, mean_of, recordings_known
from ..errors import AudioInterpError
from ..interpretation import MASKS, METHODS

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
    """The mean of each cell over the clips and its 95 % bootstrap interval: a row per cell, columns mean, low, high.

    See :func:`~audiointerp.bootstrap.bootstrap_interval`.
    """
    array = values.to_numpy(float)
    low, high = bootstrap_interval(array, _clips(values))
    return pd.DataFrame(np.stack([mean_of(array), low, high], 1), values.columns, list(PARTS))


def _clips(values: pd.DataFrame) -> list[str]:
    return [str(clip) for clip in values.index]


def averaged(values: pd.DataFrame, level: str) -> pd.DataFrame:
    """As :func:`with_intervals`, a row per name of one level: the mean of its cells' means, each cell counting equally.

    A cell that is undefined for every clip is left out. A draw of the bootstrap takes a recording with all its
    clips and cells.

    Args:
        values: clips × cells.
        level: ``"method"`` (over its masks) or ``"mask"`` (over its methods).
    """
    array, clips = values.to_numpy(float), _clips(values)
    drawn, means = bootstrap_means(array, clips), mean_of(array)
    names = values.columns.get_level_values(level)
    kept = {}
    for name in dict.fromkeys(names):
        own = np.asarray(names == name)
        enough = recordings_known(mean_of(array[:, own], 1)[:, None], clips) >= FEWEST
        low, high = np.where(enough, ends(mean_of(drawn[:, own], 1)[:, None]), np.nan)
        kept[name] = [float(mean_of(means[own])), low[0], high[0]]
    return pd.DataFrame.from_dict(kept, "index", columns=list(PARTS)).rename_axis(level)
