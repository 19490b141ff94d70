"""Explain a clip, classify its parts under masks, and score the result."""

from .cells import LayerCell, layer_cell
from .columns import (
    ADDED,
    AREAS,
    COLUMNS,
    CONTENT,
    VALUES,
    attribution_cells,
    empty_cell,
    read_rows,
)
from .curves import Curves
from .data import check_fits, dataset_of
from .explain import (
    Method,
    build_explainer,
    build_explainers,
    check_classifier,
    explain_clip,
)
from .explained import ExplainedClip
from .heard import heard_probabilities
from .out_of_distribution import OutOfDistribution, ood_reference
from .outcomes import Outcomes, classify_parts, mask_and_classify
from .part_outputs import ON
from .plan import Plan, fills_of, nulls_of, own_metrics, scored_on
from .protocols import PROTOCOLS, ScoringProtocol, protocol_name, protocol_of
from .recent import RecentAttributions, RecentClips
from .rows import MethodRows, clip_rows

__all__ = [
    "ADDED",
    "AREAS",
    "COLUMNS",
    "CONTENT",
    "ON",
    "PROTOCOLS",
    "VALUES",
    "Curves",
    "ExplainedClip",
    "LayerCell",
    "Method",
    "MethodRows",
    "OutOfDistribution",
    "Outcomes",
    "Plan",
    "RecentAttributions",
    "RecentClips",
    "ScoringProtocol",
    "attribution_cells",
    "build_explainer",
    "build_explainers",
    "check_classifier",
    "check_fits",
    "classify_parts",
    "clip_rows",
    "dataset_of",
    "empty_cell",
    "explain_clip",
    "fills_of",
    "heard_probabilities",
    "layer_cell",
    "mask_and_classify",
    "nulls_of",
    "ood_reference",
    "own_metrics",
    "protocol_name",
    "protocol_of",
    "read_rows",
    "scored_on",
]
