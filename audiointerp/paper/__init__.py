"""The tables of the paper, from rows of results: which there are, what is in each, and what is missing for them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..bootstrap import FEWEST
from ..errors import choose
from ..explain import ON
from ..exports import Table, write_tables
from ..metrics import METRICS
from ..tables import SCORES, classes_of, read_results
from .kinds import KINDS
from .missing import missing, unfinished
from .settings import settings

__all__ = ["KINDS", "Paper", "missing", "notes", "paper_of", "paper_tables", "unfinished"]


@dataclass(frozen=True, eq=False)
class Paper:
    """The tables of the paper, and what is said before them.

    Attributes:
        title: of them all.
        notes: paragraphs: what the tables are of, and how they are read.
        by_kind: the tables of each kind.
        lacking: what the results lack for all of the paper's tables, a sentence each.
    """

    title: str
    notes: list[str]
    by_kind: dict[str, list[Table]]
    lacking: list[str]

    @property
    def tables(self) -> list[Table]:
        """All of them, in the order of their kinds."""
        return [table for tables in self.by_kind.values() for table in tables]

    def write(self, folder: str | os.PathLike[str], formats: Sequence[str]) -> list[Path]:
        """See :func:`~audiointerp.exports.write_tables`."""
        return write_tables(self.tables, folder, formats, self.title, self.notes)


def paper_of(
    root: str | os.PathLike[str], kinds: Sequence[str] | None = None, on: str | None = None, published: bool = False
) -> Paper:
    """The paper's tables of a folder of results.

    Args:
        root: see :func:`~audiointerp.tables.read_results`.
        kinds, published: see :func:`paper_tables`.
        on: a name in ``ON``; both if None.

    Raises:
        ArgumentError: a name is unknown.
        AudioInterpError: there are no such results, or nothing was scored.
    """
    asked = ON if on is None else (choose("on", on, ON),)
    rows = read_results(root)
    lacking = [*unfinished(root), *missing(rows, asked)]
    rows = rows[rows["on"].isin(asked) | (rows["status"] != "ok")]
    title = "The tables of the paper, from our results" + (" and as published" if published else "")
    return Paper(title, notes(rows, lacking, classes_of(root)), _by_kind(rows, kinds, published), lacking)


def paper_tables(rows: pd.DataFrame, kinds: Sequence[str] | None = None, published: bool = False) -> list[Table]:
    """The tables of the paper that results allow, each of one protocol and one ``on``.

    - ``summary``: per method the mean over masks, per mask the mean over methods;
    - ``masks``: masks × scores of each method; ``methods``: methods × scores of each mask; for each experiment, of all
      clips, of the correctly and of the wrongly classified ones;
    - ``noise``: the same method and mask on clean clips and under each noise; ``noise_differences``: clip by clip;
    - ``heard``: scores on features and on audio, beside random masks.

    Args:
        rows: of :func:`~audiointerp.tables.read_results`.
        kinds: names in ``KINDS``; all of them if None.
        published: whether the published means stand beside ours.

    Raises:
        ArgumentError: a kind is unknown.
        AudioInterpError: nothing was scored, or a clip has two rows of one method and mask in one setting.
    """
    return [table for tables in _by_kind(rows, kinds, published).values() for table in tables]


def _by_kind(rows: pd.DataFrame, kinds: Sequence[str] | None, published: bool) -> dict[str, list[Table]]:
    chosen = [choose("kind of table", name, KINDS) for name in (KINDS if kinds is None else kinds)]
    found = settings(rows)
    return {name: list(KINDS[name](found, published)) for name in chosen}


def notes(rows: pd.DataFrame, lacking: Sequence[str] = (), classes: Sequence[str] = ()) -> list[str]:
    """What the tables are of, how they are read, and what is missing: paragraphs for a title page.

    Args:
        rows: of :func:`~audiointerp.tables.read_results`.
        lacking: sentences of :func:`missing` and :func:`unfinished`.
        classes: the names of the classes, by which a reader knows the data.
    """
    scored = rows[rows["status"] == "ok"]
    networks = [name for name in rows["network"].unique() if name] if "network" in rows else []
    scores = ", ".join(
        f"{name}: {METRICS[name].title} ({'high' if METRICS[name].higher_is_better else 'low'} is better)"
        for name in SCORES
    )
    return [
        f"Experiments: {', '.join(rows['experiment'].unique())}. Methods: {', '.join(rows['method'].unique())}. "
        f"{scored['mask'].nunique()} masks, {rows['clip'].nunique()} clips, scored on {', '.join(scored['on'].unique())}, "
        f"protocol {', '.join(scored['protocol'].unique())}."
        + (f" Classes: {', '.join(classes)}." if classes else "")
        + (f" Networks (SHA-256): {', '.join(name[:12] for name in networks)}." if networks else ""),
        f"{scores}; AREA: mean of the mask, without direction. The best of each block is bold (* in plain text), the worst "
        "italic (†); where a block's values are all equal, neither.",
        "In brackets: 95 % percentile intervals of a bootstrap that draws recordings, each with all clips that were cut from "
        f"it; none where fewer than {FEWEST} recordings have the score. One of no width says that all clips agree, not that "
        "the mean is certain; and of a hundred intervals some miss. undefined %: the share of clips whose mask is "
        "all zero, so that SPS and COMP have no value and are left out; constant %: the share of masks that are the same "
        "everywhere, undefined ones with them. The explained class is the predicted one; the true label only splits the clips.",
        "random is a method that knows nothing of the sound. pixelwise and smooth are, for every mask, random masks of its "
        "own values. For a 0/1 mask SPS = 1 − AREA and COMP = ln(AREA · bins): one number in three columns.",
        *([f"Missing for all of the paper's tables: {'; '.join(lacking)}."] if lacking else []),
    ]
