"""Statistics of one condition, by cell. A cell is a method and a mask.

The values of a score are a frame of clips × cells. Its index is (clip, recording); its columns are
(method, mask), methods in the order of ``METHODS``, masks in that of ``MASKS``. NaN marks a clip
that failed or a score that is undefined. Two such frames can be subtracted: pandas pairs their
clips and cells.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..interpretation import MASKS, METHODS
from ..tables import CellSums, recording_column

PARTS = ("mean", "low", "high")
CLIP = ["clip", "recording"]
"""The index of values: a clip and the recording that it was cut from."""


def clip_values(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the values (clips × cells) of one column.

    Args:
        rows: results of one experiment, one protocol and one ``on``.
        name: the column, for example ``"FF"``.

    Raises:
        AudioInterpError: a clip has two rows of one method and mask.

    >>> rows = pd.DataFrame({"clip": ["a", "b"], "method": "random", "mask": "bin",
    ...                      "status": "ok", "FF": [0.0, 1.0]})
    >>> clip_values(rows, "FF")[("random", "bin")].tolist()
    [0.0, 1.0]
    """
    scored = rows.loc[rows["status"] == "ok", ["clip", "method", "mask", name]]
    scored["recording"] = recording_column(rows)
    duplicates = scored[scored.duplicated(["clip", "method", "mask"])]
    if len(duplicates):
        clip, method, mask = duplicates.iloc[0][["clip", "method", "mask"]]
        raise AudioInterpError(
            f"clip {clip}: two rows of {method}, {mask} in one condition; "
            f"its table was edited: run the experiment again"
        )
    values = scored.pivot(index=CLIP, columns=["method", "mask"], values=name).astype(float)
    return values[in_order(cells_of(values))]


def cells_of(values: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the cells, (method, mask), of a frame of values.

    >>> columns = pd.MultiIndex.from_tuples([("lime", "bin")], names=["method", "mask"])
    >>> cells_of(pd.DataFrame([[0.5]], columns=columns))
    [('lime', 'bin')]
    """
    methods, masks = (values.columns.get_level_values(level) for level in ("method", "mask"))
    return [(str(method), str(mask)) for method, mask in zip(methods, masks, strict=True)]


def in_order(cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return cells by the order of the methods, then of the masks.

    >>> in_order([("gradcam", "bin"), ("saliency", "bin")])
    [('saliency', 'bin'), ('gradcam', 'bin')]
    """
    return sorted(cells, key=lambda cell: (place(cell[0], METHODS), place(cell[1], MASKS)))


def place(name: str, known: Iterable[str]) -> tuple[int, str]:
    """Return a sort key: known names in their order, then all others by name.

    >>> sorted(["b", "x", "a"], key=lambda name: place(name, ["x"]))
    ['x', 'a', 'b']
    """
    order = list(known)
    return (order.index(name), "") if name in order else (len(order), name)


def means_of(sums: CellSums) -> pd.DataFrame:
    """Return the mean of each cell over the clips: a row per cell, one column, mean.

    >>> from ..tables import sums_of_values
    >>> values = clip_values(pd.DataFrame({"clip": ["a", "b"], "method": "random", "mask": "bin",
    ...                                    "status": "ok", "FF": [0.0, 1.0]}), "FF")
    >>> means_of(sums_of_values(values))["mean"].tolist()
    [0.5]
    """
    return pd.DataFrame({"mean": sums.means()}, _index_of(sums))


def with_intervals(sums: CellSums) -> pd.DataFrame:
    """Return the mean of each cell over the clips with its 95 % bootstrap interval.

    The bootstrap draws recordings; see :func:`~audiointerp.tables.bootstrap.bootstrap_interval`.

    Returns:
        A row per cell; columns mean, low, high. Without enough recordings low and high are NaN.

    >>> from ..tables import sums_of_values
    >>> rows = pd.DataFrame({"clip": [f"{number}.wav" for number in range(20)], "method": "random",
    ...                      "mask": "bin", "status": "ok", "FF": 1.0})
    >>> with_intervals(sums_of_values(clip_values(rows, "FF"))).to_numpy().tolist()
    [[1.0, 1.0, 1.0]]
    """
    return pd.DataFrame(
        np.stack([sums.means(), *sums.intervals()], 1), _index_of(sums), list(PARTS)
    )


def averaged(sums: CellSums, level: str) -> pd.DataFrame:
    """Average cells over one level, each cell counting equally, with 95 % bootstrap intervals.

    A cell that is undefined for every clip is left out. A draw of the bootstrap takes a recording
    with all its clips and cells.

    Args:
        sums: of the cells.
        level: ``"method"`` for the mean over each method's masks, ``"mask"`` for the mean over
            each mask's methods.

    Returns:
        A row per name of that level; columns mean, low, high.

    >>> from ..tables import sums_of_values
    >>> rows = pd.DataFrame({"clip": "a", "method": "random", "mask": ["bin", "topK_5"],
    ...                      "status": "ok", "FF": [0.0, 1.0]})
    >>> averaged(sums_of_values(clip_values(rows, "FF")), "method")["mean"].to_dict()
    {'random': 0.5}
    """
    level_names = _index_of(sums).get_level_values(level)
    names = list(dict.fromkeys(level_names))
    parts = [np.asarray(level_names == name) for name in names]
    columns = dict(zip(PARTS, sums.averages(parts), strict=True))
    return pd.DataFrame(columns, names).rename_axis(level)


def _index_of(sums: CellSums) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(sums.cells, names=["method", "mask"])
