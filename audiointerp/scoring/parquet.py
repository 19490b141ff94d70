"""Rows of results in Parquet: the same columns and numbers as in metrics.csv, to the last bit.

Words are text, scores float64, batches int64 and truths booleans; what is undefined is null.
pyarrow is imported when it is used: it is the extra ``scale``.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import AudioInterpError
from .columns import BATCHES, COLUMNS, NUMBERS, TRUTHS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

INSTALL = "pip install 'audiointerp[scale]'"
METADATA = b"audiointerp"
"""The key of a file's description in its metadata."""
KEPT_BITS = 13
"""Bits of a number's mantissa that small files keep, of 23: a relative error of at most 6.2e-5."""
ROW_GROUP = 65536
"""The most rows of a group, which is the least that a reader decodes."""


def check_pyarrow() -> None:
    """Refuse to go on without pyarrow.

    Raises:
        AudioInterpError: it is not installed.

    Example: a run in shards calls it before anything is computed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise AudioInterpError(f"Parquet needs pyarrow ({error}): {INSTALL}") from error


def rows_schema() -> "pa.Schema":
    """Return the Arrow schema of rows.

    Example: ``rows_schema().field("FF").type`` is ``double``.
    """
    import pyarrow as pa

    def kind(name: str) -> "pa.DataType":
        if name in BATCHES:
            return pa.int64()
        if name in TRUTHS:
            return pa.bool_()
        return pa.float64() if name in NUMBERS else pa.string()

    return pa.schema([(name, kind(name)) for name in COLUMNS])


def rows_batch(rows: Sequence[Mapping[str, Any]]) -> "pa.RecordBatch":
    """Return rows as Arrow columns.

    Args:
        rows: each with all of ``COLUMNS``.

    Example: ``rows_batch(computed.rows)``, of a :class:`~audiointerp.scoring.MethodRows`.
    """
    import pyarrow as pa

    schema = rows_schema()
    arrays = []
    for field in schema:
        cells = [_cell(row[field.name]) for row in rows]
        arrays.append(pa.array(cells, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cell(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def parquet_bytes(batches: Iterable["pa.RecordBatch"], description: Mapping[str, Any]) -> bytes:
    """Return a Parquet file of rows, with a description in its metadata.

    The file depends on the rows and the description alone, not on how the rows are batched.

    Args:
        batches: the rows.
        description: plain values.

    Example: ``write_bytes(path, parquet_bytes(batches, {"rows": 12}))``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps(description, ensure_ascii=False, allow_nan=False)
    schema = rows_schema().with_metadata({METADATA: text.encode()})
    table = pa.Table.from_batches(batches, rows_schema()).combine_chunks()
    table = table.replace_schema_metadata(schema.metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def small_parquet_bytes(rows: "pd.DataFrame", description: Mapping[str, Any]) -> bytes:
    """Return rows as a small Parquet file: numbers are float32 with ``KEPT_BITS`` bits.

    Args:
        rows: of :func:`~audiointerp.scoring.read_rows`.
        description: plain values.

    Example: :func:`~audiointerp.paper.pack_results` writes them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = rows.select_dtypes("float64").columns.tolist()
    rounded = {name: rounded_bits(rows[name].to_numpy()) for name in numbers}
    table = pa.Table.from_pandas(rows.assign(**rounded), preserve_index=False)
    text = json.dumps(description, ensure_ascii=False, allow_nan=False)
    table = table.replace_schema_metadata({METADATA: text.encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        # A tenth smaller than by zstd.
        compression="brotli",
        compression_level=11,
        use_dictionary=[name for name in rows.columns if name not in numbers],
        # The first bytes of all numbers stand together, and are much alike.
        column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def rounded_bits(values: "np.ndarray", bits: int = KEPT_BITS) -> "np.ndarray":
    """Round numbers to float32 with so many bits of the mantissa.

    >>> import numpy as np
    >>> rounded_bits(np.array([1 / 3, -1.5, 0.0, np.nan, np.inf])).tolist()
    [0.333343505859375, -1.5, 0.0, nan, inf]
    """
    import numpy as np

    single = values.astype(np.float32)
    dropped = 23 - bits
    whole = single.view(np.uint32)
    rounded = ((whole + np.uint32(1 << (dropped - 1))) >> dropped) << dropped
    return np.where(np.isfinite(single), rounded.view(np.float32), single)


def parquet_description(file: BinaryIO, place: str) -> dict[str, Any]:
    """Return the description in the metadata of a Parquet file; only its end is read.

    Raises:
        AudioInterpError: it is not a Parquet file that this library has written.

    Example: ``parquet_description(file, "results/mel/own/lime/shards/…")["rows"]``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(file).metadata or {}
        description = json.loads(metadata[METADATA])
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise AudioInterpError(
            f"{place}: not a complete file of this library ({error}); delete it, and the same "
            "command computes it again"
        ) from error
    return dict(description)


def read_parquet(
    file: BinaryIO, place: str, columns: Sequence[str] | None = None
) -> "pd.DataFrame":
    """Read the rows of a Parquet file, as :func:`~audiointerp.scoring.read_rows` those of a CSV.

    Args:
        file: the file.
        place: its name, for the error.
        columns: the columns to read; all if None.

    Raises:
        AudioInterpError: it is not such a file.

    Example: ``read_parquet(file, "…/shards/000000-000999 3f2a9c1b.parquet")``.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file, columns=None if columns is None else list(columns))
    except (pa.ArrowInvalid, OSError) as error:
        raise AudioInterpError(f"{place}: not a complete Parquet file ({error})") from error
    by_name = {name: _series(name, table.column(name)) for name in table.column_names}
    return pd.DataFrame(by_name)


def _series(name: str, column: "pa.ChunkedArray") -> "pd.Series[Any]":
    import pandas as pd

    if name in TRUTHS:
        return pd.Series(column.to_pylist())
    if name in NUMBERS:
        return pd.Series(column.to_pandas()).astype(float)
    return pd.Series(column.to_pandas()).astype("str")
