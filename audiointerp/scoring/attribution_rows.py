"""The scores of one attribution: a row of cells per ``fill``, ``on`` and mask."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..interpretation import Attribution, explainer_batch, null_seed, random_field
from ..util import one_line
from .columns import attribution_cells
from .curves import curves_of
from .mask_scores import mask_scores, network_scores, ties_of
from .matched import matched_masks
from .nulls import null_maps, null_masks
from .outcomes import Outcomes, classified
from .part_outputs import ClipParts
from .plan import Plan

LONGEST_REASON = 500
"""The most characters of an error message in a row."""


def attribution_rows(
    parts: ClipParts, plan: Plan, attribution: Attribution, other_values: Tensor | None
) -> list[dict[str, Any]]:
    """Score one attribution; return the cells of a row per ``fill``, ``on`` and mask.

    Args:
        parts: what classifies the parts of the clip.
        plan: what to score.
        attribution: the clip's attribution.
        other_values: another clip's ``(1, 1, F, T)`` by the same method, if any.

    Example: see :func:`~audiointerp.scoring.rows.clip_rows`.
    """
    db, values, method = parts.spectrogram.db, attribution.values, attribution.method
    functions = plan.mask_functions
    masks_by_name = {name: make_mask(values) for name, make_mask in functions.items()}
    masks = torch.cat(list(masks_by_name.values()))
    same_nulls = null_masks(plan.nulls, db, method, masks_by_name, functions, other_values)
    fields = _fields_of_matched(plan, db, method)
    method_cells = attribution_cells(attribution)
    method_cells["explainer_batch"] = explainer_batch(attribution)
    same_columns = mask_scores(db, masks, plan.definitions)
    same_columns["tie_share"] = torch.tensor(
        [ties_of(make_mask, values) for make_mask in functions.values()], dtype=torch.float64
    )
    maps = null_maps(plan.nulls, db, method, values, other_values) if plan.curves else {}
    rows: list[dict[str, Any]] = []
    for fill, on in product(plan.fills, plan.on):
        nulls = dict(same_nulls)
        if fields is not None:
            matched = matched_masks(parts.filled_with(fill), masks, fields, on=on)
            nulls |= {} if matched is None else {"matched": matched}
        every_mask = torch.cat([masks, *nulls.values()])
        outcomes = classified(parts, attribution.target, every_mask, on=on, fill=fill)
        columns = same_columns | network_scores(outcomes, masks, nulls, plan)
        on_cells: dict[str, Any] = {"batch": outcomes.batch}
        if plan.curves:
            on_cells |= _curve_areas(parts, attribution, maps, on, fill)
        for number, mask_name in enumerate(masks_by_name):
            mask_cells = {name: float(column[number]) for name, column in columns.items()}
            cells = _fault(outcomes, number, list(nulls)) or method_cells | on_cells | mask_cells
            rows.append({"on": on, "fill": fill, "mask": mask_name, **cells})
    return rows


def _fields_of_matched(plan: Plan, db: Tensor, method: str) -> Tensor | None:
    """Draw the random fields of the null ``"matched"``, one per mask; None if it is not asked."""
    if "matched" not in plan.nulls:
        return None
    seeds = [null_seed(method, name) for name in plan.mask_names]
    return torch.cat([random_field(db, "matched", seed) for seed in seeds])


def _curve_areas(
    parts: ClipParts, attribution: Attribution, maps: Mapping[str, Tensor], on: str, fill: str
) -> dict[str, float]:
    """Compute the areas under the curves of an attribution and of the nulls, by column."""
    areas: dict[str, float] = {}
    for null, values in {"": attribution.values, **maps}.items():
        suffix = null and f"_{null}"
        result = curves_of(parts, attribution.target, values, on=on, fill=fill)
        areas[f"deletion{suffix}"] = result.deletion_area
        areas[f"insertion{suffix}"] = result.insertion_area
    return areas


def _fault(outcomes: Outcomes, number: int, nulls: Sequence[str]) -> dict[str, Any]:
    """Return an error's cells if a mask or one of its nulls, which follow, has no outcome."""
    names = ["", *(f" of its null {null}" for null in nulls)]
    count = outcomes.probs.shape[1] // len(names)
    for place, name in enumerate(names):
        if fault := outcomes.fault(place * count + number):
            return failure_cells("score", ModelError(fault + name))
    return {}


def failure_cells(stage: str, error: Exception | None) -> dict[str, str]:
    """Return the cells of a row that describe an error.

    >>> failure_cells("read", ValueError("no sound"))["error"]
    'no sound'
    """
    message, error_type = one_line(error, LONGEST_REASON), type(error).__name__
    return {"status": "error", "stage": stage, "error_type": error_type, "error": message}
