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
    return sentences


def _paths(root: str | os.PathLike[str], name: str) -> list[Path]:
    """Return the files of a name in the folders of runs, also in those of folds."""
    return sorted([*Path(root).glob(f"*/*/*/{name}"), *Path(root).glob(f"fold_*/*/*/*/{name}")])


def _name(root: str | os.PathLike[str], run: Path) -> str:
    *fold, _, experiment, method = run.relative_to(root).parts
    return f"{', '.join([*fold, experiment])}: {method}"


def _has_rows(run: Path) -> bool:
    return (run / "metrics.csv").exists() or (run / SHARDS).is_dir()
