"""Tables of results that do not fit into memory: one part of the rows is read at a time.

What is kept are sums: of each group for means, of each recording for intervals, and 8 bytes per
clip for counts. Means differ from those of rows in memory by rounding alone; intervals are from the
same draws, as long as recordings are drawn one by one
(:mod:`~audiointerp.tables.recording_sums`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import ArgumentError, AudioInterpError
from ..interpretation import MASKS, NULLS
from ..metrics import METRICS, RELATIVE
from ..scoring import AREAS, CONTENT
from .best_null import PANELS, Compared, differences_to_best, in_order_of_lead
from .binary import soft_and_telling, soft_masks
from .group_sums import Distinct, GroupSums
from .lead import SETTING, Lead, failures_beside, hard_or_all, leading_rows, left_out
from .nulls_present import nulls_in
from .plain_text import means_as_text
from .recording_sums import RecordingSums
from .result_parts import Part
from .summary import group_columns, paired_differences, refuse_missing, scored_rows, with_shares

PLACES = ("transform", "experiment")
WORDS = ("method", "clip", "recording", "protocol", "fill", "on", "mask", "status")
NULL_COLUMNS = tuple(f"{name}_{null}" for null in NULLS for name in RELATIVE)
EACH_CLIP = ("clip", "recording")
"""Groups that would be as many as the clips."""


@dataclass(eq=False)
class Overview:
    """What a first pass knows: the settings and masks that occur, and the clips that failed.

    Attributes:
        settings: a row for each setting and mask; its column ``soft`` says whether the mask has
            values between 0 and 1.
        failed: the clips that could not be scored.
        clips: all clips.

    Example: ``Overview.of(parts)``.
    """

    settings: pd.DataFrame
    failed: Distinct = field(default_factory=Distinct)
    clips: Distinct = field(default_factory=Distinct)

    @staticmethod
    def of(parts: Sequence[Part]) -> "Overview":
        """Read what it needs of each part.

        Raises:
            AudioInterpError: no clip was scored, or a file is damaged.
        """
        columns = [name for name in SETTING if name not in PLACES]
        columns += ["mask", "clip", "status", "SPS", "COMP", "AREA"]
        overview = Overview(pd.DataFrame())
        settings = []
        for part in parts:
            rows = part.read(columns)
            overview.clips.add(rows["clip"])
            overview.failed.add(rows.loc[rows["status"] == "error", "clip"])
            scored = rows[rows["status"] == "ok"]
            settings += [_masks_of(rows) for _, rows in scored.groupby(list(SETTING), sort=False)]
        if not settings:
            raise AudioInterpError(
                "no clip was scored; see the columns stage and error of the results"
            )
        groups = pd.concat(settings).groupby([*SETTING, "mask"], sort=False)
        overview.settings = groups["soft"].any().reset_index()
        return overview

    @property
    def masks(self) -> list[str]:
        """The masks in the order of a summary."""
        names = self.settings["mask"].unique().tolist()
        of_study = [name for name in MASKS if name in names]
        return [*of_study, *(name for name in names if name not in MASKS)]


def streamed_lead_text(parts: Sequence[Part]) -> str:
    """Return what :func:`~audiointerp.tables.lead.lead_text` does, of rows that are on a disk.

    Args:
        parts: of :func:`~audiointerp.tables.result_parts.open_parts`.

    Raises:
        AudioInterpError: no clip was scored, or a file is damaged.

    Example: ``audiointerp tables results`` calls it for large results.
    """
    overview = Overview.of(parts)
    shown = leading_rows(overview.settings)
    soft = set(shown.loc[shown["soft"], "mask"])
    kept = hard_or_all(shown, soft)
    setting = kept.iloc[0]
    names = (*METRICS, "undefined", "constant")
    means = GroupSums(("method",), names, each_clip_once=True)
    sums: dict[tuple[str, str], RecordingSums] = {}
    recordings, has_nulls = Distinct(), False
    for rows in scored_parts(parts_of(parts, setting), (*METRICS, *NULL_COLUMNS)):
        rows = rows[are_of(rows, setting) & rows["mask"].isin(kept["mask"])]
        if rows.empty:
            continue
        recordings.add(rows["recording"])
        means.add(with_shares(rows))
        has_nulls |= bool(nulls_in(rows))
        add_differences(sums, rows[~rows["mask"].isin(soft)])
    lead = Lead(
        setting=setting,
        recordings=len(recordings),
        differences=in_order_of_lead(
            differences_to_best(compared_of(sums), f"{setting['fill']}, on {setting['on']}")
        ),
        has_nulls=has_nulls,
        masks=tuple(kept["mask"].unique()),
        soft=soft,
        means=means.table(),
        notes=(
            *left_out(overview.settings, shown),
            *failures_beside(len(overview.failed), len(overview.clips)),
        ),
    )
    return lead.text()


def streamed_summary(parts: Sequence[Part], by: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return what :func:`~audiointerp.tables.summary.summarise` does, and the same as text.

    Args:
        parts: of :func:`~audiointerp.tables.result_parts.open_parts`.
        by: columns to group by; not ``clip`` or ``recording``, whose groups are too many.

    Raises:
        ArgumentError: ``by`` has such a column.
        AudioInterpError: no clip was scored, or a file is damaged.

    Example: ``audiointerp tables results --by method,mask`` calls it for large results.
    """
    for name in set(by) & set(EACH_CLIP):
        raise ArgumentError(
            f"--by {name}: these results are too many for a group per {name}; read the Parquet "
            "files with pandas, pyarrow or DuckDB"
        )
    overview = Overview.of(parts)
    table, binary = summed_means(parts, overview, by)
    return table, means_as_text(table, _binary_groups(table, binary, overview))


