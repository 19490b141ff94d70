"""The tables of docs/localisation.md: means with intervals, and differences from the level."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..scoring import LOCALISATION_SCORES
from ..tables import (
    Column,
    bootstrap_interval,
    bootstrap_p_values,
    holm,
    mean_of,
    percentile_interval,
)
from .localisation_run import BASELINE_NAMES

LEVEL = "level"
MAIN = 0
"""The ratio in dB of the verdict and of the picture."""
SHOWN = 3
"""The best maps that are named, and drawn beside the level."""
SIGNIFICANT = 0.05
SCORES = list(LOCALISATION_SCORES)
KEY = ["clip", "explained", "recording"]
"""What tells one explained class from another, and the recordings that it is drawn with."""
CELL = ["method", "weight"]


def scored_at(rows: pd.DataFrame, ratio_db: int) -> pd.DataFrame:
    """Return the scored rows whose explained source is at a ratio to the rest, in whole dB.

    >>> rows = pd.DataFrame({"status": ["ok", "error"], "ratio_db": [0.001, 0.0]})
    >>> len(scored_at(rows, 0))
    1
    """
    return rows[(rows["status"] == "ok") & (rows["ratio_db"].round() == ratio_db)]


def values_by_clip(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return one score as a frame of explained classes × (method, weight).

    >>> rows = pd.DataFrame({"clip": "a", "explained": "dog", "recording": "1", "weight": "none",
    ...                      "method": ["level", "lime"], "auc": [0.5, 0.75]})
    >>> values_by_clip(rows, "auc")[("lime", "none")].tolist()
    [0.75]
    """
    values = rows.pivot(index=KEY, columns=CELL, values=score).astype(float)
    order = list(dict.fromkeys(zip(rows["method"], rows["weight"], strict=True)))
    return values[order]


def means_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each score with its 95 % BCa interval, as text, a row per method, weight.

    A last column has the explained classes, and how many of these lack all scores, or one of them.

    >>> rows = pd.DataFrame({"clip": "a", "explained": "dog", "recording": "1", "weight": "none",
    ...                      "method": ["level"], **dict.fromkeys(SCORES, 0.5), "undefined": ""})
    >>> means_table(rows)["auc"].tolist()
    ['0.50']
    """
    texts, lacking = {}, []
    for score in SCORES:
        values = values_by_clip(rows, score)
        array, recordings = values.to_numpy(float), _recordings(values)
        low, high = bootstrap_interval(array, recordings)
        texts[score] = [_text(*numbers) for numbers in zip(mean_of(array), low, high, strict=True)]
        lacking.append(np.isnan(array))
    table = pd.DataFrame(texts, values.columns)
    cells = np.moveaxis(np.stack(lacking), -1, 0)
    table["classes"] = [_classes_text(dict(zip(SCORES, cell, strict=True))) for cell in cells]
    return table.reset_index()


def _classes_text(lacking: Mapping[str, np.ndarray]) -> str:
    """Say how many classes are explained, and how many of them lack all scores, or only some.

    Args:
        lacking: by score, which classes lack it, bool ``(classes,)``.

    >>> _classes_text({"auc": np.array([False, True]), "mass": np.array([True, True])})
    '2 (1 undefined, 1 without mass)'
    """
    everywhere = np.logical_and.reduce(list(lacking.values()))
    counts = {
        "undefined": everywhere.sum(),
        **{f"without {score}": (lacks & ~everywhere).sum() for score, lacks in lacking.items()},
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{len(everywhere)} ({', '.join(parts)})" if parts else f"{len(everywhere)}"


def contrast_elsewhere(rows: pd.DataFrame, ratios: Sequence[int]) -> str:
    """Say how far the largest contrast at 0 dB is above the level's at other ratios.

    Args:
        rows: all rows.
        ratios: in dB; those with too few groups for an interval are left out.

    Returns:
        A line; nothing if there is no interval.

    Example: ``audiointerp localise`` calls it.
    """
    plain = scored_at(rows[rows["weight"] == "none"], 0)
    means = plain.groupby("method")["contrast"].mean().drop(list(BASELINE_NAMES), errors="ignore")
    method = str(means.idxmax())
    parts = []
    for ratio in ratios:
        differences = differences_from_level(scored_at(rows, ratio))
        lead = differences.xs((method, "none", "contrast")).astype(float)
        if not np.isnan(lead["p_value"]):
            finding = "" if lead["p_value"] <= SIGNIFICANT else "not "
            parts.append(f"{lead['mean']:+.2f} at {ratio:+d} dB ({finding}significant after Holm)")
    text = ", ".join(parts).replace("-", "−")
    return f"\n- **Other ratios**, contrast of {method} minus the level: {text}." if parts else ""


def differences_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the mean difference of each score from that of the level, for the same classes.

    ``**`` marks an adjusted p-value of at most 0.05 (Holm over the table).

    >>> rows = pd.DataFrame({"clip": "a", "explained": "dog", "recording": "1", "weight": "none",
    ...                      "method": ["level", "lime"], **dict.fromkeys(SCORES, 0.5)})
    >>> differences_table(rows)["auc"].tolist()
    ['+0.00']
    """
    differences = differences_from_level(rows)
    estimates, lows, highs = (differences[part].to_numpy() for part in ("mean", "low", "high"))
    texts = [_text(*numbers, signed=True) for numbers in zip(estimates, lows, highs, strict=True)]
    marked = [
        f"**{text}**" if adjusted <= SIGNIFICANT else text
        for text, adjusted in zip(texts, differences["p_value"], strict=True)
    ]
    table = pd.Series(marked, differences.index).unstack("score")[SCORES]
    order = list(dict.fromkeys(zip(rows["method"], rows["weight"], strict=True)))
    return table.loc[[cell for cell in order if cell[0] != LEVEL]].reset_index()


