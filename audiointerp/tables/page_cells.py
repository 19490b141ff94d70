"""One small table of results that leads, and one of everything, as text for a page."""

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..metrics import FROM_AREA, METRICS, PERCENT, YES_OR_NO
from ..scoring import Difference
from .best_null import best_null_differences
from .binary import binary_masks
from .bootstrap import FEWEST, bootstrap_interval
from .lead import leading_rows, scores_beside
from .plain_text import interval_text
from .results import recording_column
from .summary import summarise

ALL_BY = ("method", "mask", "on", "fill", "protocol")
"""The groups of the table of everything."""
LeadCells = tuple[list[str], list[list[str]], str]
"""The heads, the rows and the caption of the table that leads."""
AllCells = tuple[list[str], list[list[str]], list[list[str]], int]
"""The heads, the rows rounded, the rows not rounded, and how many columns name a row."""


@dataclass(frozen=True)
class PageScores:
    """What a page shows of the scores of a run.

    Attributes:
        lead: of :func:`lead_cells`.
        everything: of :func:`all_cells`.
        differences: of each method to its best null.
        beside: what a reader should know of the scores, in sentences.

    Example: :func:`page_scores` makes them of rows in memory.
    """

    lead: LeadCells
    everything: AllCells
    differences: Sequence[Difference]
    beside: Sequence[str]


def page_scores(rows: pd.DataFrame, mask: str) -> PageScores:
    """Return what a page shows of the scores of a run.

    Args:
        rows: from :func:`~audiointerp.tables.results.read_results`, or of a run.
        mask: the mask that leads, by its name.

    Raises:
        AudioInterpError: no clip was scored.

    >>> from audiointerp.paper.example import example_rows
    >>> page_scores(example_rows(clips=3), "topK_30").lead[2].split(" with")[0]
    'Means over 3 clips'
    """
    return PageScores(
        lead_cells(rows_of_mask(rows, mask)),
        all_cells(rows),
        best_null_differences(rows),
        scores_beside(rows),
    )


def rows_of_mask(rows: pd.DataFrame, mask: str) -> pd.DataFrame:
    """Return the scored rows of one mask in the setting that leads a report.

    Args:
        rows: from :func:`~audiointerp.tables.results.read_results`, or of a run.
        mask: its name; the first mask of the results if they lack it.

    Raises:
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"status": "ok", "mask": ["bin", "topK_30"], "protocol": "corrected",
    ...                      "fill": ["silence", "background"], "on": "features"})
    >>> rows_of_mask(rows, "topK_5")["fill"].tolist()
    ['silence']
    """
    scored = rows[rows["status"] == "ok"]
    if scored.empty:
        raise AudioInterpError("no clip was scored; see the columns stage and error of the results")
    masks = scored["mask"].astype(str)
    return leading_rows(scored[masks == (mask if (masks == mask).any() else masks.iloc[0])])


def lead_cells(rows: pd.DataFrame) -> LeadCells:
    """Return the mean scores by method as text, with intervals over recordings.

    Args:
        rows: of :func:`rows_of_mask`.

    Returns:
        The heads, the rows (the method first), and a caption.

    >>> columns = {"method": "lime", "clip": ["a", "b"], "mask": "bin", "on": "audio",
    ...            "fill": "silence", **dict.fromkeys(METRICS, [0.25, 0.75])}
    >>> heads, lines, caption = lead_cells(pd.DataFrame(columns))
    >>> lines[0][:2], caption.split(". ")[1]
    (['lime', '0.50'], '2 recordings: too few for an interval.')
    """
    recordings = recording_column(rows)
    hidden = FROM_AREA if binary_masks(rows) else ()
    names = [name for name in METRICS if name not in hidden]
    means = []
    for method, part in rows.groupby("method", sort=False):
        values = part[names].to_numpy(float)
        low, high = bootstrap_interval(values, recordings[part.index].tolist())
        means.append((str(method), np.stack([part[names].mean().to_numpy(float), low, high], 1)))
    counts = rows["clip"].nunique(), recordings.nunique()
    return lead_of_means(names, means, counts, rows.iloc[0])