def summed_means(
    parts: Sequence[Part], overview: "Overview", by: Sequence[str]
) -> tuple[pd.DataFrame, set[str]]:
    """Return the means of groups, and the masks that are 0/1 as far as their scores tell.

    Args:
        parts: of :func:`~audiointerp.tables.result_parts.open_parts`.
        overview: of these.
        by: columns to group by.

    Example: :func:`streamed_summary` calls it.
    """
    keys = group_columns(overview.settings, by)
    names = (*METRICS, *CONTENT, *AREAS)
    means = GroupSums(
        keys,
        (*names, "undefined", "constant"),
        overview.masks,
        each_clip_once="method" in keys and _has_one_place(overview, keys),
    )
    soft: set[str] = set()
    telling: set[str] = set()
    others = [name for name in by if name not in (*WORDS, *PLACES)]
    for rows in scored_parts(parts, (*names, *others)):
        refuse_missing(rows, others)
        means.add(with_shares(rows))
        soft_here, telling_here = soft_and_telling(rows)
        soft |= soft_here
        telling |= telling_here
    table = means.table()
    empty = [name for name in (*CONTENT, *AREAS) if table[name].isna().all()]
    return table.drop(columns=empty), telling - soft


def _masks_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the masks of the rows of one setting, with whether they are soft."""
    masks = rows[[*SETTING, "mask"]].drop_duplicates()
    return masks.assign(soft=masks["mask"].isin(soft_masks(rows)))


def _has_one_place(overview: Overview, keys: Sequence[str]) -> bool:
    """Whether a group is of one transform and one experiment."""
    return all(name in keys or overview.settings[name].nunique() == 1 for name in PLACES)


def _binary_groups(table: pd.DataFrame, binary: set[str], overview: Overview) -> list[object]:
    """Return the groups of a summary that have 0/1 masks alone."""
    if "mask" in table.index.names:
        return table.index[table.index.get_level_values("mask").isin(binary)].tolist()
    return table.index.tolist() if set(overview.masks) <= binary else []


def parts_of(parts: Sequence[Part], setting: pd.Series) -> list[Part]:
    """Return the parts of a transform and an experiment.

    >>> parts_of([], pd.Series({"transform": "mel", "experiment": "mel_clean"}))
    []
    """
    place = tuple(setting[name] for name in PLACES)
    return [part for part in parts if part.place == place]


def scored_parts(parts: Sequence[Part], columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Read the scored rows of each part, and of it some columns beside :data:`WORDS`.

    >>> list(scored_parts([], ["FF"]))
    []
    """
    for part in parts:
        rows = part.read([*WORDS, *columns])
        if (rows["status"] == "ok").any():
            yield scored_rows(rows)


def are_of(rows: pd.DataFrame, setting: pd.Series) -> pd.Series:
    """Return which rows are of a setting.

    >>> rows = pd.DataFrame({name: ["a", "b"] for name in SETTING})
    >>> are_of(rows, rows.iloc[1]).tolist()
    [False, True]
    """
    are_of = pd.Series(data=True, index=rows.index)
    for name in SETTING:
        are_of &= rows[name] == setting[name]
    return are_of


def add_differences(sums: dict[tuple[str, str], RecordingSums], rows: pd.DataFrame) -> None:
    """Add the differences of a part's clips to each null that it has.

    Args:
        sums: by method and null.
        rows: of the part, scored, of 0/1 masks.

    >>> sums = {}
    >>> add_differences(sums, pd.DataFrame({"FF": []}))
    >>> sums
    {}
    """
    for null in nulls_in(rows):
        # The areas are not read, since no panel shows them.
        without_areas = rows.assign(**dict.fromkeys(AREAS, np.nan))
        by_clip = paired_differences(without_areas, null, by=("method",))
        for method, differences in by_clip.groupby(level="method"):
            key = str(method), null
            if key not in sums:
                sums[key] = RecordingSums(list(PANELS))
            sums[key].add(differences.droplevel("method"))


def compared_of(sums: dict[tuple[str, str], RecordingSums]) -> list[Compared]:
    """Return the differences that were added, by score and method.

    >>> compared_of({})
    []
    """
    methods = sorted({method for method, _ in sums})
    compared: list[Compared] = []
    for name in PANELS:
        for method in methods:
            nulls = [null for null in NULLS if (method, null) in sums]
            compared.append(
                (name, method, [sums[method, null].differences(name) for null in nulls])
            )
    return compared
