"""Reads a folder of results: every table, checked against the run.json beside it."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..dataset import esc50_recording
from ..errors import AudioInterpError
from ..scoring import ADDED, VALUES, check_pyarrow, empty_cell, read_parquet, read_rows
from ..util import read_json
from .not_finished import cross_validations_in, unfinished
from .run_record import SHARDS, check_same_inputs, check_shards, read_record

NUMERIC = [name for name in VALUES if name not in ADDED]
COLUMNS = ("method", "clip", "mask", "protocol", "on", "status", *NUMERIC)
"""Columns that every table of results must have, those of version 0.1.0 too."""
RENAMED_PROTOCOLS = {"sound": "corrected"}
"""Protocol names of older results, and their names now."""


def read_results(root: str | os.PathLike[str]) -> pd.DataFrame:
    """Read every ``TRANSFORM/EXPERIMENT/METHOD/metrics.csv`` below a folder into one table.

    Of a run in shards, the Parquet files in ``METHOD/shards/`` are read instead.

    The folds of a cross-validation (``fold_1/TRANSFORM/…``) are one result; each fold has a network
    of its own.

    Older tables are brought up to date: protocol ``sound`` is now ``corrected``, a missing column
    ``recording`` is filled by :func:`recordings_by_clip`, a missing ``fill`` is ``silence``, and
    columns that version 0.1.0 did not have, e.g. those of the nulls ``rolled`` and ``other``, are
    empty. A warning names the runs that have begun and are not finished: they are left out.

    Returns:
        The rows of all files, with three columns before the files' own: ``transform``,
        ``experiment`` and ``network``, the SHA-256 of the network in run.json ("" if not known).

    Raises:
        AudioInterpError: there are no results, a run in shards is not finished, a file is not a
            complete table of results, two methods of one experiment were run on different networks
            or clips, or a clip is in two folds. Clips are compared between the methods that could
            read the same ones.

    >>> import tempfile
    >>> row = dict.fromkeys(COLUMNS, 0.5) | {"clip": "5-9032-A-0.ogg", "status": "ok"}
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root, "mel", "mel_clean", "lime")
    ...     folder.mkdir(parents=True)
    ...     pd.DataFrame([row]).to_csv(folder / "metrics.csv", index=False)
    ...     rows = read_results(root)
    >>> rows[["experiment", "recording", "FF"]].values.tolist()
    [['mel_clean', '9032', 0.5]]
    """
    for sentence in unfinished(root):
        warnings.warn(f"{root}: left out: {sentence}", stacklevel=2)
    return completed_rows(root)


def completed_rows(root: str | os.PathLike[str]) -> pd.DataFrame:
    """Read results as :func:`read_results` does, without a warning of runs that are not finished.

    Raises:
        AudioInterpError: as for :func:`read_results`.

    >>> completed_rows("no such folder")
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: holds no results (TRANSFORM/EXPERIMENT/...
    """
    root = Path(root)
    paths = sorted(_files_below(root, "metrics.csv") + _files_below(root, SHARDS))
    if not paths and (below := cross_validations_in(root)):
        raise AudioInterpError(f"{root}: holds no results but the cross-validation {below[0]}")
    if not paths:
        raise AudioInterpError(
            f"{root}: holds no results (TRANSFORM/EXPERIMENT/METHOD with metrics.csv or shards/); "
            "make them with `audiointerp run`"
        )
    return _read_tables(paths)


def read_runs(folders: Sequence[str | os.PathLike[str]]) -> pd.DataFrame:
    """Read the results of methods, each from its own folder, as :func:`read_results` does.

    Args:
        folders: ``TRANSFORM/EXPERIMENT/METHOD``, with a ``metrics.csv`` or ``shards/``.

    Raises:
        AudioInterpError: a folder has no results, or as for :func:`read_results`.

    >>> read_runs(["no such folder"])
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: holds no metrics.csv or shards/; ...
    """
    paths = [_table_of(Path(folder).resolve()) for folder in folders]
    for folder, path in zip(folders, paths, strict=True):
        if not path.exists():
            raise AudioInterpError(
                f"{folder}: holds no metrics.csv or shards/; give the folder of a method that "
                "`audiointerp run` has finished"
            )
    return _read_tables(paths)


def _table_of(folder: Path) -> Path:
    """Return where the rows of a method are."""
    shards = folder / SHARDS
    return shards if shards.is_dir() else folder / "metrics.csv"


def _read_tables(paths: Sequence[Path]) -> pd.DataFrame:
    frames = []
    records: dict[Path, list[dict[str, Any]]] = {}
    seen: dict[tuple[str, ...], Path] = {}
    for path in paths:
        frame = _read_table(path)
        record = read_record(path)
        _check_table(path, frame, record)
        transform, experiment, method = path.parts[-4:-1]
        _check_clips_are_new(path, frame, seen, (transform, experiment, method))
        earlier_records = records.setdefault(path.parents[1], [])
        for earlier in earlier_records:
            check_same_inputs(path, record, earlier)
        earlier_records.append(record)
        frame = _update_old_table(frame)
        frame.insert(0, "transform", transform)
        frame.insert(1, "experiment", experiment)
        frame.insert(2, "network", str(record.get("network_sha256", "")))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def recordings_by_clip(rows: pd.DataFrame) -> dict[str, str]:
    """Map each clip to the recording that it was cut from.

    Where rows have no column ``recording`` (older results), recordings come from ESC-50 clip
    names. A clip without a known recording is its own recording.

    Args:
        rows: from :func:`read_results`, or of a run.

    >>> recordings_by_clip(pd.DataFrame({"clip": ["5-9032-A-0.ogg", "dog.wav"]}))
    {'5-9032-A-0.ogg': '9032', 'dog.wav': 'dog.wav'}
    >>> recordings_by_clip(pd.DataFrame({"clip": ["a.wav", "b.wav"], "recording": ["day 1", ""]}))
    {'a.wav': 'day 1', 'b.wav': 'b.wav'}
    """
    return dict(zip(rows["clip"].astype(str), recording_column(rows), strict=True))


def recording_column(rows: pd.DataFrame) -> pd.Series:
    """Return the recording of each row; see :func:`recordings_by_clip`.

    >>> recording_column(pd.DataFrame({"clip": ["5-9032-A-0.ogg"] * 2})).tolist()
    ['9032', '9032']
    """
    clips = rows["clip"].astype(str)
    if "recording" not in rows:
        return clips.map(esc50_recording)
    recordings = rows["recording"].fillna("").astype(str)
    return recordings.where(recordings != "", clips)


def classes_of(root: str | os.PathLike[str]) -> list[str]:
    """Return the class names in the run.json files below a folder of results, each once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root, "mel", "mel_clean", "lime")
    ...     folder.mkdir(parents=True)
    ...     _ = (folder / "run.json").write_text('{"labels": ["dog", "rain"]}')
    ...     classes_of(root)
    ['dog', 'rain']
    """
    classes: dict[str, None] = {}
    for record in _run_records(root):
        labels = record.get("labels")
        if isinstance(labels, list):
            classes.update(dict.fromkeys(map(str, labels)))
    return list(classes)


def versions_of(root: str | os.PathLike[str]) -> list[str]:
    """Return the versions of audiointerp that computed a folder of results, each once.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root, "mel", "mel_clean", "lime")
    ...     folder.mkdir(parents=True)
    ...     _ = (folder / "run.json").write_text('{"versions": {"audiointerp": "0.1.0"}}')
    ...     versions_of(root)
    ['0.1.0']
    """
    versions = [record.get("versions") for record in _run_records(root)]
    named = [str(version.get("audiointerp")) for version in versions if isinstance(version, dict)]
    return list(dict.fromkeys(named))


def _files_below(root: Path, name: str) -> list[Path]:
    """List the files of that name of all methods, those of the folds of a cross-validation too."""
    return sorted(root.glob(f"*/*/*/{name}")) + sorted(root.glob(f"fold_*/*/*/*/{name}"))


def _run_records(root: str | os.PathLike[str]) -> list[dict[str, Any]]:
    records = [read_json(path) for path in _files_below(Path(root), "run.json")]
    return [record for record in records if isinstance(record, dict)]


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return _read_shards(path) if path.name == SHARDS else read_rows(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise AudioInterpError(f"{path}: not a table of results ({error})") from error


def _read_shards(folder: Path) -> pd.DataFrame:
    """Read the files of a method that was run in shards, in the order of the clips."""
    check_shards(folder)
    check_pyarrow()
    frames = []
    for path in sorted(folder.glob("*.parquet")):
        with path.open("rb") as file:
            frames.append(read_parquet(file, str(path)))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def _check_table(path: Path, frame: pd.DataFrame, record: dict[str, Any]) -> None:
    """Raise an error unless a table is complete."""
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise AudioInterpError(f"{path}: missing columns: {', '.join(missing)}")
    if record.get("rows", len(frame)) != len(frame):
        raise AudioInterpError(
            f"{path}: has {len(frame)} rows, but run.json beside it says {record['rows']} "
            "(truncated copy or killed run); copy both files again, or repeat the run"
        )
    if frame.empty or not frame["status"].isin(("ok", "error")).all():
        raise AudioInterpError(
            f"{path}: has no rows, or a status other than ok and error; "
            "the file was truncated or edited: repeat the run"
        )
    numeric = [name for name in VALUES if name in frame]
    not_numeric = [name for name in numeric if not pd.api.types.is_numeric_dtype(frame[name])]
    if not_numeric:
        raise AudioInterpError(f"{path}: not a number in column {', '.join(not_numeric)}")


def _check_clips_are_new(
    path: Path, frame: pd.DataFrame, seen: dict[tuple[str, ...], Path], place: tuple[str, ...]
) -> None:
    """Raise an error if a clip of a method was in another table, that of another fold, before."""
    for clip in frame["clip"].astype(str).unique():
        earlier = seen.setdefault((*place, clip), path)
        if earlier != path:
            raise AudioInterpError(
                f"{path}: the clip {clip} is in {earlier} too; the folds of one result have "
                "different clips"
            )


def _update_old_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename protocols, add ``recording`` after ``clip``, ``fill`` after ``on``, empty columns."""
    frame["protocol"] = frame["protocol"].replace(RENAMED_PROTOCOLS)
    if "recording" not in frame:
        after_clip = frame.columns.tolist().index("clip") + 1
        frame.insert(after_clip, "recording", recording_column(frame))
    if "fill" not in frame:
        # Removed bins of version 0.1.0 were silent; where ``on`` is empty, nothing was scored.
        fills = ["silence" if on else "" for on in frame["on"].fillna("")]
        frame.insert(frame.columns.tolist().index("on") + 1, "fill", fills)
    absent = {name: empty_cell(name) for name in ADDED if name not in frame}
    return frame.assign(**absent)
