"""The scores on the page of a run that does not fit into memory: one part is read at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pandas as pd

from ..metrics import FROM_AREA, METRICS
from ..scoring import Difference
from .best_null import differences_to_best, in_order_of_lead
from .binary import soft_and_telling
from .group_sums import Distinct
from .lead import failures_beside, leading_rows
from .page_cells import ALL_BY, AllCells, LeadCells, PageScores, all_of_means, lead_of_means
from .recording_sums import RecordingSums
from .result_parts import Part
from .streamed import (
    NULL_COLUMNS,
    Overview,
    add_differences,
    are_of,
    compared_of,
    parts_of,
    scored_parts,
    summed_means,
)

NullSums = dict[tuple[str, str], RecordingSums]
"""The differences by method and null."""
_CLIP = ("clip", "recording")


def streamed_page_scores(parts: Sequence[Part], mask: str) -> PageScores:
    """Return what :func:`~audiointerp.tables.page_cells.page_scores` does, of rows on a disk.

    Args:
        parts: of :func:`~audiointerp.tables.result_parts.parts_of_methods`.
        mask: the mask that leads, by its name.

    Raises:
        AudioInterpError: no clip was scored, or a file is damaged.

    Example: ``audiointerp report results/mel/birds`` calls it for a large run.
    """
    overview = Overview.of(parts)
    return PageScores(
        _lead(parts, overview.settings, mask),
        _everything(parts, overview),
        _differences(parts, overview.settings),
        failures_beside(len(overview.failed), len(overview.clips)),
    )


@dataclass(eq=False)
class _LeadSums:
    """What the leading table needs, gathered part by part."""

    by_method: dict[str, RecordingSums] = field(default_factory=dict)
    clips: Distinct = field(default_factory=Distinct)
    recordings: Distinct = field(default_factory=Distinct)
    soft: set[str] = field(default_factory=set)
    telling: set[str] = field(default_factory=set)
    _numbers: "count[int]" = field(default_factory=count)

    def add(self, rows: pd.DataFrame) -> None:
        self.clips.add(rows["clip"])
        self.recordings.add(rows["recording"])
        soft, telling = soft_and_telling(rows)
        self.soft |= soft
        self.telling |= telling
        for method, part in rows.groupby("method", sort=False):
            sums = self.by_method.setdefault(str(method), RecordingSums(list(METRICS)))
            # Recordings are numbered in the order of the rows, as in memory.
            places = [f"{next(self._numbers):015d}" for _ in range(len(part))]
            recordings = part["recording"].astype(str).tolist()
            index = pd.MultiIndex.from_arrays([places, recordings], names=_CLIP)
            sums.add(part[[*METRICS]].set_axis(index))

    def cells(self, setting: pd.Series) -> LeadCells:
        hidden = FROM_AREA if self.telling - self.soft else ()
        names = [name for name in METRICS if name not in hidden]
        means = []
        for method, sums in self.by_method.items():
            values = [sums.values(name) for name in names]
            means.append((method, np.array([(each.mean(), *each.interval()) for each in values])))
        return lead_of_means(names, means, (len(self.clips), len(self.recordings)), setting)


def _lead(parts: Sequence[Part], settings: pd.DataFrame, mask: str) -> LeadCells:
    masks = settings["mask"].astype(str)
    chosen = mask if (masks == mask).any() else masks.iloc[0]
    setting = leading_rows(settings[masks == chosen]).iloc[0]
    sums = _LeadSums()
    for rows in scored_parts(parts_of(parts, setting), list(METRICS)):
        of_mask = rows[are_of(rows, setting) & (rows["mask"] == chosen)]
        if len(of_mask):
            sums.add(of_mask)
    return sums.cells(setting)


def _everything(parts: Sequence[Part], overview: Overview) -> AllCells:
    table, binary = summed_means(parts, overview, ALL_BY)
    return all_of_means(table, binary, set(overview.masks) <= binary)


def _differences(parts: Sequence[Part], settings: pd.DataFrame) -> list[Difference]:
    soft = settings.loc[settings["soft"], "mask"]
    by_group: dict[tuple[str, str], NullSums] = {}
    for rows in scored_parts(parts, (*METRICS, *NULL_COLUMNS)):
        hard = rows[~rows["mask"].isin(soft)]
        for (fill, on), of_group in hard.groupby(["fill", "on"]):
            add_differences(by_group.setdefault((str(fill), str(on)), {}), of_group)
    lines: list[Difference] = []
    for (fill, on), sums in sorted(by_group.items()):
        lines += differences_to_best(compared_of(sums), f"{fill}, on {on}")
    return in_order_of_lead(lines)