def differences_from_level(rows: pd.DataFrame) -> pd.DataFrame:
    """Return mean, interval and adjusted p-value of each difference, by method, weight and score.

    The intervals are 95 % percentile intervals, not corrected; the p-values are Holm's.

    >>> rows = pd.DataFrame({"clip": "a", "explained": "dog", "recording": "1", "weight": "none",
    ...                      "method": ["level", "lime"], **dict.fromkeys(SCORES, 0.5)})
    >>> differences_from_level(rows)["mean"].tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    parts = []
    for score in SCORES:
        values = values_by_clip(rows, score)
        others = values.sub(values[LEVEL, "none"], axis=0).drop(columns=LEVEL, level="method")
        array, recordings = others.to_numpy(float), _recordings(others)
        low, high = percentile_interval(array, recordings)
        parts.append(
            pd.DataFrame(
                {
                    "mean": mean_of(array),
                    "low": low,
                    "high": high,
                    "p_value": bootstrap_p_values(array, recordings),
                },
                others.columns,
            ).assign(score=score)
        )
    table = pd.concat(parts).set_index("score", append=True)
    table["p_value"] = holm(table["p_value"].to_numpy(float))
    return table


def rivals_of(rows: pd.DataFrame, best: str, weight: str, score: str) -> list[str]:
    """Return the methods that the best one is not certainly ahead of, for the same classes.

    Args:
        rows: at one ratio.
        best: a method.
        weight, score: what is compared.

    Returns:
        Those whose p-value, by a paired bootstrap over recordings, is above 0.05 after Holm's
        correction over all pairs of methods, since the best one was chosen by these scores; all of
        them if there are too few recordings for one.

    >>> rows = pd.DataFrame({"clip": "a", "explained": "dog", "recording": "1", "weight": "none",
    ...                      "method": ["level", "lime"], "auc": [0.5, 0.75]})
    >>> rivals_of(rows, "lime", "none", "auc")
    ['level']
    """
    of_weight = rows[rows["weight"] == weight]
    values = values_by_clip(of_weight, score).droplevel("weight", axis=1)
    others = [str(name) for name in values.columns if name != best]
    if not others:
        return []
    # The pairs with the best one come first.
    pairs = [*((best, other) for other in others), *combinations(others, 2)]
    leads = np.stack([values[ahead] - values[behind] for ahead, behind in pairs], axis=1)
    p_values = holm(bootstrap_p_values(leads, _recordings(values)))
    is_ahead = (p_values <= SIGNIFICANT) & (mean_of(leads) > 0)
    return [other for other, ahead in zip(others, is_ahead, strict=False) if not ahead]


def _recordings(values: pd.DataFrame) -> list[str]:
    return [str(recording) for recording in values.index.get_level_values("recording")]


def _text(mean: float, low: float, high: float, *, signed: bool = False) -> str:
    flags = "+z" if signed else "z"
    if np.isnan(mean):
        return Column("").text(mean)
    text = f"{mean:{flags}.2f}"
    if not np.isnan(low):
        text += f" [{low:{flags}.2f}, {high:{flags}.2f}]"
    return text.replace("-", "−")
