"""What run.json says of the results beside it, and what must be equal in those of an experiment."""

from pathlib import Path
from typing import Any

from ..errors import AudioInterpError
from ..util import read_json

SAME = ("network_sha256", "answers", "clips_sha256", "shards_sha256", "output")
"""Entries of run.json that must be equal for all methods of an experiment.

``answers`` are those of the model, see ``experiments.described_model``. ``clips_sha256`` is of the
clips that could be read: it is compared if these are the same clips.
"""
SHARDS = "shards"
"""The folder of the Parquet files of a run in shards."""


def read_record(path: Path) -> dict[str, Any]:
    """Read what is checked from the run.json beside a table or a folder of shards.

    Args:
        path: of the table or the folder.

    Returns:
        Its entries; none if there is no run.json.

    Raises:
        AudioInterpError: there is one, and it is damaged.

    >>> read_record(Path("no such folder/metrics.csv"))
    {}
    """
    place = path.with_name("run.json")
    record = read_json(place)
    if not isinstance(record, dict):
        if place.exists():
            raise AudioInterpError(
                f"{place}: is damaged, so whether {path.name} is whole is not known; run the same "
                "command again, or delete the file"
            )
        return {}
    checked = {name: record[name] for name in ("rows", "unread_clips", *SAME) if name in record}
    model = record.get("model")
    if isinstance(model, dict) and "answers" in model:
        # Not all of the model: its largest batch, say, may be another one.
        checked["answers"] = model["answers"]
    # Older versions do not name the clips that could not be read; without an error there are none.
    if record.get("errors") == 0:
        checked.setdefault("unread_clips", [])
    return checked


def check_same_inputs(path: Path, record: dict[str, Any], earlier: dict[str, Any]) -> None:
    """Refuse a method that was run on another network or other clips than an earlier one.

    Args:
        path: of its table, for the error.
        record: of :func:`read_record`.
        earlier: that of another method of the experiment.

    Raises:
        AudioInterpError: they differ.

    >>> check_same_inputs(Path("lime/metrics.csv"), {"output": "softmax"}, {"output": "softmax"})
    """
    same_clips = record.get("unread_clips") == earlier.get("unread_clips")
    names = [name for name in SAME if name != "clips_sha256" or same_clips]
    known = [name for name in names if name in record and name in earlier]
    different = [name for name in known if record[name] != earlier[name]]
    if different:
        raise AudioInterpError(
            f"{path}: its run differs from the other methods of this experiment in "
            f"{', '.join(different)}; keep such results in separate folders"
        )


def check_shards(folder: Path) -> None:
    """Refuse the shards of a run that is not finished, or beside another table.

    Raises:
        AudioInterpError: they are.

    >>> check_shards(Path("no such folder/shards"))
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: the run in shards is not finished (no \
run.json yet); the same command goes on with it
    """
    if folder.with_name("metrics.csv").exists():
        raise AudioInterpError(
            f"{folder.parent}: holds both metrics.csv and {SHARDS}/; keep one of them"
        )
    if not folder.with_name("run.json").exists():
        raise AudioInterpError(
            f"{folder.parent}: the run in shards is not finished (no run.json yet); the same "
            "command goes on with it"
        )
