"""What a terminal shows first of any results: a forest plot as text, and one small table."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..metrics import FROM_AREA
from ..scoring import PROTOCOLS, Difference
from .best_null import LEVEL, best_null_differences
from .binary import soft_masks
from .bootstrap import FEWEST
from .by_network import networks_beside, networks_text
from .nulls_present import nulls_in
from .plain_text import interval_text, means_as_text
from .summary import scored_rows, summarise

SETTING = ("transform", "experiment", "protocol", "fill", "on")
"""Columns whose values together are one setting, which a table does not average over.

The networks of an experiment are those of the folds of a cross-validation, which are one result.
"""
FIRST = {"experiment": "mel_clean", "protocol": "corrected"}
"""What leads if there are several."""
SHOWN = ("FF", "AI", "AD", "AG", "FidIn", "AREA", "clips")
WIDTH = 41
"""Characters of the plot."""
SMALLEST_SPAN = 1e-9
"""The smallest range that a plot is drawn to."""


def lead_text(rows: pd.DataFrame) -> str:
    """Format :func:`lead_of` results as text: a forest plot in characters, and one table.

    Args:
        rows: of a run, of ``score``, or of :func:`~audiointerp.tables.results.read_results`.

    Raises:
        AudioInterpError: no clip was scored.

    >>> from audiointerp.paper.example import example_rows
    >>> rows = example_rows(clips=5).assign(FF_smooth=0.5, AD_smooth=0.5, FidIn_smooth=0.5)
    >>> print(lead_text(rows).splitlines()[1])
    5 recordings: too few for an interval
    """
    return lead_of(rows).text()


def lead_of(rows: pd.DataFrame) -> "Lead":
    """Return what is shown first of results, of one setting; its notes name what is left out.

    Each method minus its best null, see
    :func:`~audiointerp.tables.best_null.best_null_differences`, and the mean scores of each method
    over its 0/1 masks, or over all masks if there is no 0/1 mask.

    Args:
        rows: as for :func:`lead_text`.

    Raises:
        AudioInterpError: no clip was scored.

    >>> from audiointerp.paper.example import example_rows
    >>> lead_of(example_rows(clips=5)).shown_means.columns.tolist()
    ['FF', 'AI', 'AD', 'AG', 'FidIn', 'AREA', 'clips']
    """
    scored = scored_rows(rows)
    shown = leading_rows(scored)
    soft = soft_masks(shown)
    kept = hard_or_all(shown, soft)
    return Lead(
        setting=kept.iloc[0],
        recordings=kept["recording"].nunique(),
        differences=best_null_differences(kept),
        has_nulls=bool(nulls_in(kept)),
        masks=tuple(kept["mask"].unique()),
        soft=soft,
        means=summarise(kept, ["method"]),
        by_network=networks_beside(kept),
        notes=(*left_out(scored, shown), *scores_beside(rows)),
    )


@dataclass(frozen=True)
class Lead:
    """What a terminal or a notebook shows first of results.

    Attributes:
        setting: the values of the columns of ``SETTING``.
        recordings: their number.
        differences: of each method to its best null.
        has_nulls: whether there is any null.
        masks: the masks that the means are over.
        soft: the masks with values between 0 and 1.
        means: the mean scores by method.
        notes: sentences that follow.
        by_network: of :func:`networks_beside`.

    Example: :func:`lead_of` makes one of rows in memory.
    """

    setting: Mapping[str, Any] | pd.Series
    recordings: int
    differences: Sequence[Difference]
    has_nulls: bool
    masks: Sequence[str]
    soft: Set[str]
    means: pd.DataFrame
    notes: Sequence[str]
    by_network: pd.DataFrame | None = None

    def text(self) -> str:
        """The forest plot and the tables as text."""
        networks = [] if self.by_network is None else [networks_text(self.by_network)]
        parts = [self.heading, self._forest_or_note(), *networks, self._table(), *self.notes]
        return "\n\n".join(parts)

    @property
    def heading(self) -> str:
        """The setting, and the number of recordings."""
        values = [str(self.setting[name]) for name in SETTING if name in self.setting]
        few = ": too few for an interval" if self.recordings < FEWEST else ""
        return f"{', '.join(values)}\n{self.recordings} recordings{few}"

    def _forest_or_note(self) -> str:
        """Return the plot, or why there is none."""
        if not self.differences:
            reason = "0/1 masks" if self.has_nulls else "nulls"
            return f"These results have no {reason}: whether a method beats chance is not known."
        title = (
            "Each method minus its best null "
            "(random masks, its own moved in time, another clip's):\n"
            f"right of | is better; * differs from 0 (p <= {LEVEL:g} after Holm's correction,\n"
            "which the intervals lack), o may not"
        )
        return f"{title}\n\n{forest_text(self.differences)}"

    @property
    def shown_means(self) -> pd.DataFrame:
        """The few columns of the means that lead, in the order of the methods."""
        names = [name for name in SHOWN if name in self.means]
        if not self._is_hard:
            names[-1:-1] = [name for name in FROM_AREA if name in self.means]
        return self.means[names]

    @property
    def _is_hard(self) -> bool:
        return not set(self.masks) & self.soft

    def _table(self) -> str:
        count = len(self.masks)
        kind = "0/1 masks" if self._is_hard else "masks"
        title = f"Means over {count} {kind if count > 1 else kind.removesuffix('s')}; * is the best"
        return f"{title}\n\n{means_as_text(self.shown_means)}"


def hard_or_all(rows: pd.DataFrame, soft: Set[str]) -> pd.DataFrame:
    """Return the rows of 0/1 masks; all rows if there are none.

    Args:
        rows: of any masks.
        soft: the masks that are not 0/1.

    >>> hard_or_all(pd.DataFrame({"mask": ["bin", "minmax"]}), {"minmax"})["mask"].tolist()
    ['bin']
    """
    hard = rows[~rows["mask"].isin(soft)]
    return rows if hard.empty else hard


def leading_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the setting that is shown first: what the protocol scores by default.

    Args:
        rows: of scored clips; those of a clip that failed have no setting.

    >>> rows = pd.DataFrame({"on": ["features", "audio"], "FF": [0.1, 0.2]})
    >>> leading_rows(rows)["FF"].tolist()
    [0.2]
    """
    for name in (name for name in SETTING if name in rows):
        values = list(rows[name].dropna().unique())
        preferred = _first_of(name, rows)
        if values:
            rows = rows[rows[name] == (preferred if preferred in values else values[0])]
    return rows


