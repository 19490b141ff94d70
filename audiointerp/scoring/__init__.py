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
from .content import warn_of_silence, warn_of_silent_clips
from .curves import Curves
from .data import check_fits, clip_of, dataset_of
from .difference import Difference
from .explain import (
    Method,
    build_explainer,
    build_explainers,
    check_classifier,
    explain_clip,
)
from .explained import ExplainedClip
from .heard import hear_parts, heard_probabilities
from .localisation import (
    BASELINES,
    LEAST_P,
    LOCALISATION_COLUMNS,
    LocalisationPlan,
    localise,
    localised_methods,
    localised_rows,
)
from .localisation_scores import (
    LOCALISATION_SCORES,
    LocalisationScore,
    auc,
    average_precision,
    iou,
    localisation_scores,
    pointing_game,
    relevance_mass,
)
from .localisation_truth import WEIGHT_DB, Truth, truth_of, weighted
from .one_clip import explained_clip
from .out_of_distribution import OutOfDistribution, ood_reference
from .outcomes import Outcomes, classify_parts, mask_and_classify
from .parquet import (
    KEPT_BITS,
    check_pyarrow,
    parquet_bytes,
    parquet_description,
    read_parquet,
    rows_batch,
    small_parquet_bytes,
)
from .part_outputs import ON
from .plan import Plan, fills_of, nulls_of, own_metrics, scored_on
from .protocols import PROTOCOLS, ScoringProtocol, protocol_name, protocol_of
from .randomisation import STAGES, Stage, cascade
from .recent import RecentAttributions, RecentClips
from .rows import MethodRows, clip_rows
from .sanity_checks import (
    batch_difference,
    class_correlation,
    network_agreement,
    rank_correlation,
    repeat_difference,
    shift_correlation,
)
from .sanity_rows import CHECKS, SANITY_COLUMNS, SanityCheck, sanity
from .shares import SHARES, RandomShares, affordable_shares, random_shares, share_verdicts
from .sounds import Sounds
from .stored import Stored
from .strongest import WINDOWS, window_name, windows_per_forward
from .verdict import (
    COMPARED,
    Verdict,
    p_text,
    percent,
    question_of,
    random_masks,
    verdict_of,
)

__all__ = [
    "ADDED",
    "AREAS",
    "BASELINES",
    "CHECKS",
    "COLUMNS",
    "COMPARED",
    "CONTENT",
    "KEPT_BITS",
    "LEAST_P",
    "LOCALISATION_COLUMNS",
    "LOCALISATION_SCORES",
    "ON",
    "PROTOCOLS",
    "SANITY_COLUMNS",
    "SHARES",
    "STAGES",
    "VALUES",
    "WEIGHT_DB",
    "WINDOWS",
    "Curves",
    "Difference",
    "ExplainedClip",
    "LayerCell",
    "LocalisationPlan",
    "LocalisationScore",
    "Method",
    "MethodRows",
    "OutOfDistribution",
    "Outcomes",
    "Plan",
    "RandomShares",
    "RecentAttributions",
    "RecentClips",
    "SanityCheck",
    "ScoringProtocol",
    "Sounds",
    "Stage",
    "Stored",
    "Truth",
    "Verdict",
    "affordable_shares",
    "attribution_cells",
    "auc",
    "average_precision",
    "batch_difference",
    "build_explainer",
    "build_explainers",
    "cascade",
    "check_classifier",
    "check_fits",
    "check_pyarrow",
    "class_correlation",
    "classify_parts",
    "clip_of",
    "clip_rows",
    "dataset_of",
    "empty_cell",
    "explain_clip",
    "explained_clip",
    "fills_of",
    "hear_parts",
    "heard_probabilities",
    "iou",
    "layer_cell",
    "localisation_scores",
    "localise",
    "localised_methods",
    "localised_rows",
    "mask_and_classify",
    "network_agreement",
    "nulls_of",
    "ood_reference",
    "own_metrics",
    "p_text",
    "parquet_bytes",
    "parquet_description",
    "percent",
    "pointing_game",
    "protocol_name",
    "protocol_of",
    "question_of",
    "random_masks",
    "random_shares",
    "rank_correlation",
    "read_parquet",
    "read_rows",
    "relevance_mass",
    "repeat_difference",
    "rows_batch",
    "sanity",
    "scored_on",
    "share_verdicts",
    "shift_correlation",
    "small_parquet_bytes",
    "truth_of",
    "verdict_of",
    "warn_of_silence",
    "warn_of_silent_clips",
    "weighted",
    "window_name",
    "windows_per_forward",
]
