"""Explain a clip, classify its parts under masks, and score the result."""

from .curves import Curves
from .explain import build_explainer, build_explainers, check_fits, explain_clip
from .explained import ExplainedClip
from .heard import heard_probabilities
from .outcomes import ON, Outcomes, classify_parts, mask_and_classify
from .plan import Plan
from .protocols import PROTOCOLS, ScoringProtocol, protocol_name, protocol_of
from .rows import AREAS, COLUMNS, VALUES, MethodRows, clip_rows, read_rows

__all__ = [
    "AREAS",
    "COLUMNS",
    "ON",
    "PROTOCOLS",
    "VALUES",
    "Curves",
    "ExplainedClip",
    "MethodRows",
    "Outcomes",
    "Plan",
    "ScoringProtocol",
    "build_explainer",
    "build_explainers",
    "check_fits",
    "classify_parts",
    "clip_rows",
    "explain_clip",
    "heard_probabilities",
    "mask_and_classify",
    "protocol_name",
    "protocol_of",
    "read_rows",
]
