"""A check that a network gives the same logits for the same clip, alone and beside another."""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..util import PROBABILITY_OF, explained_model, network_name, run_network
from .preserve import seeded

SEEDS = (1208, 3404)
"""The first number that torch, numpy and Python draw in [0, 1] is below 0.05 after the one seed and
above 0.94 after the other, so that what happens at random in some runs happens in one of two."""
LARGEST_CHANGE = 1e-4
"""As a share of the spread of the logits."""
ROUNDING = 1e-6
"""As a share of the largest logit: what a device may round differently from run to run."""
DEPENDENT = 0.05
"""As a share of the spread of the logits, or of the largest: more than rounding in half precision,
or than a tree of a forest that jumps."""
LEAST_LOGIT, LEAST_PROBABILITY = 0.1, 0.02
"""The spread and the largest output may be smaller by chance, as near the boundary of one logit;
the sums before it are rounded nonetheless. A change by 5 % of these changes p by about 0.001."""
LOUDER = 40.0
"""dB: the level of the other clip of the batch, above that of the clip."""


def refuse_random(network: nn.Module, db: Tensor, output: str = "softmax") -> None:
    """Refuse a network whose logits are random, or depend on the other clips of a batch.

    It runs twice on the same features, and once beside the same clip 40 dB louder. Each run has a
    random state of its own; the states are restored. A network passes if its draws are the same in
    two runs by chance.

    Args:
        network: in evaluation mode.
        db: features ``(1, 1, F, T)``.
        output: what the network's outputs are, see :data:`~audiointerp.util.OUTPUTS`.

    Raises:
        ModelError: the logits of the runs differ beyond rounding.

    >>> class Dropping(nn.Linear):
    ...     def forward(self, db):
    ...         return nn.functional.dropout(super().forward(db.flatten(1)))
    >>> refuse_random(Dropping(600, 20), torch.ones(1, 1, 20, 30))
    Traceback (most recent call last):
    audiointerp.errors.ModelError: Dropping is random: two runs on the same clip gave logits ...
    """
    logits, other_logits = (_run(network, db, seed) for seed in SEEDS)
    if not isinstance(logits, Tensor) or not logits.numel():
        # What is wrong with such logits is said where they are used.
        return
    _refuse_change(network, logits, other_logits)
    # Of silence, a model that divides by a deviation answers by rounding alone.
    is_silent = bool((db == db.flatten()[0]).all())
    if logits.isfinite().all() and not is_silent:
        is_probability = output in PROBABILITY_OF.values()
        least = LEAST_PROBABILITY if is_probability else LEAST_LOGIT
        _refuse_dependent(network, db, logits, least)


def _refuse_change(network: nn.Module, logits: Tensor, other_logits: Tensor) -> None:
    spread = float(logits.max() - logits.min())
    change = float((logits - other_logits).abs().max())
    if change > LARGEST_CHANGE * spread + ROUNDING * float(logits.abs().max()):
        raise ModelError(
            f"{network_name(network)} is random: two runs on the same clip gave logits that "
            f"differ by {change:.3g}, their spread is {spread:.3g}; switch off dropout, noise and "
            f"random crops in its forward when it is not training, e.g. "
            f"functional.dropout(x, p, self.training)"
        )


def _refuse_dependent(network: nn.Module, db: Tensor, logits: Tensor, least: float) -> None:
    beside = _beside_a_louder_one(network, db, logits, SEEDS[0])
    if beside is None:
        return
    change = float((logits - beside).abs().max())
    spread, largest = float(logits.max() - logits.min()), float(logits.abs().max())
    # NaN is a change, too.
    if change <= DEPENDENT * max(spread, largest, least):
        return
    again = _beside_a_louder_one(network, db, logits, SEEDS[1])
    if again is not None:
        _refuse_change(network, beside, again)
    is_of_sounds = hasattr(explained_model(network), "max_batch")
    clips = "sounds" if is_of_sounds else "clips"
    one_by_one = f"make it take {clips} one by one"
    raise ModelError(
        f"{network_name(network)} answers a clip otherwise with the other {clips} in its batch: "
        f"alone and beside a louder one, outputs differ by {change:.3g}, as of a maximum or mean "
        f"over the batch, and masks are classified in batches; "
        f"{f'give max_batch=1, or {one_by_one}' if is_of_sounds else one_by_one}"
    )


def _beside_a_louder_one(
    network: nn.Module, db: Tensor, logits: Tensor, seed: int
) -> Tensor | None:
    """Return the outputs of a clip in a batch with a louder one, or None where there is no such.

    A model that takes one sound at a time has no batches. What cannot take two, or such a level, is
    not refused here.
    """
    if getattr(explained_model(network), "max_batch", None) == 1:
        return None
    try:
        outputs = _run(network, torch.cat([db, db + LOUDER]), seed)
    # A network of the user can raise any error, and it may be out of memory.
    except Exception:
        return None
    is_pair = isinstance(outputs, Tensor) and outputs.shape == (2, *logits.shape[1:])
    return outputs[:1] if is_pair else None


def _run(network: nn.Module, db: Tensor, seed: int) -> Any:
    with seeded(seed), torch.no_grad():
        return run_network(network, db)
