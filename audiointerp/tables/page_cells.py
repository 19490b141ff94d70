"""One small table of results that leads, and one of everything, as text for a page."""

import math

import pandas as pd

from ..errors import AudioInterpError
from ..metrics import FROM_AREA, METRICS, PERCENT, YES_OR_NO
from .binary import binary_masks
from .bootstrap import FEWEST, bootstrap_interval
from .lead import leading_rows
from .plain_text import interval_text
from .results import recording_column
from .summary import summarise


def rows_of_mask(rows: pd.DataFrame, mask: str) -> pd.DataFrame:
    """Return the scored rows of one mask in the setting that leads a report.

    Args:
        rows: from :func:`~audiointerp.tables.results.read_results`, or of a run.
        mask: its name; the first mask of the results if they lack it.

    Raises:
        AudioInterpError: no clip was scored.

    >>> rows = pd.DataFrame({"status": "ok", "mask": ["bin", "topK_30"], "protocol": "corrected",
    ...                      "fill": ["silence", "background"], "on": "features"})
    >>> rows_of_mask(rows, "topK_5")["fill"].tolist()
    ['silence']
    """
    scored = rows[rows["status"] == "ok"]
    if scored.empty:
        raise AudioInterpError("no clip was scored; see the columns stage and error of the results")
    masks = scored["mask"].astype(str)
    return leading_rows(scored[masks == (mask if (masks == mask).any() else masks.iloc[0])])


def lead_cells(rows: pd.DataFrame) -> tuple[list[str], list[list[str]], str]:
    """Return the mean scores by method as text, with intervals over recordings.

    Args:
        rows: of :func:`rows_of_mask`.

    Returns:
        The heads, the rows (the method first), and a caption.

    >>> columns = {"method": "lime", "clip": ["a", "b"], "mask": "bin", "on": "audio",
    ...            "fill": "silence", **dict.fromkeys(METRICS, [0.25, 0.75])}
    >>> heads, lines, caption = lead_cells(pd.DataFrame(columns))
    >>> lines[0][:2], caption.split(". ")[1]
    (['lime', '0.50'], '2 recordings: too few for an interval.')
    """
    recordings = recording_column(rows)
    count, clips = recordings.nunique(), rows["clip"].nunique()
    hidden = FROM_AREA if binary_masks(rows) else ()
    names = [name for name in METRICS if name not in hidden]
    lines = []
    for method, part in rows.groupby("method", sort=False):
        values = part[names].to_numpy(float)
        low, high = bootstrap_interval(values, recordings[part.index].tolist())
        means = part[names].mean().to_numpy(float)
        ends = zip(names, means, low, high, strict=True)
        lines.append([str(method), *(_cell(name, clips, *each) for name, *each in ends)])
    first = rows.iloc[0]
    caption = (
        f"Means over {_counted(clips, 'clip')} with the mask {first['mask']}, scored on "
        f"{first['on']}, with the fill {first['fill']}"
    )
    if count >= FEWEST:
        note = f"In brackets, 95 % intervals over {_counted(count, 'recording')}"
    else:
        note = f"{_counted(count, 'recording')}: too few for an interval"
    heads = ["method", *(_head(name) for name in names)]
    return heads, lines, f"{caption}. {note}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _head(name: str) -> str:
    arrow = {True: " ↑", False: " ↓", None: ""}[METRICS[name].higher_is_better]
    percent = " (%)" if name in PERCENT else ""
    return f"{name}{percent}{arrow}"


def _cell(name: str, clips: int, mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return "undefined"
    if clips == 1 and name in YES_OR_NO:
        return "yes" if mean > 0 else "no"
    # Of a share that is the same for every clip, the interval is a point.
    is_point = high - low < 1e-9
    text = interval_text(name, mean, *((math.nan, math.nan) if is_point else (low, high)))
    # Differences have a sign, scores have none.
    return text.replace("+", "")


def all_cells(
    rows: pd.DataFrame,
) -> tuple[list[str], list[list[str]], list[list[str]], int]:
    """Return the mean scores of each protocol, fill, place, method and mask as text.

    Args:
        rows: as for :func:`rows_of_mask`.

    Returns:
        The heads, the rows rounded, the rows not rounded, and how many columns name a row. Scores
        that follow from AREA, of 0/1 masks, are left empty, and undefined ones too; if all masks
        are 0/1, these scores have no column.

    Raises:
        AudioInterpError: no clip was scored.

    >>> columns = {"method": "lime", "clip": ["a", "b"], "mask": "bin", "on": "audio",
    ...            "fill": "silence", "protocol": "corrected", "status": "ok",
    ...            **dict.fromkeys(METRICS, [0.25, 0.75])}
    >>> heads, rounded, exact, names = all_cells(pd.DataFrame(columns))
    >>> rounded[0][:6], names
    (['lime', 'bin', 'audio', 'silence', 'corrected', '0.500'], 5)
    """
    by = ["method", "mask", "on", "fill", "protocol"]
    table = summarise(rows, by)
    scored = rows[rows["status"] == "ok"]
    binary = binary_masks(scored)
    is_hard = {str(mask) for mask in scored["mask"].unique()} <= binary
    scores = [name for name in METRICS if not (is_hard and name in FROM_AREA)]
    names = [*scores, "clips"]
    rounded, exact = [], []
    for keys, values in zip(table.index, table[names].to_numpy(float), strict=True):
        cells = [str(key) for key in keys]
        hidden = FROM_AREA if cells[1] in binary else ()
        shown = [
            "" if name in hidden or math.isnan(value) else repr(float(value))
            for name, value in zip(names, values.tolist(), strict=True)
        ]
        exact.append(cells + shown)
        pairs = zip(names, shown, strict=True)
        rounded.append(cells + [_rounded(name, text) for name, text in pairs])
    return [*by, *(_head(name) for name in scores), "clips"], rounded, exact, len(by)


def _rounded(name: str, text: str) -> str:
    if not text:
        return ""
    decimals = 0 if name == "clips" else 1 if name in PERCENT else 3
    return f"{float(text):.{decimals}f}"
