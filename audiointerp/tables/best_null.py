"""Each method minus its best null: what is left of a score once chance has been given its best."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..metrics import METRICS
from ..scoring import Difference
from .binary import soft_masks
from .bootstrap import bootstrap_interval
from .comparisons import bootstrap_p_values, holm
from .nulls_present import nulls_in
from .summary import paired_differences

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

    >>> from audiointerp.paper.example import example_rows
    >>> lines = best_null_differences(example_rows(on=["features", "audio"], clips=30))
    >>> [(line.panel, line.row, line.group) for line in lines][0]
    ('FF', 'gradcam', 'silence, on audio')
    """
    scored = rows[rows["status"] == "ok"]
    scored = scored[~scored["mask"].isin(soft_masks(scored))]
    groups = [
        _of_group(part, f"{fill}, on {on}")
        for (fill, on), part in scored.groupby(["fill", "on"], sort=True)
    ]
    lines = [line for group in groups for line in group]
    return sorted(lines, key=lambda line: list(PANELS.values()).index(line.panel))


def _of_group(rows: pd.DataFrame, group: str) -> list[Difference]:
    """Compare each method with its best null, for one fill and one place."""
    compared = []
    for name in PANELS:
        for method, of_method in rows.groupby("method", sort=True):
            by_null = _differences(of_method, name)
            if by_null:
                smallest = min(by_null, key=lambda by_clip: float(by_clip.mean()))
                p_value = _p_value(smallest, by_null)
                compared.append((PANELS[name], str(method), smallest, p_value))
    p_values = [p_value for *_, p_value in compared]
    lines = []
    for (panel, method, values, _), p_value in zip(compared, holm(np.array(p_values)), strict=True):
        (low,), (high,) = bootstrap_interval(*_as_arrays(values))
        certain = bool(p_value <= LEVEL)
        mean = float(values.mean())
        lines.append(Difference(panel, method, group, mean, float(low), float(high), certain))
    return lines


def _differences(rows: pd.DataFrame, name: str) -> list[pd.Series]:
    """Return a method's differences by clip to each null; positive is better."""
    sign = 1 if METRICS[name].higher_is_better else -1
    # Grouped by method alone, a clip's masks are averaged.
    return [sign * paired_differences(rows, null, by=("method",))[name] for null in nulls_in(rows)]


def _p_value(smallest: pd.Series, by_null: Sequence[pd.Series]) -> float:
    """Return the p-value of the smallest difference, which was chosen among several."""
    if smallest.mean() > 0:
        # Better than the best null is better than each, whose differences are all above 0.
        return max(_two_sided(by_clip) for by_clip in by_null)
    return min(1.0, len(by_null) * _two_sided(smallest))


def _two_sided(by_clip: pd.Series) -> float:
    (p_value,) = bootstrap_p_values(*_as_arrays(by_clip))
    # Without a p-value, nothing is certain.
    return 1.0 if np.isnan(p_value) else float(p_value)


def _as_arrays(by_clip: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the values as a column, and the recording of each."""
    return by_clip.to_numpy(float)[:, None], by_clip.index.get_level_values("recording").tolist()
