"""What results lack for all of the paper's tables, in words."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..experiments import EXPERIMENTS
from ..explain import ON
from ..interpretation import MASKS
from ..interpretation.baselines import BASELINES
from ..tables import METHODS
from .settings import is_clean, label


def unfinished(root: str | os.PathLike[str]) -> list[str]:
    """The runs below a folder of results that have begun and have no table yet, a sentence for each."""
    begun = sorted(path.parent for path in Path(root).glob("*/*/*/parts") if path.is_dir())
    return [f"{run.parent.name}: {run.name} is not finished (no metrics.csv yet)" for run in begun
            if not (run / "metrics.csv").exists()]  # fmt: skip


def missing(rows: pd.DataFrame, on: Sequence[str] = ON) -> list[str]:
    """What is not there of the study's experiments, methods, masks and ways to score; which clips failed: sentences."""
    absent = [name for name in EXPERIMENTS if name not in set(rows["experiment"])]
    found = [f"no results of {', '.join(absent)}"] if absent else []
    for features, experiment in rows[["features", "experiment"]].drop_duplicates().itertuples(index=False):
        own = rows[(rows["features"] == features) & (rows["experiment"] == experiment)]
        found += [f"{label(str(features), str(experiment))}: {sentence}" for sentence in _lacking(own, on)]
    return [*found, *_not_comparable(rows)]


def _lacking(rows: pd.DataFrame, on: Sequence[str]) -> Iterator[str]:
    """Of one experiment."""
    scored = rows[rows["status"] == "ok"]
    absent = [name for name in METHODS if name not in set(rows["method"])]
    if absent:
        yield f"no {', '.join(absent)}"
    for method, own in rows.groupby("method", sort=False):
        failed = own[own["status"] != "ok"]
        if len(failed):
            stages = failed["stage"].value_counts().to_dict() if "stage" in failed else {}
            told = ", ".join(f"{stage} {count}" for stage, count in stages.items())
            count = f"{method} failed on {failed['clip'].nunique()} of {own['clip'].nunique()} clips"
            yield f"{count} ({told})" if told else count
    for masks, methods in _methods_by(scored, "mask", MASKS).items():
        yield f"{', '.join(methods)} without the masks {', '.join(masks)}"
    for absent_on, methods in _methods_by(scored, "on", on).items():
        yield f"{', '.join(methods)} not scored on {', '.join(absent_on)}"
    for correct, word in ((True, "correctly"), (False, "wrongly")):
        if len(scored) and ("correct" not in scored or not (scored["correct"] == correct).any()):
            yield f"no clip is told to be {word} classified"
    without = [kind for kind in BASELINES if not scored[f"FF_{kind}"].notna().any()]
    if len(scored) and without:
        yield f"no random masks beside the scores ({', '.join(without)})"


def _methods_by(rows: pd.DataFrame, column: str, known: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
    """The methods that lack the same values of a column, by what they lack."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for method, own in rows.groupby("method", sort=False):
        absent = tuple(name for name in known if name not in set(own[column]))
        if absent:
            lacking.setdefault(absent, []).append(str(method))
    return lacking


def _not_comparable(rows: pd.DataFrame) -> Iterator[str]:
    """Which noise experiments cannot be set against the clean one."""
    for features, own in rows.groupby("features", sort=False):
        is_ours = np.array([is_clean(str(name), str(features)) for name in own["experiment"]], bool)
        clean = own[is_ours]
        if clean.empty:
            continue
        for experiment, noisy in own[~is_ours].groupby("experiment", sort=False):
            before = clean["experiment"].iloc[0]
            if "network" in own and set(noisy["network"]) != set(clean["network"]):
                yield f"{experiment} was run on another network than {before}, so the two are not set against each other"
            elif set(noisy["clip"]) != set(clean["clip"]):
                yield f"{experiment} has other clips than {before}: differences are of those that both have"
