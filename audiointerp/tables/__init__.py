"""Tables of any results: read them, summarise them with intervals, write them in every format."""

from .bootstrap import (
    DRAWS,
    FEWEST,
    bootstrap_interval,
    bootstrap_means,
    ends,
    mean_of,
    recordings_known,
)
from .cells import Cell, Column
from .results import classes_of, read_results, recording_column, recordings_by_clip
from .summary import GROUPS, as_text, compare, interval_text, summarise
from .table import Table, as_csv, as_markdown, table_as_text, table_of
from .write import FORMATS, write_tables

__all__ = [
    "DRAWS",
    "FEWEST",
    "FORMATS",
    "GROUPS",
    "Cell",
    "Column",
    "Table",
    "as_csv",
    "as_markdown",
    "as_text",
    "bootstrap_interval",
    "bootstrap_means",
    "classes_of",
    "compare",
    "ends",
    "interval_text",
    "mean_of",
    "read_results",
    "recording_column",
    "recordings_by_clip",
    "recordings_known",
    "summarise",
    "table_as_text",
    "table_of",
    "write_tables",
]
