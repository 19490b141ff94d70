"""Tidy results to the tables that people read."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .bootstrap import bootstrap_interval, mean_of
from .errors import ArgumentError, AudioInterpError, choose
from .files import read_json
from .interpretation import MASKS
from .interpretation.baselines import BASELINES
from .metrics import METRICS, PERCENT, RELATIVE
from .rows import AREAS, VALUES, read_rows

COLUMNS = ("method", "clip", "mask", "protocol", "on", "status", *VALUES)
GROUPS = (
    "features", "experiment", "protocol", "on", "method", "mask", "correct", "target", "predicted", "explained", "clip",
)  # fmt: skip
"""The columns that a summary may group by."""
APART = ("protocol", "on")
"""Columns whose values are never averaged over: where there are several, the groups are split by them."""
SAME = ("network_sha256", "clips_sha256", "output")
"""What must be equal in the records of an experiment's methods."""
THAN = (*BASELINES, "features")
"""What a score may be compared with."""
METHODS = ("saliency", "gradcam", "shap", "lime")
SCORES = ("FF", "AI", "AD", "AG", "FidIn", "SPS", "COMP")
"""The methods and the scores of the published tables."""
COMPARED = (*METHODS, "random")
"""The methods that results are made of: the published ones, and one that knows nothing."""


def read_results(root: str | os.PathLike[str]) -> pd.DataFrame:
    """Every ``metrics.csv`` below a folder of results, with ``features``, ``experiment``, ``network`` before its columns.

    ``network`` is the SHA-256 of the network that the run's record tells, "" where it tells none.

    Raises:
        AudioInterpError: there is none, or one is not such a table.
    """
    root = Path(root)
    paths = sorted(root.glob("*/*/*/metrics.csv"))
    if not paths:
        raise AudioInterpError(f"{root}: holds no results (FEATURES/EXPERIMENT/METHOD/metrics.csv); make some with run")
    frames = []
    runs: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        try:
            frame = read_rows(path)
        except (ValueError, UnicodeDecodeError) as error:
            raise AudioInterpError(f"{path}: not a table of results ({error})") from error
        missing = [column for column in COLUMNS if column not in frame]
        if missing:
            raise AudioInterpError(f"{path}: the table of results lacks {', '.join(missing)}")
        here = _run_of(path)
        if here.get("rows", len(frame)) != len(frame):
            raise AudioInterpError(
                f"{path}: has {len(frame)} rows, {here['rows']} by the run.json beside it: a copy that was cut off, or a run "
                f"that was killed as it ended; copy both again, or run it again"
            )
        if frame.empty or not frame["status"].isin(("ok", "error")).all():
            raise AudioInterpError(
                f"{path}: no row, or one whose status is neither ok nor error; the table was cut off or changed"
            )
        words = [name for name in VALUES if not pd.api.types.is_numeric_dtype(frame[name])]
        if words:
            raise AudioInterpError(f"{path}: something in the column {', '.join(words)} is not a number")
        features, experiment = path.parts[-4:-2]
        _refuse_other(path, here, runs.setdefault((features, experiment), here))
        frame.insert(0, "features", features)
        frame.insert(1, "experiment", experiment)
        frame.insert(2, "network", str(here.get("network_sha256", "")))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def classes_of(root: str | os.PathLike[str]) -> list[str]:
    """The names of the classes that the runs below a folder of results tell, each once."""
    records = [read_json(path) for path in sorted(Path(root).glob("*/*/*/run.json"))]
    told = [record.get("labels") for record in records if isinstance(record, dict)]
    return list(dict.fromkeys(str(name) for names in told if isinstance(names, list) for name in names))


def _run_of(path: Path) -> dict[str, Any]:
    """What the run beside a table was made of, as far as it is told; a table without one is one's own affair."""
    record = read_json(path.with_name("run.json"))
    return {name: record[name] for name in ("rows", *SAME) if name in record} if isinstance(record, dict) else {}


