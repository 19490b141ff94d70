"""What the rows of fill_rows.py say of each fill, on features and on audio."""

import itertools

import numpy as np
import pandas as pd

from audiointerp.paper.validity import frame_as_markdown
from audiointerp.scoring import ON
from audiointerp.tables import bootstrap_interval, bootstrap_p_values, holm, mean_of
from audiointerp.tables.cells import format_interval
from audiointerp.util import FILLS

CLASS = ["clip", "explained", "recording"]
TRUTH = "truth"
WRONG = ["random blobs", "random bins", "truth, shifted", "other sound"]
"""Maps that are known to be worse than the truth."""
NOT_ORDERED = [TRUTH, "truth, shifted", "other sound"]
"""Maps made from the truth, which are left out of the orders."""
SIGNS = {"FF": 1, "AD": -1}
"""The scores of the orders, and their direction."""
COMPARED = list(itertools.product(SIGNS, WRONG[:2]))
"""Scores and random maps of the main comparison."""
YARDSTICKS = ["ap", "contrast"]
BETTER = 0.05
"""A p-value of at most this, after Holm, is a difference."""
SETTINGS = list(itertools.product(ON, FILLS))


def wide(rows: pd.DataFrame, on: str, fill: str, score: str, area: str = "fixed") -> pd.DataFrame:
    """Explained classes × maps, of one score under one setting."""
    chosen = rows[(rows["on"] == on) & (rows["fill"] == fill) & (rows["area"] == area)]
    return chosen.pivot(index=CLASS, columns="method", values=score).astype(float)


def order_agreement(scores: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    """Spearman's correlation within each class of two orders of its maps.

    A score that is the same for all maps has no order: 0.
    """
    ranks = [frame.rank(axis=1).sub((frame.shape[1] + 1) / 2) for frame in (scores, truth)]
    products = (ranks[0] * ranks[1]).sum(axis=1)
    lengths = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    return (products / lengths.where(lengths > 0)).fillna(0.0)


def wins(scores: pd.DataFrame) -> pd.Series:
    """The share of the wrong maps that the truth is ahead of; a tie counts by half."""
    lead = -scores[WRONG].sub(scores[TRUTH], axis=0)
    return ((lead > 0) + 0.5 * (lead == 0)).mean(axis=1)


def by_setting(rows: pd.DataFrame, area: str = "fixed") -> dict[tuple[str, str], pd.DataFrame]:
    """What tells of each setting, by explained class."""
    figures = {}
    for on, fill in SETTINGS:
        columns = {}
        for score, sign in SIGNS.items():
            values = wide(rows, on, fill, score, area)
            for null in WRONG[:2]:
                columns[score, null] = values[TRUTH] - values[null]
            columns[score, "wins"] = wins(sign * values)
            judged = values.drop(columns=NOT_ORDERED)
            for yardstick in YARDSTICKS:
                located = wide(rows, on, fill, yardstick, area)[judged.columns]
                columns[score, yardstick] = order_agreement(sign * judged, located)
        for part in ("ood_in", "ood_out"):
            columns[part, TRUTH] = wide(rows, on, fill, part, area)[TRUTH]
        figures[on, fill] = pd.DataFrame(columns)
    return figures


def interval(values: pd.Series, decimals: int = 2, flags: str = "z") -> str:
    """The mean with its 95 % BCa interval over groups of recordings."""
    low, high = ends(values)
    text = format_interval(float(mean_of(values.to_numpy())), low, high, decimals, decimals, flags)
    return text.replace("-", "−")


def ends(values: pd.Series) -> tuple[float, float]:
    low, high = bootstrap_interval(values.to_numpy()[:, None], recordings_of(values))
    return float(low[0]), float(high[0])


def recordings_of(values: pd.Series | pd.DataFrame) -> list[str]:
    return values.index.get_level_values("recording").astype(str).tolist()


def adjusted(figures: dict[tuple[str, str], pd.DataFrame]) -> dict[tuple, dict[tuple, float]]:
    """P-values of the truth minus random maps, by setting and (score, null); Holm over all."""
    cells = [(setting, column) for setting in figures for column in COMPARED]
    p_values = [
        float(
            bootstrap_p_values(
                figures[setting][[column]].to_numpy(), recordings_of(figures[setting])
            )[0]
        )
        for setting, column in cells
    ]
    table = {setting: {} for setting in figures}
    for (setting, column), p_value in zip(cells, holm(np.array(p_values)), strict=True):
        table[setting][column] = p_value
    return table


def truth_table(figures: dict[tuple[str, str], pd.DataFrame]) -> str:
    """The truth against maps that know nothing, and how far its parts lie from clean clips."""
    p_values, lines = adjusted(figures), []
    for (on, fill), frame in figures.items():
        line = {"on": on, "fill": fill}
        for score, null in COMPARED:
            text = interval(frame[score, null], 1 if score == "AD" else 2, "+z")
            is_known = p_values[on, fill][score, null] <= BETTER
            line[f"{score} − {null}"] = f"**{text}**" if is_known else text
        for part in ("ood_in", "ood_out"):
            line[part] = f"{frame[part, TRUTH].mean():.2f}"
        lines.append(line)
    return frame_as_markdown(pd.DataFrame(lines))


def order_table(figures: dict[tuple[str, str], pd.DataFrame]) -> str:
    """How far the scores order maps as the truth does."""
    names = {
        "wins": "truth ahead by {}",
        "ap": "ρ({}, precision)",
        "contrast": "ρ({}, contrast)",
    }
    lines = []
    for (on, fill), frame in figures.items():
        line = {"on": on, "fill": fill}
        for name, title in names.items():
            line |= {title.format(score): interval(frame[score, name]) for score in SIGNS}
        lines.append(line)
    return frame_as_markdown(pd.DataFrame(lines))


def map_table(rows: pd.DataFrame, score: str, decimals: int) -> str:
    """Means of one score: maps × settings."""
    chosen = rows[rows["area"] == "fixed"]
    if score == "FidIn":
        chosen = chosen[chosen["predicted"]]
    means = chosen.groupby(["method", "on", "fill"])[score].mean().unstack(["on", "fill"])
    means = means.reindex(index=rows["method"].unique(), columns=SETTINGS)
    table = means.map(lambda mean: f"{mean:.{decimals}f}".replace("-", "−").replace("nan", "–"))
    table.columns = [f"{on}: {fill}" for on, fill in SETTINGS]
    return frame_as_markdown(table.reset_index())


def location_table(rows: pd.DataFrame) -> str:
    """How well each map shows the explained source."""
    on, fill = SETTINGS[0]
    lines = []
    for name in rows["method"].unique():
        scores = {
            score: interval(wide(rows, on, fill, score)[name])
            for score in ("ap", "contrast", "iou")
        }
        lines.append({"map": name, **scores})
    return frame_as_markdown(pd.DataFrame(lines))
