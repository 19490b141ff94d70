"""Packs finished results into small Parquet files, for a repository that is to stay small.

A packed method has ``run.json`` and one file in ``shards/``, so everything that reads results in
shards reads it. Its numbers are float32 with 14 significant bits: four decimal digits.
"""

import hashlib
import io
from pathlib import Path

from ..errors import AudioInterpError
from ..scoring import KEPT_BITS, check_pyarrow, read_rows, small_parquet_bytes
from ..util import json_text, read_json, write_bytes, write_text
from .shards import Shard


def pack_results(source: Path, out: Path) -> list[Path]:
    """Write every finished method below a folder of results once more, as small as possible.

    What is there already, from the same results, is left as it is.

    Args:
        source: a folder of results, ``TRANSFORM/EXPERIMENT/METHOD/metrics.csv``; with the folds of
            a cross-validation, too.
        out: where the same folders are written, each with ``run.json`` and ``shards/``.

    Returns:
        The Parquet files.

    Raises:
        AudioInterpError: no method is finished, pyarrow is missing, or a folder in ``out`` holds a
            ``metrics.csv``.

    >>> pack_results(Path("no such folder"), Path("packed"))
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: holds no finished results ...
    """
    check_pyarrow()
    tables = sorted(source.glob("*/*/*/metrics.csv")) + sorted(
        source.glob("fold_*/*/*/*/metrics.csv")
    )
    if not tables:
        raise AudioInterpError(
            f"{source}: holds no finished results (TRANSFORM/EXPERIMENT/METHOD/metrics.csv); make "
            "them with `audiointerp results` or `audiointerp run`"
        )
    return [_pack(path, out / path.parent.relative_to(source)) for path in tables]


def _pack(table: Path, folder: Path) -> Path:
    """Write one method."""
    if (folder / "metrics.csv").exists():
        raise AudioInterpError(
            f"{folder}: holds a metrics.csv, and would hold the same results twice; delete it first"
        )
    content = table.read_bytes()
    record = read_json(table.with_name("run.json"))
    if not isinstance(record, dict):
        raise AudioInterpError(f"{table}: has no run.json beside it; repeat the run")
    digest = hashlib.sha256(content).hexdigest()[:12]
    rows = read_rows(io.StringIO(content.decode()))
    stem = Shard(0, rows["clip"].nunique()).stem
    path = folder / "shards" / f"{stem}-{digest}.parquet"
    if not path.exists():
        for older in path.parent.glob("*.parquet"):
            older.unlink()
        write_bytes(str(path), small_parquet_bytes(rows, {"rows": len(rows)}))
    write_text(folder / "run.json", json_text({**record, "kept_bits": KEPT_BITS}))
    return path
