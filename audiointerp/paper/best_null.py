"""Each method minus its best null: what is left of a score once chance has been given its best."""

import numpy as np
import pandas as pd

from ..display import Difference
from ..metrics import METRICS
from ..tables import bootstrap_interval, bootstrap_p_values, holm, paired_differences
from .comparable import SOFT_MASKS
from .conclusions import nulls_in

PANELS = {"FF": "FF", "FidIn": "FidIn", "AD": "AD, lower is better: percentage points less"}
"""The scores of the forest plot, and what stands above them."""
LEVEL = 0.05
"""Largest adjusted p-value at which a method differs from its best null."""


def best_null_differences(rows: pd.DataFrame) -> list[Difference]:
    """Compare the mean score of each method over its 0/1 masks with that of its best null.

    The mean is over the masks of zeros and ones, since soft masks lower every level. The best
    null of a method is that with the best mean, so the smallest difference is shown: a null that
    was chosen so is not easier to beat. Intervals are paired BCa intervals over recordings, 95 %
    each; whether a line differs from 0 is corrected by Holm over all lines of the same
    fill and place.

    Args:
        rows: results with nulls.

    Returns:
        For each fill and place (``on``), score and method one line; positive is better. Methods
        without a null, and rows of soft masks, are left out.

    >>> from .example import example_rows
    >>> lines = best_null_differences(example_rows(on=["features", "audio"], clips=30))
    >>> [(line.panel, line.row, line.group) for line in lines][0]
    ('FF', 'gradcam', 'silence, on audio')
    """
    scored = rows[(rows["status"] == "ok") & ~rows["mask"].isin(SOFT_MASKS)]
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
            values = _smallest_differences(of_method, name)
            if values is not None:
                compared.append((PANELS[name], str(method), values))
    p_values = [bootstrap_p_values(*_as_arrays(values))[0] for _, _, values in compared]
    lines = []
    for (panel, method, values), p_value in zip(compared, holm(np.array(p_values)), strict=True):
        (low,), (high,) = bootstrap_interval(*_as_arrays(values))
        certain = bool(p_value <= LEVEL)
        mean = float(values.mean())
        lines.append(Difference(panel, method, group, mean, float(low), float(high), certain))
    return lines


def _smallest_differences(rows: pd.DataFrame, name: str) -> pd.Series | None:
    """Return a method's differences by clip to the null that leaves it the smallest mean."""
    sign = 1 if METRICS[name].higher_is_better else -1
    # Grouped by method alone, a clip's masks are averaged.
    candidates = [
        sign * paired_differences(rows, null, by=("method",))[name] for null in nulls_in(rows)
    ]
    return min(candidates, key=lambda by_clip: float(by_clip.mean()), default=None)


def _as_arrays(by_clip: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return the values as a column, and the recording of each."""
    return by_clip.to_numpy(float)[:, None], by_clip.index.get_level_values("recording").tolist()
