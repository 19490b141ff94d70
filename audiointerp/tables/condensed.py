"""Which clips results have, and which kinds of rows: what is known of rows that are not kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..interpretation import NULLS
from .group_sums import Distinct
from .result_parts import Part
from .run_record import read_record

WORDS = ("method", "clip", "recording", "protocol", "fill", "on", "mask", "status")
OF_CLIPS = ("clip", "recording")


@dataclass(frozen=True, eq=False)
class ClipNames:
    """The clips of each method, at 8 bytes each.

    Example: see :func:`clip_names`.
    """

    by_method: dict[tuple[str, str, str], Distinct] = field(default_factory=dict)

    def add(self, rows: pd.DataFrame) -> None:
        """Add the clips of rows."""
        groups = rows.groupby(["transform", "experiment", "method"], sort=False)["clip"]
        for key, clips in groups:
            transform, experiment, method = key
            self.by_method.setdefault(
                (str(transform), str(experiment), str(method)), Distinct()
            ).add(clips)

    def of(
        self, transform: str | None = None, experiment: str | None = None, method: str | None = None
    ) -> Distinct:
        """Return the clips of a transform, an experiment, a method; of all of them if None."""
        wanted = transform, experiment, method
        together = Distinct()
        for key, clips in self.by_method.items():
            if all(want in (None, name) for want, name in zip(wanted, key, strict=True)):
                together.include(clips)
        return together


def clip_names(rows: pd.DataFrame) -> ClipNames:
    """Return the clips of rows.

    >>> rows = pd.DataFrame({"transform": "mel", "experiment": "birds", "method": ["a", "b"],
    ...                      "clip": "wren.wav"})
    >>> len(clip_names(rows).of("mel", "birds"))
    1
    """
    names = ClipNames()
    names.add(rows)
    return names


def condensed_rows(parts: Sequence[Part]) -> tuple[pd.DataFrame, ClipNames]:
    """Return one row of each kind, all rows of clips that failed, and the clips.

    A kind is what a row has beside its clip and its scores. Of the nulls it is known whether they
    are there: their columns ``FF_…`` are 0 or NaN.

    Args:
        parts: of :func:`~audiointerp.tables.result_parts.open_parts`, one or more.

    Raises:
        AudioInterpError: a file is damaged.

    Example: ``audiointerp tables results --kinds summary`` calls it for large results.
    """
    nulls = [f"FF_{null}" for null in NULLS]
    names, kinds = ClipNames(), pd.DataFrame()
    for part in parts:
        rows = part.read([*WORDS, "stage", "correct", *nulls])
        rows.insert(2, "network", str(read_record(part.path.parent).get("network_sha256", "")))
        names.add(rows)
        rows[nulls] = np.where(rows[nulls].notna(), 0.0, np.nan)
        kinds = _kinds_of(rows if kinds.empty else pd.concat([kinds, rows]))
    return kinds, names


def _kinds_of(rows: pd.DataFrame) -> pd.DataFrame:
    failed = rows["status"] != "ok"
    again = rows.duplicated([name for name in rows if name not in OF_CLIPS])
    return rows[failed | ~again]