def _refuse_other(path: Path, here: dict[str, Any], first: dict[str, Any]) -> None:
    """Keep methods that were run on different networks or clips out of one table."""
    other = [name for name in SAME if name in here and name in first and here[name] != first[name]]
    if other:
        raise AudioInterpError(
            f"{path}: its run differs from the other methods' of this experiment in {', '.join(other)}; such scores "
            f"cannot stand in one table: keep them in folders of their own"
        )


def published_tables() -> pd.DataFrame:
    """The means that the study's repository (``exile8/coursework24``, ``tables.ipynb``) prints, 504 rows.

    Columns: model, experiment, method, mask, subset (all; correct, incorrect), and the seven scores.

    >>> len(published_tables())
    504
    """
    return pd.read_csv(Path(__file__).with_name("published_tables.csv"))


def summarise(rows: pd.DataFrame, by: Sequence[str] = ("method", "mask")) -> pd.DataFrame:
    """The mean of each score over the clips, a row per group, methods by name, masks in the order of ``MASKS``.

    Undefined scores (NaN) are left out of the means; ``undefined`` is the share of the clips whose mask is all zero, so
    that SPS and COMP have no value, ``constant`` the share of masks that are the same everywhere, and ``clips`` counts the
    clips that were scored. Rows of clips that failed are left out. Several protocols, or several ``on``, are never mixed:
    they are split even where ``by`` does not name them.

    >>> rows = pd.DataFrame({"method": "random", "mask": "bin", "status": "ok", "clip": ["a", "b"],
    ...                      "protocol": "sound", "on": "features", **{name: [0.0, 1.0] for name in METRICS}})
    >>> summarise(rows)["FF"].tolist()
    [0.5]
    """
    scored = _scored(rows)
    scored["undefined"] = scored["COMP"].isna()
    scored["constant"] = (scored["SPS"] == 0) | scored["undefined"]
    groups = scored.groupby(_apart(scored, by), sort=True, observed=True)
    areas = [name for name in AREAS if name in scored and scored[name].notna().any()]
    table = groups[[*METRICS, *areas, "undefined", "constant"]].mean()
    table["clips"] = groups["clip"].nunique()
    return table


def compare(rows: pd.DataFrame, than: str, by: Sequence[str] = ("method", "mask")) -> pd.DataFrame:
    """How much each score exceeds another of the same clip and mask: the mean difference, with 95 % intervals.

    The intervals are those of :mod:`~audiointerp.bootstrap`, paired: a draw takes a clip's both scores; of fewer than
    ``FEWEST`` recordings there is none (NaN).

    Args:
        rows: of a run.
        than: ``"pixelwise"`` or ``"smooth"``: random masks of the same values. ``"features"``: what is scored on audio less
            what is scored on features.
        by: as in :func:`summarise`.

    Returns:
        A row per group; columns of two levels, the score, and ``mean``, ``low``, ``high``.

    Raises:
        ArgumentError: the rows do not hold what they should be compared with.
    """
    choose("comparison", than, THAN)
    scored = _scored(rows)
    areas = [name for name in AREAS if scored[name].notna().any()]
    names = [*RELATIVE, *areas]
    differences = _heard_less_seen(scored, names) if than == "features" else _less_baseline(scored, names, than)
    keys = [name for name in _apart(differences, by) if name in differences]
    # A clip is what is drawn, however many rows of it are in a group.
    clips = differences.groupby([*keys, *({"clip"} - set(keys))], sort=True, observed=True)[names].mean()
    groups = clips.groupby(level=keys, sort=True, observed=True)
    made = []
    for _, group in groups:
        values = group.to_numpy(float)
        ends = bootstrap_interval(values, group.index.get_level_values("clip").tolist())
        made.append(np.stack([mean_of(values), *ends], 1).ravel())
    columns = pd.MultiIndex.from_product([names, ["mean", "low", "high"]])
    return pd.DataFrame(np.array(made), groups.mean().index, columns)


