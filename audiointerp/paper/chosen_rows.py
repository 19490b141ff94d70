"""The rows that tables are made of: all results of a folder, or some of them."""

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from ..errors import choose
from ..experiments import EXPERIMENTS, NOISE_TRAINED
from ..interpretation import METHODS
from ..tables import (
    ClipNames,
    Part,
    are_too_many,
    clip_names,
    completed_rows,
    condensed_rows,
    open_parts,
)
from ..util import FILLS

KNOWN = {"experiment": (*EXPERIMENTS, *NOISE_TRAINED), "method": (*METHODS,), "fill": (*FILLS,)}
"""Names that may be asked for, though the results lack them; what lacks is told."""


def chosen_rows(
    root: str | os.PathLike[str], wanted: Mapping[str, Sequence[str] | None]
) -> tuple[pd.DataFrame, ClipNames, Sequence[Part]]:
    """Return the rows of results that have one of the wanted values in each column.

    Args:
        root: see :func:`~audiointerp.tables.completed_rows`.
        wanted: the values by column: ``experiment``, ``method``, ``fill``; None takes all.

    Returns:
        The rows, those of failed clips too, and their clips. Of results too large for the memory,
        one row of each kind; and the parts, where all rows are.

    Raises:
        ArgumentError: a name is unknown.
        AudioInterpError: there are no results, or they do not fit each other.

    Example: :func:`~audiointerp.paper.paper_of` makes tables of them.
    """
    parts = open_parts(root)
    if not are_too_many(parts):
        rows = _with_values(completed_rows(root), wanted)
        return rows, clip_names(rows), ()
    kinds, clips = condensed_rows(parts)
    rows = _with_values(kinds, wanted)
    places = set(zip(rows["transform"], rows["experiment"], rows["method"], strict=True))
    kept = {place: names for place, names in clips.by_method.items() if place in places}
    of_places = [part for part in parts if (*part.place, part.method) in places]
    return rows, ClipNames(kept), of_places


def _with_values(rows: pd.DataFrame, wanted: Mapping[str, Sequence[str] | None]) -> pd.DataFrame:
    for column, values in wanted.items():
        if values is not None:
            known = {*rows[column].dropna(), *KNOWN[column]} - {""}
            chosen = [choose(column, value, sorted(known)) for value in values]
            failed_anywhere = (rows["status"] != "ok") & (column == "fill")
            rows = rows[rows[column].isin(chosen) | failed_anywhere]
    return rows
