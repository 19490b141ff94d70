"""Runs that have begun and are not finished, which no table of results shows."""

import os
from pathlib import Path

from .run_record import SHARDS


def unfinished(root: str | os.PathLike[str]) -> list[str]:
    """Return a sentence for each run below a folder of results that has begun or lost its table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "mel" / "mel_clean" / "lime" / "clips").mkdir(parents=True)
    ...     unfinished(folder)
    ['mel_clean: lime is not finished (no metrics.csv yet)']
    """
    sentences = []
    for clips in _paths(root, "clips"):
        run = clips.parent
        if clips.is_dir() and not _has_rows(run):
            sentences.append(f"{_name(root, run)} is not finished (no metrics.csv yet)")
    for record in _paths(root, "run.json"):
        run = record.parent
        if not _has_rows(run):
            sentences.append(f"{_name(root, run)} has a run.json and no rows")
    return [*sentences, *_missing_in_folds(Path(root))]


def _missing_in_folds(root: Path) -> list[str]:
    """Return a sentence for each run that another fold has, but one has not begun."""
    runs = {fold: _runs_below(fold) for fold in folds_in(root)}
    begun = set[Path]().union(*runs.values())
    return [
        f"{_name(root, fold / run)} is missing, other folds have it"
        for fold, of_fold in runs.items()
        for run in sorted(begun - of_fold)
    ]


def _runs_below(fold: Path) -> set[Path]:
    return {run.relative_to(fold) for run in fold.glob("*/*/*/")}


def folds_in(root: Path) -> list[Path]:
    """Return the folders of the folds of a cross-validation that have runs.

    >>> folds_in(Path("no such folder"))
    []
    """
    return sorted({run.parents[3] for run in root.glob("fold_*/*/*/*/run.json")})


def cross_validations_in(root: str | os.PathLike[str]) -> list[Path]:
    """Return the cross-validations that lie in a folder of results.

    >>> cross_validations_in("no such folder")
    []
    """
    return [folder for folder in sorted(Path(root).glob("*/")) if folds_in(folder)]


def _paths(root: str | os.PathLike[str], name: str) -> list[Path]:
    """Return the files of a name in the folders of runs, also in those of folds."""
    return sorted([*Path(root).glob(f"*/*/*/{name}"), *Path(root).glob(f"fold_*/*/*/*/{name}")])


def _name(root: str | os.PathLike[str], run: Path) -> str:
    *fold, _, experiment, method = run.relative_to(root).parts
    return f"{', '.join([*fold, experiment])}: {method}"


def _has_rows(run: Path) -> bool:
    return (run / "metrics.csv").exists() or (run / SHARDS).is_dir()
