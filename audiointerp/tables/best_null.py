"""Each method minus its best null: what is left of a score once chance has been given its best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..metrics import METRICS
from ..scoring import Difference
from .binary import soft_masks
from .bootstrap import bootstrap_interval
from .comparisons import bootstrap_p_values, holm
from .nulls_present import nulls_in
from .summary import SPLIT_BY, paired_differences

PANELS = {"FF": "FF", "FidIn": "FidIn", "AD": "AD, lower is better: percentage points less"}
"""The scores of the forest plot, and what stands above them."""
LEVEL = 0.05
"""Largest adjusted p-value at which a method differs from its best null."""


def best_null_differences(rows: pd.DataFrame) -> list[Difference]:
    """Compare the mean score of each method over its 0/1 masks with that of its best null.

    The mean is over the masks of zeros and ones, since soft masks lower every level. The best
    null of a method is that with the best mean, so the smallest difference is shown. Intervals are
    paired BCa intervals over recordings, 95 % each. A method is certainly better than the best null
    if it is better than each one: the largest p-value counts. The null was chosen by its lead, so
    for a method that is worse, p is multiplied by the number of nulls. Whether a line differs from
    0 is then corrected by Holm over all lines of the same fill and place.

    Args:
        rows: results with nulls.

    Returns:
        For each fill and place (``on``), score and method one line; positive is better. Methods
        without a null, and rows of soft masks, are left out.

    Raises:
        ArgumentError: the rows are of several transforms, experiments or protocols.

    >>> from audiointerp.paper.example import example_rows
    >>> lines = best_null_differences(example_rows(on=["features", "audio"], clips=30))
    >>> [(line.panel, line.row, line.group) for line in lines][0]
    ('FF', 'saliency', 'silence, on audio')
    """
    scored = rows[rows["status"] == "ok"]
    scored = scored[~scored["mask"].isin(soft_masks(scored))]
    groups = [
        _of_group(part, f"{fill}, on {on}")
        for (fill, on), part in scored.groupby(["fill", "on"], sort=True)
    ]
    lines = [line for group in groups for line in group]
    return in_order_of_lead(lines)


def in_order_of_lead(lines: Sequence[Difference]) -> list[Difference]:
    """Return the lines of a forest plot in the order in which it shows them.

    Panels are in the order of :data:`PANELS`, and in each the row with the largest lead comes
    first: that of the first panel, in the first group (over the background on audio, if it has it).

    Args:
        lines: of :func:`differences_to_best`; groups stay in their order. A lead of NaN is the
            least.

    >>> low, high = (Difference("FF", row, "on audio", mean, 0, 1, True) for row, mean in
    ...              [("lime", 0.1), ("shap", 0.2)])
    >>> [line.row for line in in_order_of_lead([low, high])]
    ['shap', 'lime']
    """
    panels = list(PANELS.values())
    by_panel = sorted(lines, key=lambda line: panels.index(line.panel))
    leads: dict[str, float] = {}
    for line in by_panel:
        leads.setdefault(line.row, line.mean if line.mean == line.mean else -np.inf)
    groups = list(dict.fromkeys(line.group for line in lines))
    return sorted(
        by_panel,
        key=lambda line: (
            panels.index(line.panel),
            groups.index(line.group),
            -leads[line.row],
            line.row,
        ),
    )


class Differences(Protocol):
    """The differences between a method and one null, of one score; positive is better.

    Example: those of rows in memory; or those of :mod:`~audiointerp.tables.recording_sums`.
    """

    def mean(self) -> float:
        """The mean over clips."""

    def p_value(self) -> float:
        """The two-sided p-value for the hypothesis that the mean is 0; 1 if it is not known."""

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean."""


Compared = tuple[str, str, Sequence[Differences]]
"""The name of a score, a method, and its differences to each null that it has."""


@dataclass(frozen=True)
class _ByClip:
    """Differences in memory, a value for each clip."""

    values: pd.Series

    def mean(self) -> float:
        return float(self.values.mean())

    def p_value(self) -> float:
        (p_value,) = bootstrap_p_values(*self._arrays())
        # Without a p-value, nothing is certain.
        return 1.0 if np.isnan(p_value) else float(p_value)

    def interval(self) -> tuple[float, float]:
        (low,), (high,) = bootstrap_interval(*self._arrays())
        return float(low), float(high)

    def _arrays(self) -> tuple[np.ndarray, list[str]]:
        """Return the values as a column, and the recording of each."""
        recordings = self.values.index.get_level_values("recording").tolist()
        return self.values.to_numpy(float)[:, None], recordings


def _of_group(rows: pd.DataFrame, group: str) -> list[Difference]:
    """Compare each method with its best null, for one fill and one place."""
    compared: list[Compared] = []
    for name in PANELS:
        for method, of_method in rows.groupby("method", sort=True):
            compared.append((name, str(method), differences_to_nulls(of_method, name)))
    return differences_to_best(compared, group)


def differences_to_nulls(rows: pd.DataFrame, name: str) -> list[Differences]:
    """Return a method's differences by clip to each null; positive is better.

    Args:
        rows: of one method.
        name: the score.

    Raises:
        ArgumentError: they are of several settings, e.g. two protocols.

    Example: :func:`best_null_differences` calls it for each method.
    """
    for column in SPLIT_BY:
        values = list(rows[column].unique()) if column in rows else []
        if len(values) > 1:
            raise ArgumentError(
                f"rows of several values of {column!r} ({', '.join(map(str, values))}) have no "
                f"common mean; select one, e.g. rows[rows[{column!r}] == {str(values[0])!r}]"
            )
    # Grouped by method alone, a clip's masks are averaged.
    return [
        _ByClip(sign_of(name) * paired_differences(rows, null, by=("method",))[name])
        for null in nulls_in(rows)
    ]


def sign_of(name: str) -> int:
    """Return what a score is multiplied by, so that a positive difference is better.

    >>> sign_of("FF"), sign_of("AD")
    (1, -1)
    """
    return 1 if METRICS[name].higher_is_better else -1


def differences_to_best(compared: Sequence[Compared], group: str) -> list[Difference]:
    """Return the difference of each method to its best null, by score.

    Args:
        compared: all scores and methods of one fill and one place; those without a null are left
            out.
        group: the words for the fill and the place.

    Example: :func:`best_null_differences` calls it for each group.
    """
    best = []
    for name, method, by_null in compared:
        if by_null:
            smallest = min(by_null, key=lambda differences: differences.mean())
            best.append((PANELS[name], method, smallest, _p_value(smallest, by_null)))
    lines = []
    p_values = holm(np.array([p_value for *_, p_value in best]))
    for (panel, method, values, _), p_value in zip(best, p_values, strict=True):
        low, high = values.interval()
        certain = bool(p_value <= LEVEL)
        lines.append(Difference(panel, method, group, values.mean(), low, high, certain))
    return lines


def _p_value(smallest: Differences, by_null: Sequence[Differences]) -> float:
    """Return the p-value of the smallest difference, which was chosen among several."""
    if smallest.mean() > 0:
        # Better than the best null is better than each, whose differences are all above 0.
        return max(differences.p_value() for differences in by_null)
    return min(1.0, len(by_null) * smallest.p_value())
