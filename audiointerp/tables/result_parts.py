"""Results that are read part by part: the shards of runs, of which one is in memory at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import AudioInterpError
from ..scoring import check_pyarrow, read_parquet
from .run_record import SHARDS, check_same_inputs, check_shards, read_record

MOST_ROWS_IN_MEMORY = 1_000_000
"""Of more rows in shards, one shard is read at a time."""


@dataclass(frozen=True)
class Part:
    """The rows of some clips by one method; all rows of a clip are in one part.

    Attributes:
        path: the Parquet file, ``TRANSFORM/EXPERIMENT/METHOD/shards/…``.
        rows: their number.

    Example: :func:`open_parts` finds them.
    """

    path: Path
    rows: int

    @property
    def place(self) -> tuple[str, str]:
        """The transform and the experiment."""
        transform, experiment = self.path.parts[-5:-3]
        return transform, experiment

    @property
    def method(self) -> str:
        """The method."""
        return self.path.parts[-3]

    @property
    def clips(self) -> range:
        """The numbers of the clips, which stand in the name of the file."""
        first, last = self.path.name.split("-")[:2]
        return range(int(first), int(last) + 1)

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """Read some columns; before them stand ``transform`` and ``experiment``.

        Raises:
            AudioInterpError: the file is damaged.
        """
        with self.path.open("rb") as file:
            frame = read_parquet(file, str(self.path), columns)
        transform, experiment = self.place
        frame.insert(0, "transform", transform)
        frame.insert(1, "experiment", experiment)
        return frame


def open_parts(root: str | os.PathLike[str]) -> list[Part]:
    """Find the shards of all runs below a folder, and check what they say of themselves.

    Returns:
        The shards in the order in which :func:`~audiointerp.tables.read_results` reads them; none
        if some results below the folder are tables, which are read as a whole.

    Raises:
        AudioInterpError: a run is not finished, lacks rows, or differs from the other methods of
            its experiment in its network or clips.

    >>> open_parts("no such folder")
    []
    """
    root = Path(root)
    folders = sorted(root.glob(f"*/*/*/{SHARDS}"))
    if not folders or any(root.glob("*/*/*/metrics.csv")) or any(root.glob("fold_*/*/*/*")):
        return []
    return _parts_in(folders)


def parts_of_methods(folders: Sequence[str | os.PathLike[str]]) -> list[Part]:
    """Find the shards of methods, each in its own folder, as :func:`open_parts` does.

    Args:
        folders: ``TRANSFORM/EXPERIMENT/METHOD``.

    Returns:
        The shards in the order in which :func:`~audiointerp.tables.read_runs` reads them; none if
        a method was not run in shards.

    Raises:
        AudioInterpError: as for :func:`open_parts`.

    >>> parts_of_methods(["no such folder"])
    []
    """
    shards = [Path(folder).resolve() / SHARDS for folder in folders]
    return _parts_in(shards) if all(folder.is_dir() for folder in shards) else []


def are_too_many(parts: Sequence[Part]) -> bool:
    """Return whether shards have more rows than are read into memory.

    >>> are_too_many([Part(Path("a.parquet"), 600_000)] * 2)
    True
    """
    return sum(part.rows for part in parts) > MOST_ROWS_IN_MEMORY


def _parts_in(folders: Sequence[Path]) -> list[Part]:
    check_pyarrow()
    parts: list[Part] = []
    first: dict[Path, dict[str, object]] = {}
    for folder in folders:
        check_shards(folder)
        record = read_record(folder)
        check_same_inputs(folder, record, first.setdefault(folder.parents[1], record))
        of_method = [Part(path, _rows_of(path)) for path in sorted(folder.glob("*.parquet"))]
        rows = sum(part.rows for part in of_method)
        if rows == 0 or record.get("rows", rows) != rows:
            raise AudioInterpError(
                f"{folder}: has {rows} rows, but run.json beside it says {record.get('rows')}; "
                "copy the folder again, or repeat the run"
            )
        parts += of_method
    return parts


def _rows_of(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: int = pq.read_metadata(path).num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise AudioInterpError(f"{path}: not a complete Parquet file ({error})") from error
    return rows
