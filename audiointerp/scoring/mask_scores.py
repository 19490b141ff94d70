"""The scores of masks by column: of their nulls, of the user's own kinds, and their ties."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from ..errors import ArgumentError
from ..interpretation import CheckedMask, Mask, tie_share, top
from ..metrics import RELATIVE
from .outcomes import Outcomes
from .plan import Plan
from .protocols import ScoringProtocol


def ties_of(mask: Mask, values: Tensor) -> float:
    """Return the share of a top-k mask that the order of ties decides; NaN for other masks.

    >>> import torch
    >>> from audiointerp import MASKS
    >>> ties_of(MASKS["topK_50"], torch.zeros(1, 1, 2, 2))
    1.0
    """
    function = mask.function if isinstance(mask, CheckedMask) else mask
    if not (isinstance(function, partial) and function.func is top):
        return float("nan")
    return float(tie_share(values, *function.args, **function.keywords))


def null_scores(
    outcomes: Outcomes, nulls: Mapping[str, Tensor], protocol: ScoringProtocol
) -> dict[str, Tensor]:
    """Score the nulls, whose masks follow those of the attribution, by column.

    Example: see :func:`~audiointerp.scoring.rows.clip_rows`.
    """
    # The other scores depend on the mask's values only, which are the same, or nearly so.
    metrics = {name: protocol.metrics[name] for name in RELATIVE}
    columns: dict[str, Tensor] = {}
    for number, (null, masks) in enumerate(nulls.items(), 1):
        scores = outcomes.scores(masks, metrics, number * len(masks))
        columns |= {f"{name}_{null}": scores[name] for name in (*RELATIVE, "HEARD")}
    return columns


def own_scores(outcomes: Outcomes, masks: Tensor, plan: Plan) -> dict[str, Tensor]:
    """Return the user's scores by column, one value per mask each.

    Raises:
        ArgumentError: a score is not such a tensor.

    Example: see :func:`~audiointerp.predict.score`, ``metrics=``.
    """
    scores = outcomes.scores(masks, plan.metrics)
    for name in plan.metrics:
        values = scores[name]
        if not isinstance(values, Tensor) or values.shape != (len(masks),):
            shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ArgumentError(
                f"metrics: {name} must return one value per mask ({len(masks)},), not {shape}"
            )
    return {name: scores[name] for name in plan.metrics}
