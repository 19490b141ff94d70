"""Packs finished results into small Parquet files, for a repository that is to stay small.

A packed method has ``run.json`` and one file in ``shards/``, so everything that reads results in
shards reads it. Its numbers are float32 with 14 significant bits: four decimal digits.
"""

import hashlib
from pathlib import Path

import pandas as pd

from ..errors import AudioInterpError, choose
from ..experiments import Shard
from ..scoring import KEPT_BITS, check_pyarrow, small_parquet_bytes
from ..tables import read_runs
from ..util import FILLS, json_text, read_json, write_bytes, write_text

PLACE = ["transform", "experiment", "network"]
"""Columns that reading adds, since the folders and ``run.json`` hold them."""
_METHOD = "*/*/*/run.json"
PLACES = (_METHOD, f"fold_*/{_METHOD}", f"*/fold_*/{_METHOD}")
"""Where the records of methods lie: in results, in a cross-validation, in results with some."""


TRAINING = "training.json"
"""How the network of a fold was trained."""


def pack_results(source: Path, out: Path, fill: str | None = None) -> list[Path]:
    """Write every finished method below a folder of results once more, as small as possible.

    A method whose rows are there already is left as it is.

    Args:
        source: a folder of results, ``TRANSFORM/EXPERIMENT/METHOD``; of a cross-validation, or
            with cross-validations in it, too.
        out: where the same folders are written, each with ``run.json`` and ``shards/``.
        fill: only the rows of this fill; None for all.

    Returns:
        The Parquet files.

    Raises:
        AudioInterpError: no method is finished, pyarrow is missing, ``out`` is or lies in
            ``source``, or a folder in ``out`` holds a ``metrics.csv`` or, with ``fill``, rows of
            other fills; then nothing is written. Or a table is damaged or has no such fill; then
            the methods before it are written.
        ArgumentError: the fill is unknown.

    >>> pack_results(Path("no such folder"), Path("packed"))
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: holds no finished results ...
    """
    check_pyarrow()
    if fill is not None:
        choose("fill", fill, FILLS)
    if out.resolve().is_relative_to(source.resolve()):
        raise AudioInterpError(
            f"{out}: is or lies in {source}, so files would take the place of those they are made "
            "of; pack into another folder"
        )
    folders = [record.parent for place in PLACES for record in sorted(source.glob(place))]
    if not folders:
        raise AudioInterpError(
            f"{source}: holds no finished results (TRANSFORM/EXPERIMENT/METHOD/run.json); make "
            "them with `audiointerp results` or `audiointerp run`"
        )
    targets = [out / folder.relative_to(source) for folder in folders]
    for target in targets:
        if (target / "metrics.csv").exists():
            raise AudioInterpError(
                f"{target}: holds a metrics.csv, and would hold the same results twice; pack into "
                "another folder"
            )
        _refuse_to_lose_rows(target, fill)
    pairs = list(zip(folders, targets, strict=True))
    paths = [_pack(folder, target, fill) for folder, target in pairs]
    # How the networks of a cross-validation were trained, and on which clips.
    for fold, target in {folder.parents[2]: target.parents[2] for folder, target in pairs}.items():
        if (fold / TRAINING).is_file():
            write_text(target / TRAINING, (fold / TRAINING).read_text(encoding="utf-8"))
    return paths


def _refuse_to_lose_rows(target: Path, fill: str | None) -> None:
    """Refuse to replace rows of all fills, or of another one, by those of one fill."""
    record = read_json(target / "run.json")
    if fill is not None and isinstance(record, dict) and record.get("kept_fill") != fill:
        earlier = record.get("kept_fill", "all fills")
        raise AudioInterpError(
            f"{target}: holds rows of {earlier}, which those of {fill} would replace; pack into "
            "another folder"
        )


def _pack(folder: Path, target: Path, fill: str | None) -> Path:
    """Write one method."""
    record = read_json(folder / "run.json")
    if not isinstance(record, dict):
        raise AudioInterpError(f"{folder / 'run.json'}: not a record of a run; repeat the run")
    rows = read_runs([folder]).drop(columns=PLACE)
    written: dict[str, object] = {"kept_bits": KEPT_BITS}
    if fill is not None:
        rows = _rows_of_fill(folder, rows, fill)
        written |= {"kept_fill": fill, "rows": len(rows)}
    content = small_parquet_bytes(rows, {"rows": len(rows)})
    digest = hashlib.sha256(content).hexdigest()[:12]
    shards = target / "shards"
    path = _same_rows(shards, content) or shards / f"{_stem(rows)}-{digest}.parquet"
    if not path.exists():
        write_bytes(str(path), content)
    for other in shards.glob("*.parquet"):
        if other != path:
            other.unlink()
    write_text(target / "run.json", json_text({**record, **written}))
    return path


def _rows_of_fill(folder: Path, rows: pd.DataFrame, fill: str) -> pd.DataFrame:
    # A clip that failed has no fill: it is kept.
    chosen = rows[rows["fill"].isin([fill, ""])]
    if fill not in set(chosen["fill"]) and (rows["status"] == "ok").any():
        fills = ", ".join(sorted(set(rows["fill"]) - {""}))
        raise AudioInterpError(f"{folder}: has no rows of fill {fill!r}; it has {fills}")
    return chosen.reset_index(drop=True)


def _same_rows(shards: Path, content: bytes) -> Path | None:
    """Find a file with the rows of ``content``: another pyarrow writes them in other bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(pa.BufferReader(content)).to_pandas()
    for path in sorted(shards.glob("*.parquet")):
        try:
            written = pq.read_table(path).to_pandas()
        except (pa.ArrowInvalid, OSError):
            # Damaged: it is replaced.
            continue
        # NaN is a value here: an equal table has it in the same places.
        if written.equals(rows):
            return path
    return None


def _stem(rows: pd.DataFrame) -> str:
    return Shard(0, rows["clip"].nunique()).stem
