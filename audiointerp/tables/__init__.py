"""Tables of any results: read them, summarise them with intervals, write them in every format."""

from .bca import ends
from .best_null import best_null_differences
from .binary import SOFT_MASKS, binary_masks, soft_masks
from .bootstrap import (
    DRAWS,
    FEWEST,
    bootstrap_interval,
    bootstrap_means,
    mean_of,
    means_without_each,
    recordings_known,
)
from .by_network import leads_by_network
from .cell_sums import CellSums, SummedCells, sums_of_values
from .cells import Cell, Column
from .comparisons import MANY_DRAWS, bootstrap_p_values, holm, percentile_interval
from .condensed import ClipNames, clip_names, condensed_rows
from .group_sums import Distinct
from .lead import forest_text, lead_of, lead_text, scores_beside
from .listening import listening_text, read_answers
from .not_finished import cross_validations_in, unfinished
from .nulls_present import has_null, nulls_in
from .page_cells import PageScores, all_cells, lead_cells, page_scores, rows_of_mask
from .plain_text import as_text, interval_text
from .result_parts import Part, are_too_many, open_parts, parts_of_methods
from .results import (
    classes_of,
    completed_rows,
    read_results,
    read_runs,
    recording_column,
    recordings_by_clip,
    versions_of,
)
from .sanity_summary import cascade_table, sanity_columns, sanity_page, sanity_table
from .streamed import scored_parts, streamed_lead_text, streamed_summary
from .streamed_page import streamed_page_scores
from .summary import GROUPS, compare, paired_differences, summarise, with_shares
from .table import Table, as_csv, as_markdown, table_as_text, table_of
from .write import FORMATS, write_tables

__all__ = [
    "DRAWS",
    "FEWEST",
    "FORMATS",
    "GROUPS",
    "MANY_DRAWS",
    "SOFT_MASKS",
    "Cell",
    "CellSums",
    "ClipNames",
    "Column",
    "Distinct",
    "PageScores",
    "Part",
    "SummedCells",
    "Table",
    "all_cells",
    "are_too_many",
    "as_csv",
    "as_markdown",
    "as_text",
    "best_null_differences",
    "binary_masks",
    "bootstrap_interval",
    "bootstrap_means",
    "bootstrap_p_values",
    "cascade_table",
    "classes_of",
    "clip_names",
    "compare",
    "completed_rows",
    "condensed_rows",
    "cross_validations_in",
    "ends",
    "forest_text",
    "has_null",
    "holm",
    "interval_text",
    "lead_cells",
    "lead_of",
    "lead_text",
    "leads_by_network",
    "listening_text",
    "mean_of",
    "means_without_each",
    "nulls_in",
    "open_parts",
    "page_scores",
    "paired_differences",
    "parts_of_methods",
    "percentile_interval",
    "read_answers",
    "read_results",
    "read_runs",
    "recording_column",
    "recordings_by_clip",
    "recordings_known",
    "rows_of_mask",
    "sanity_columns",
    "sanity_page",
    "sanity_table",
    "scored_parts",
    "scores_beside",
    "soft_masks",
    "streamed_lead_text",
    "streamed_page_scores",
    "streamed_summary",
    "summarise",
    "sums_of_values",
    "table_as_text",
    "table_of",
    "unfinished",
    "versions_of",
    "with_shares",
    "write_tables",
]