def _heard_less_seen(scored: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """What each score is on audio less what it is on features, of the rows that have both."""
    keys = [name for name in GROUPS if name in scored and name != "on"]
    seen, heard = (scored[scored["on"] == on].set_index(keys)[[*names]] for on in ("features", "audio"))
    both = seen.index.intersection(heard.index)
    if both.empty:
        raise ArgumentError(
            'to compare audio with features, the rows must hold both: run with on=("features", "audio")'
        )
    return (heard.loc[both] - seen.loc[both]).reset_index()


def _less_baseline(scored: pd.DataFrame, names: Sequence[str], kind: str) -> pd.DataFrame:
    """What each score is less that of the random mask, of the rows that have one."""
    with_baseline = scored.loc[scored[f"FF_{kind}"].notna()].copy()
    if with_baseline.empty:
        raise ArgumentError(f"the rows hold no baseline {kind!r}: run with baselines")
    for name in names:
        with_baseline[name] = with_baseline[name] - with_baseline[f"{name}_{kind}"]
    return with_baseline


def as_text(rows: pd.DataFrame, by: Sequence[str] = ("method", "mask")) -> str:
    """Results as plain text: the means, and what they are beyond random masks and, if both were scored, beyond features.

    The best of each score within a table is marked by ``*``, by the score's own direction.
    """
    parts = [_means_as_text(summarise(rows, by))]
    for than, title in _comparisons(rows):
        parts.append(
            f"\n{title}, mean and 95 % interval over recordings\n{_differences_as_text(compare(rows, than, by))}"
        )
    return "\n".join(parts)


def _comparisons(rows: pd.DataFrame) -> list[tuple[str, str]]:
    found = [(kind, f"Beyond random masks of the same values, {kind}") for kind in BASELINES
             if rows[f"FF_{kind}"].notna().any()]  # fmt: skip
    both = {"features", "audio"} <= set(rows.loc[rows["status"] == "ok", "on"])
    return [*found, ("features", "On audio less on features")] if both else found


def _means_as_text(table: pd.DataFrame) -> str:
    shown = table.copy().astype(object)
    for column in table:
        decimals = 1 if column in PERCENT else 3
        shown[column] = [f"{value:.{decimals}f} " if column != "clips" else f"{value:d}" for value in table[column]]
        better = _higher_is_better(str(column))
        if better is not None and table[column].notna().any():
            marked = np.isclose(
                table[column], table[column].max() if better else table[column].min(), rtol=1e-9, atol=0
            )
            shown[column] = [
                text.rstrip() + "*" if best else text for text, best in zip(shown[column], marked, strict=True)
            ]
    return str(shown.reset_index().to_string(index=False))


def _higher_is_better(column: str) -> bool | None:
    if column in AREAS:
        return column == "insertion"
    return METRICS[column].higher_is_better if column in METRICS else None


def _differences_as_text(table: pd.DataFrame) -> str:
    shown = pd.DataFrame(index=table.index)
    for name in dict.fromkeys(table.columns.get_level_values(0)):
        shown[name] = [interval_text(name, *values) for values in table[name].to_numpy()]
    return str(shown.reset_index().to_string(index=False))


def interval_text(name: str, mean: float, low: float, high: float) -> str:
    """A difference of a score with its interval, as text; the mean alone where there is no interval.

    >>> interval_text("FF", 0.25, 0.2, 0.3), interval_text("AD", -12.0, -15.0, -8.0)
    ('+0.25 [+0.20, +0.30]', '-12 [-15, -8]')
    """
    decimals = 0 if name in PERCENT else 2
    text = f"{mean:+.{decimals}f}"
    return text if math.isnan(low) else f"{text} [{low:+.{decimals}f}, {high:+.{decimals}f}]"


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    scored = rows[rows["status"] == "ok"].copy()
    if scored.empty:
        raise AudioInterpError("no clip was scored, so there is nothing to summarise")
    used = set(scored["mask"])
    scored["mask"] = pd.Categorical(scored["mask"], [name for name in MASKS if name in used])
    return scored


def _apart(rows: pd.DataFrame, by: Sequence[str]) -> list[str]:
    several = [name for name in APART if name in rows and name not in by and rows[name].nunique() > 1]
    return [*several, *by]
