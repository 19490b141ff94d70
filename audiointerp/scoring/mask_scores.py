"""The scores of masks by column: of their nulls, of the user's own kinds, and their ties."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from ..errors import ArgumentError
from ..interpretation import CheckedMask, GivenMask, Mask, tie_share, top
from ..metrics import METRICS, RELATIVE, evaluate
from .content import energy_shares
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


def mask_scores(db: Tensor, masks: Tensor, protocol: ScoringProtocol) -> dict[str, Tensor]:
    """Return the scores that depend on the masks and the clip alone, by column, ``(M,)`` each.

    Args:
        db: the clip's levels ``(1, 1, F, T)``.
        masks: ``(M, 1, F, T)``.
        protocol: the definitions of the scores.

    >>> import torch
    >>> from audiointerp.scoring import PROTOCOLS
    >>> list(mask_scores(*torch.zeros(2, 1, 1, 2, 3), PROTOCOLS["corrected"]))
    ['SPS', 'COMP', 'nCOMP', 'AREA', 'ENERGY']
    """
    metrics = {name: protocol.metrics[name] for name in METRICS if name not in RELATIVE}
    # These scores look at nothing but the masks.
    probs = torch.zeros(len(masks), 1)
    targets = torch.zeros(len(masks), dtype=torch.long)
    scores = evaluate(probs, probs, probs, targets, masks.cpu(), metrics)
    return scores | {"ENERGY": energy_shares(db, masks)}


def network_scores(
    outcomes: Outcomes, masks: Tensor, nulls: Mapping[str, Tensor], plan: Plan
) -> dict[str, Tensor]:
    """Return the scores that depend on the network or on the parts, by column, ``(M,)`` each.

    The null ``"other"`` of a mask that is given, and so the same for each clip, would be the mask
    itself: its scores are NaN.

    Args:
        outcomes: of the masks, and of those of each null after them.
        masks: ``(M, 1, F, T)``.
        nulls: the nulls' masks by name, as many each.
        plan: what to score.

    Raises:
        ArgumentError: a score of the user is no tensor ``(M,)``.

    Example: see :func:`~audiointerp.scoring.rows.clip_rows`.
    """
    metrics = {name: plan.definitions.metrics[name] for name in RELATIVE}
    columns = outcomes.scores(masks, metrics)
    is_given = torch.tensor([isinstance(mask, GivenMask) for mask in plan.mask_functions.values()])
    for number, (null, null_masks) in enumerate(nulls.items(), 1):
        scores = outcomes.scores(null_masks, metrics, number * len(masks))
        is_unknown = is_given & (null == "other")
        for name in (*RELATIVE, "HEARD"):
            columns[f"{name}_{null}"] = scores[name].masked_fill(is_unknown, torch.nan)
    return columns | own_scores(outcomes, masks, plan)


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
