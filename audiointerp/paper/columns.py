"""Columns and captions that the tables of the paper share, and the published means beside ours."""

from collections.abc import Mapping

import pandas as pd

from ..metrics import METRICS, PERCENT
from ..tables import FEWEST, Column, Table, table_of
from .conditions import SHARES, Condition
from .published import PUBLISHED_SCORES, published_tables

PUBLISHED_NOTE = (
    "Published: means from the study's repository (exile8/coursework24, tables.ipynb), computed on "
    "ESC-50 fold 5 (400 clips) with Cnn14, its own definitions of the scores and recorded noises. "
    "Ours are of other clips and another network, and our noises are synthetic."
)
Columns = list[tuple[Column, pd.DataFrame]]


def interval_note(columns: Columns) -> str:
    """Return what stands in brackets in a table with these columns, or why nothing does.

    >>> statistics = pd.DataFrame({"mean": [0.5], "low": [float("nan")]})
    >>> interval_note([(Column("FF"), statistics)])
    'Fewer than 20 recordings: no intervals.'
    """
    for _, statistics in columns:
        if "low" in statistics and statistics["low"].notna().any():
            return "In brackets: 95 % bootstrap intervals over the recordings."
    return f"Fewer than {FEWEST} recordings: no intervals."


def score_column(
    name: str, sub: str = "", head: str | None = None, *, difference: bool = False
) -> Column:
    """Return the column of a score, with the score's decimals and direction.

    Args:
        name: the score.
        sub: the second line of the column's head.
        head: the first line; the score's name if None.
        difference: whether the column holds differences: they have a sign and no direction.

    >>> score_column("AD").higher_is_better, score_column("AD", difference=True).signed
    (False, True)
    """
    better = None if difference or name not in METRICS else METRICS[name].higher_is_better
    decimals = 2 if name in PERCENT else 3
    return Column(name if head is None else head, sub, decimals, difference, better)


def score_columns(scores: Mapping[str, pd.DataFrame], published: pd.DataFrame | None) -> Columns:
    """Return the columns of a table of scores, each published mean beside ours.

    Args:
        scores: the statistics by column head, as :attr:`Condition.scores`; all with one index.
        published: the published means, a column per score; None for none. Rows that ours lack are
            left out.

    >>> ours = pd.DataFrame({"mean": [0.5]}, ["lime"])
    >>> columns = score_columns({"FF": ours}, pd.DataFrame({"FF": [0.6]}, ["lime"]))
    >>> [(column.head, column.sub) for column, _ in columns]
    [('FF', ''), ('FF', 'published')]
    """
    columns: Columns = []
    for head, statistics in scores.items():
        decimals = {"clips": 0, **dict.fromkeys(SHARES, 1)}.get(head)
        column = score_column(head) if decimals is None else Column(head, decimals=decimals)
        columns.append((column, statistics))
        if published is not None and head in published:
            means = published[[head]].set_axis(["mean"], axis=1).reindex(statistics.index)
            columns.append((score_column(head, "published"), means))
    return columns


def published_of(condition: Condition) -> pd.DataFrame | None:
    """Return the published means of a condition; None if none were published, as for audio.

    Returns:
        A row per (method, mask), a column per score.

    >>> from .example import example_rows
    >>> condition = Condition(
    ...     "mel", "mel_clean", "corrected", "silence", "features", "all", example_rows()
    ... )
    >>> published_of(condition).shape
    (56, 7)
    """
    table = published_tables()
    names = table["model"] + "_" + table["experiment"]
    same = (table["model"] == condition.transform) & (names == condition.experiment)
    same &= table["subset"] == condition.subset
    if condition.on != "features" or not same.any():
        return None
    return table[same].set_index(["method", "mask"])[list(PUBLISHED_SCORES)]


def score_table(
    name: str,
    title: str,
    caption: str,
    scores: Mapping[str, pd.DataFrame],
    published: pd.DataFrame | None,
) -> Table:
    """Return a table of scores whose caption explains the brackets and the published columns.

    Args:
        name, title, caption: see :class:`~audiointerp.tables.table.Table`.
        scores, published: see :func:`score_columns`; the index has two levels, block and row.

    >>> index = pd.MultiIndex.from_tuples([("mel_clean", "lime")])
    >>> table = score_table("x", "X", "Means.", {"FF": pd.DataFrame({"mean": [0.5]}, index)}, None)
    >>> table.caption
    'Means. Fewer than 20 recordings: no intervals.'
    """
    columns = score_columns(scores, published)
    notes = [caption, interval_note(columns)]
    if published is not None:
        notes.append(PUBLISHED_NOTE)
    return table_of(name, title, " ".join(notes), columns)


def clips_in(condition: Condition) -> str:
    """Return the number of scored clips as text: a range where clips failed for some methods.

    >>> from .example import example_rows
    >>> rows = example_rows(clips=3)
    >>> clips_in(Condition("mel", "mel_clean", "corrected", "silence", "features", "all", rows))
    '3 clips'
    """
    counts = condition.clips_by_method.values()
    fewest, most = min(counts), max(counts)
    return f"{most} clips" if fewest == most else f"{fewest} to {most} clips"
