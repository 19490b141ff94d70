"""Tables of any results: read them, summarise them with intervals, write them in every format."""

from .bca import ends
from .bootstrap import (
    DRAWS,
    FEWEST,
    bootstrap_interval,
    bootstrap_means,
    mean_of,
    means_without_each,
    recordings_known,
)
from .cells import Cell, Column
from .comparisons import MANY_DRAWS, bootstrap_p_values, holm, percentile_interval
from .lead import all_cells, lead_cells, leading_rows, scores_beside
from .listening import listening_text, read_answers
from .results import (
    classes_of,
    read_results,
    read_runs,
    recording_column,
    recordings_by_clip,
    versions_of,
)
from .sanity_summary import cascade_table, sanity_columns, sanity_page, sanity_table
from .summary import (
    GROUPS,
    as_text,
    compare,
    has_null,
    interval_text,
    paired_differences,
    summarise,
)
from .table import Table, as_csv, as_markdown, table_as_text, table_of
from .write import FORMATS, write_tables

__all__ = [
    "DRAWS",
    "FEWEST",
    "FORMATS",
    "GROUPS",
    "MANY_DRAWS",
    "Cell",
    "Column",
    "Table",
    "all_cells",
    "as_csv",
    "as_markdown",
    "as_text",
    "bootstrap_interval",
    "bootstrap_means",
    "bootstrap_p_values",
    "cascade_table",
    "classes_of",
    "compare",
    "ends",
    "has_null",
    "holm",
    "interval_text",
    "lead_cells",
    "leading_rows",
    "listening_text",
    "mean_of",
    "means_without_each",
    "paired_differences",
    "percentile_interval",
    "read_answers",
    "read_results",
    "read_runs",
    "recording_column",
    "recordings_by_clip",
    "recordings_known",
    "sanity_columns",
    "sanity_page",
    "sanity_table",
    "scores_beside",
    "summarise",
    "table_as_text",
    "table_of",
    "versions_of",
    "write_tables",
]