def _first_of(name: str, rows: pd.DataFrame) -> str | None:
    """Return the value of a column of :data:`SETTING` that leads, of rows of one protocol."""
    if name not in ("fill", "on"):
        return FIRST.get(name)
    protocols = list(rows["protocol"].dropna().unique()) if "protocol" in rows else []
    known = PROTOCOLS.get(protocols[0] if protocols else "corrected", PROTOCOLS["corrected"])
    return {"fill": known.default_fill, "on": known.default_on}[name]


def scores_beside(rows: pd.DataFrame) -> Sequence[str]:
    """Return what a reader should know of a table of scores, in sentences.

    >>> scores_beside(pd.DataFrame({"status": ["ok", "error"], "clip": ["a", "b"]}))
    ['1 of 2 clips could not be scored.']
    """
    failed = rows.loc[rows["status"] == "error", "clip"].nunique()
    return failures_beside(failed, rows["clip"].nunique())


def failures_beside(failed: int, clips: int) -> list[str]:
    """Return how many clips have failed, in a sentence; none if none has.

    >>> failures_beside(0, 2)
    []
    """
    return [f"{failed} of {clips} clips could not be scored."] * bool(failed)


def forest_text(differences: Sequence[Difference], width: int = WIDTH) -> str:
    """Draw a forest plot in characters: a line for each difference, a block for each panel.

    ``|`` is 0, ``-`` the interval, ``*`` a mean that differs from 0 after the correction for the
    number of comparisons, ``o`` one that does not.

    Args:
        differences: positive is better.
        width: of the plot, in characters.

    >>> line = Difference("FF", "gradcam", "on audio", 0.5, 0.25, 0.75, True)
    >>> print(forest_text([line], width=9))
    FF
      gradcam  |  --*---  +0.50 [+0.25, +0.75]
    """
    panels = list(dict.fromkeys(difference.panel for difference in differences))
    blocks = []
    for panel in panels:
        lines = [difference for difference in differences if difference.panel == panel]
        blocks.append(_panel_text(panel, lines, width))
    return "\n".join(blocks)


def _panel_text(panel: str, lines: Sequence[Difference], width: int) -> str:
    ends = [0.0]
    for line in lines:
        # NaN, without an interval, is no end.
        ends += [end for end in (line.low, line.mean, line.high) if end == end]
    low, high = min(ends), max(ends)
    # Differences of rounding alone are no difference.
    scale = (width - 1) / (high - low if high - low > SMALLEST_SPAN else 1.0)
    name_width = max(len(line.row) for line in lines)
    score = panel.split(",")[0]
    texts = [panel]
    for line in lines:
        marks = [" "] * width
        if line.low == line.low:
            start, stop = (round((end - low) * scale) for end in (line.low, line.high))
            marks[start : stop + 1] = "-" * (stop + 1 - start)
        marks[round(-low * scale)] = "|"
        if line.mean == line.mean:
            marks[round((line.mean - low) * scale)] = "*" if line.is_certain else "o"
        numbers = interval_text(score, line.mean, line.low, line.high)
        texts.append(f"  {line.row:{name_width}}  {''.join(marks)}  {numbers}")
    return "\n".join(texts)


def left_out(rows: pd.DataFrame, shown: pd.DataFrame) -> list[str]:
    """Say what the results hold beside what is shown.

    >>> rows = pd.DataFrame({"on": ["audio", "features"]})
    >>> left_out(rows, rows[:1])
    ['Also in these results: on features.']
    """
    others = []
    for name in (name for name in SETTING if name in rows):
        values = [str(value) for value in rows[name].unique() if value != shown[name].iloc[0]]
        if values:
            others.append(f"{name} {', '.join(values)}")
    return [f"Also in these results: {'; '.join(others)}."] if others else []
