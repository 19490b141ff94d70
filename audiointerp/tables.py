"""Tidy results to the tables that people read."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .errors import AudioInterpError
from .interpretation import MASKS
from .metrics import METRICS
from .predict import VALUES

COLUMNS = ("method", "clip", "mask", "status", *VALUES)
GROUPS = ("features", "experiment", "method", "mask", "correct", "target", "predicted", "explained", "clip")
"""The columns that a summary may group by."""


def read_results(root: str | os.PathLike[str]) -> pd.DataFrame:
    """Every ``metrics.csv`` below a folder of results, with the columns ``features`` and ``experiment`` before its own.

    Raises:
        AudioInterpError: there is none, or one is not such a table.
    """
    root = Path(root)
    paths = sorted(root.glob("*/*/*/metrics.csv"))
    if not paths:
        raise AudioInterpError(f"{root}: holds no results (FEATURES/EXPERIMENT/METHOD/metrics.csv); make some with run")
    frames = []
    for path in paths:
        try:
            frame = pd.read_csv(path, keep_default_na=False, na_values={name: [""] for name in VALUES})
        except (ValueError, UnicodeDecodeError) as error:
            raise AudioInterpError(f"{path}: not a table of results ({error})") from error
        missing = [column for column in COLUMNS if column not in frame]
        if missing:
            raise AudioInterpError(f"{path}: the table of results lacks {', '.join(missing)}")
        words = [name for name in VALUES if not pd.api.types.is_numeric_dtype(frame[name])]
        if words:
            raise AudioInterpError(f"{path}: something in the column {', '.join(words)} is not a number")
        features, experiment = path.parts[-4:-2]
        frame.insert(0, "features", features)
        frame.insert(1, "experiment", experiment)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def summarise(rows: pd.DataFrame, by: Sequence[str] = ("method", "mask")) -> pd.DataFrame:
    """The mean of each score over the clips, a row per group, methods by name, masks in the order of ``MASKS``.

    Undefined scores (NaN) are left out of the means; ``undefined`` is the share of the clips whose mask is all zero, so
    that SPS and COMP have no value, and ``clips`` counts the clips that were scored. Rows of clips that failed are left out.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "clip": ["a", "b"],
    ...                      **{name: [0.0, 1.0] for name in METRICS}})
    >>> summarise(rows)["FF"].tolist()
    [0.5]
    """
    scored = rows[rows["status"] == "ok"].copy()
    if scored.empty:
        raise AudioInterpError("no clip was scored, so there is nothing to summarise")
    scored["mask"] = pd.Categorical(scored["mask"], [name for name in MASKS if name in set(scored["mask"])])
    scored["undefined"] = scored["COMP"].isna()
    groups = scored.groupby(list(by), sort=True, observed=True)
    table = groups[[*METRICS, "undefined"]].mean()
    table["clips"] = groups["clip"].nunique()
    return table


def as_text(table: pd.DataFrame) -> str:
    """A summary as plain text; the best of each score within a table is marked by ``*``, by the score's own direction."""
    shown = table.copy().astype(object)
    for column in table:
        decimals = 1 if column in ("AI", "AD", "AG") else 3
        shown[column] = [f"{value:.{decimals}f} " if column != "clips" else f"{value:d}" for value in table[column]]
        better = METRICS[column].higher_is_better if column in METRICS else None
        if better is not None and table[column].notna().any():
            marked = table[column] == (table[column].max() if better else table[column].min())
            shown[column] = [
                text.rstrip() + "*" if best else text for text, best in zip(shown[column], marked, strict=True)
            ]
    return str(shown.reset_index().to_string(index=False))