def lead_of_means(
    names: Sequence[str],
    means: Iterable[tuple[str, np.ndarray]],
    counts: tuple[int, int],
    setting: pd.Series,
) -> LeadCells:
    """Return the table that leads, of means that are known.

    Args:
        names: of the scores.
        means: of each method, with their intervals, ``(scores, 3)``.
        counts: of clips and of recordings.
        setting: its ``mask``, ``on`` and ``fill``.

    Example: :func:`lead_cells` calls it.
    """
    clips, count = counts
    lines = []
    for method, values in means:
        cells = [_cell(name, clips, *row) for name, row in zip(names, values.tolist(), strict=True)]
        lines.append([method, *cells])
    caption = (
        f"Means over {_counted(clips, 'clip')} with the mask {setting['mask']}, scored on "
        f"{setting['on']}, with the fill {setting['fill']}"
    )
    if count >= FEWEST:
        note = f"In brackets, 95 % intervals over {_counted(count, 'recording')}"
    else:
        note = f"{_counted(count, 'recording')}: too few for an interval"
    heads = ["method", *(_head(name) for name in names)]
    return heads, lines, f"{caption}. {note}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _head(name: str) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[METRICS[name].higher_is_better]
    percent = " (%)" if name in PERCENT else ""
    return f"{name}{percent}{arrow}"


def _cell(name: str, clips: int, mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return "undefined"
    if clips == 1 and name in YES_OR_NO:
        return "yes" if mean > 0 else "no"
    # Of a share that is the same for every clip, the interval is a point.
    is_point = high - low < 1e-9
    text = interval_text(name, mean, *((math.nan, math.nan) if is_point else (low, high)))
    # Differences have a sign, scores have none.
    return text.replace("+", "")


def all_cells(rows: pd.DataFrame) -> AllCells:
    """Return the mean scores of each protocol, fill, place, method and mask as text.

    Args:
        rows: as for :func:`rows_of_mask`.

    Returns:
        The heads, the rows rounded, the rows not rounded, and how many columns name a row. Scores
        that follow from AREA, of 0/1 masks, are left empty, and undefined ones too; if all masks
        are 0/1, these scores have no column.

    Raises:
        AudioInterpError: no clip was scored.

    >>> columns = {"method": "lime", "clip": ["a", "b"], "mask": "bin", "on": "audio",
    ...            "fill": "silence", "protocol": "corrected", "status": "ok",
    ...            **dict.fromkeys(METRICS, [0.25, 0.75])}
    >>> heads, rounded, exact, names = all_cells(pd.DataFrame(columns))
    >>> rounded[0][:6], names
    (['lime', 'bin', 'audio', 'silence', 'corrected', '0.500'], 5)
    """
    scored = rows[rows["status"] == "ok"]
    binary = binary_masks(scored)
    is_hard = {str(mask) for mask in scored["mask"].unique()} <= binary
    return all_of_means(summarise(rows, ALL_BY), binary, is_hard)


def all_of_means(table: pd.DataFrame, binary: Set[str], is_hard: bool) -> AllCells:
    """Return the table of everything, of means that are known.

    Args:
        table: means by :data:`ALL_BY`, as of :func:`~audiointerp.tables.summary.summarise`.
        binary: the 0/1 masks.
        is_hard: whether all masks are.

    Example: :func:`all_cells` calls it.
    """
    scores = [name for name in METRICS if not (is_hard and name in FROM_AREA)]
    names = [*scores, "clips"]
    rounded, exact = [], []
    for keys, values in zip(table.index, table[names].to_numpy(float), strict=True):
        cells = [str(key) for key in keys]
        hidden = FROM_AREA if cells[1] in binary else ()
        shown = [
            "" if name in hidden or math.isnan(value) else repr(float(value))
            for name, value in zip(names, values.tolist(), strict=True)
        ]
        exact.append(cells + shown)
        pairs = zip(names, shown, strict=True)
        rounded.append(cells + [_rounded(name, text) for name, text in pairs])
    heads = [*ALL_BY, *(_head(name) for name in scores), "clips"]
    return heads, rounded, exact, len(ALL_BY)


def _rounded(name: str, text: str) -> str:
    if not text:
        return ""
    decimals = 0 if name == "clips" else 1 if name in PERCENT else 3
    return f"{float(text):.{decimals}f}"
