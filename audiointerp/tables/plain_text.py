"""Summaries of results as plain text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..metrics import FROM_AREA, METRICS, PERCENT
from ..scoring import AREAS
from .binary import binary_masks
from .cells import format_interval
from .nulls_present import nulls_in
from .summary import compare, group_columns, scored_rows, summarise


def as_text(rows: pd.DataFrame, by: Sequence[str] = ("method", "mask")) -> str:
    """Format results as plain text: means, and comparisons with the nulls and with features.

    The best mean of each score, by the score's own direction, is marked by ``*``.

    Args:
        rows: as in :func:`summarise`.
        by: as in :func:`summarise`.

    Raises:
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "on": "features",
    ...                      "clip": ["a", "b"], "protocol": "corrected", "FF_smooth": np.nan,
    ...                      "FF_pixelwise": np.nan, **dict.fromkeys(METRICS, [0.0, 1.0])})
    >>> as_text(rows).splitlines()[1].split()[:3]
    ['random', 'bin', '0.500*']
    """
    scored = scored_rows(rows)
    recordings = scored["recording"].nunique()
    parts = [means_as_text(summarise(rows, by), _binary_groups(scored, by))]
    for than, title in _available_comparisons(rows):
        differences = compare(rows, than, by)
        has_intervals = differences.xs("low", axis=1, level=1).notna().to_numpy().any()
        shown = (
            "mean and 95 % interval over recordings"
            if has_intervals
            else f"mean ({recordings} recordings: too few for an interval)"
        )
        parts.append(f"\n{title}, {shown}\n{_differences_as_text(differences)}")
    return "\n".join(parts)


def _binary_groups(scored: pd.DataFrame, by: Sequence[str]) -> list[Any]:
    """Return the groups of a summary that have 0/1 masks alone."""
    binary = binary_masks(scored)
    columns = group_columns(scored, by)
    groups = scored.groupby(columns, observed=True)["mask"].agg(lambda masks: set(masks) <= binary)
    return groups[groups].index.tolist()


def _available_comparisons(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """List the comparisons that the rows allow, each with its title."""
    comparisons = [(null, f"Minus the null {null}") for null in nulls_in(rows)]
    scored_on = set(rows.loc[rows["status"] == "ok", "on"])
    if {"features", "audio"} <= scored_on:
        comparisons.append(("features", "On audio minus on features"))
    return comparisons


def means_as_text(table: pd.DataFrame, binary: Sequence[Any] = ()) -> str:
    """Format a table of :func:`summarise`; the best mean of each score is marked by ``*``.

    Args:
        table: its columns are shown in their order.
        binary: the groups of 0/1 masks alone; their SPS, COMP and nCOMP, which say what AREA says,
            are left out, and the columns too if nothing else is in them.

    >>> print(means_as_text(pd.DataFrame({"FF": [0.5]}, index=pd.Index(["lime"], name="method"))))
    method     FF
      lime 0.500*
    """
    shown = pd.DataFrame(index=table.index)
    for column in map(str, table):
        values = table[column]
        if column in FROM_AREA:
            values = values.mask(table.index.isin(binary))
            if len(binary) == len(table):
                continue
        shown[column] = _column_as_text(column, values)
    return str(shown.reset_index().to_string(index=False))


def _column_as_text(column: str, values: pd.Series) -> list[str]:
    """Format the means of one score; the best end in ``*``, the others in a space."""
    if column == "clips":
        return [f"{value:d}" for value in values]
    decimals = 1 if column in PERCENT else 3
    texts = [f"{value:.{decimals}f}" if value == value else "-" for value in values]
    higher_is_better = _higher_is_better(column)
    if higher_is_better is None or not values.notna().any():
        return [f"{text} " for text in texts]
    best = values.max() if higher_is_better else values.min()
    is_best = np.isclose(values, best, rtol=1e-9, atol=0)
    return [text + ("*" if mark else " ") for text, mark in zip(texts, is_best, strict=True)]


def _higher_is_better(column: str) -> bool | None:
    if column in AREAS:
        return column == "insertion"
    return METRICS[column].higher_is_better if column in METRICS else None


def _differences_as_text(table: pd.DataFrame) -> str:
    shown = pd.DataFrame(index=table.index)
    for name in table.columns.unique(0):
        shown[name] = [
            interval_text(name, *values) if values[0] == values[0] else "-"
            for values in table[name].to_numpy()
        ]
    return str(shown.reset_index().to_string(index=False))


def interval_text(name: str, mean: float, low: float, high: float) -> str:
    """Format a difference of a score and its interval; the mean alone if ``low`` is NaN.

    Args:
        name: the score; percentages have no decimals, other scores two.
        mean, low, high: as in :func:`compare`.

    >>> interval_text("FF", 0.25, 0.2, 0.3), interval_text("AD", -12.0, -15.0, -8.0)
    ('+0.25 [+0.20, +0.30]', '-12 [-15, -8]')
    """
    decimals = 0 if name in PERCENT else 2
    return format_interval(mean, low, high, decimals, decimals, flags="+")
