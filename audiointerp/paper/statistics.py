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
from ..tables import (
    FEWEST,
    bootstrap_interval,
    bootstrap_means,
    ends,
    mean_of,
    means_without_each,
    recording_column,
    recordings_known,
)

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
            f"metrics.csv was edited: run the experiment again"
        )
    values = scored.pivot(index=CLIP, columns=["method", "mask"], values=name).astype(float)
    order = sorted(
        cells_of(values), key=lambda cell: (place(cell[0], METHODS), place(cell[1], MASKS))
    )
    return values[order]


def cells_of(values: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the cells, (method, mask), of a frame of values.

    >>> columns = pd.MultiIndex.from_tuples([("lime", "bin")], names=["method", "mask"])
    >>> cells_of(pd.DataFrame([[0.5]], columns=columns))
    [('lime', 'bin')]
    """
    methods, masks = (values.columns.get_level_values(level) for level in ("method", "mask"))
    return [(str(method), str(mask)) for method, mask in zip(methods, masks, strict=True)]


def place(name: str, known: Iterable[str]) -> tuple[int, str]:
    """Return a sort key: known names in their order, then all others by name.

    >>> sorted(["b", "x", "a"], key=lambda name: place(name, ["x"]))
    ['x', 'a', 'b']
    """
    order = list(known)
    return (order.index(name), "") if name in order else (len(order), name)


def means_of(values: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each cell over the clips: a row per cell, one column, mean.

    >>> values = clip_values(pd.DataFrame({"clip": ["a", "b"], "method": "random", "mask": "bin",
    ...                                    "status": "ok", "FF": [0.0, 1.0]}), "FF")
    >>> means_of(values)["mean"].tolist()
    [0.5]
    """
    return pd.DataFrame({"mean": mean_of(values.to_numpy(float))}, values.columns)


def with_intervals(values: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each cell over the clips with its 95 % bootstrap interval.

    The bootstrap draws recordings; see :func:`~audiointerp.tables.bootstrap.bootstrap_interval`.

    Returns:
        A row per cell; columns mean, low, high. Without enough recordings low and high are NaN.

    >>> rows = pd.DataFrame({"clip": [f"{number}.wav" for number in range(20)], "method": "random",
    ...                      "mask": "bin", "status": "ok", "FF": 1.0})
    >>> with_intervals(clip_values(rows, "FF")).to_numpy().tolist()
    [[1.0, 1.0, 1.0]]
    """
    array = values.to_numpy(float)
    low, high = bootstrap_interval(array, _recordings(values))
    return pd.DataFrame(np.stack([mean_of(array), low, high], 1), values.columns, list(PARTS))


def averaged(values: pd.DataFrame, level: str) -> pd.DataFrame:
    """Average cells over one level, each cell counting equally, with 95 % bootstrap intervals.

    A cell that is undefined for every clip is left out. A draw of the bootstrap takes a recording
    with all its clips and cells.

    Args:
        values: clips × cells.
        level: ``"method"`` for the mean over each method's masks, ``"mask"`` for the mean over
            each mask's methods.

    Returns:
        A row per name of that level; columns mean, low, high.

    >>> rows = pd.DataFrame({"clip": "a", "method": "random", "mask": ["bin", "topK_5"],
    ...                      "status": "ok", "FF": [0.0, 1.0]})
    >>> averaged(clip_values(rows, "FF"), "method")["mean"].to_dict()
    {'random': 0.5}
    """
    array, recordings = values.to_numpy(float), _recordings(values)
    drawn_means, means = bootstrap_means(array, recordings), mean_of(array)
    left_out = means_without_each(array, recordings)
    level_names = values.columns.get_level_values(level)
    names = list(dict.fromkeys(level_names))
    parts = [np.asarray(level_names == name) for name in names]
    by_clip = np.stack([mean_of(array[:, cells], 1) for cells in parts], 1)
    by_draw = np.stack([mean_of(drawn_means[:, cells], 1) for cells in parts], 1)
    by_recording = np.stack([mean_of(left_out[:, cells], 1) for cells in parts], 1)
    averages = np.array([float(mean_of(means[cells])) for cells in parts])
    enough = recordings_known(by_clip, recordings) >= FEWEST
    low, high = np.where(enough, ends(by_draw, averages, by_recording), np.nan)
    columns = dict(zip(PARTS, (averages, low, high), strict=True))
    return pd.DataFrame(columns, names).rename_axis(level)


def _recordings(values: pd.DataFrame) -> list[str]:
    return [str(recording) for recording in values.index.get_level_values("recording")]
