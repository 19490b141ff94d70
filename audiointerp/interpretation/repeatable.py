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
FALL = 10.0
"""dB: by how much less that is at its end than at its start, and at its highest frequency than at
its lowest, so that its shape is another one also if the clip is steady noise."""
CLIP_FIRST, CLIP_LAST = 0, 1
"""The place of the clip in a batch of two. A network that answers all clips by its first, or in
another order, gives itself away in one of them only."""


def refuse_random(network: nn.Module, db: Tensor, output: str = "softmax") -> None:
    """Refuse a network whose logits are random, or depend on the other clips of a batch.

    It runs twice on the same features, then before and behind another clip: the same one, mirrored
    in time and frequency and 20 to 40 dB louder. Each run has a random state of its own; the states
    are restored. A network passes if its draws are the same in two runs by chance.

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
    spread, largest = float(logits.max() - logits.min()), float(logits.abs().max())
    for place in (CLIP_FIRST, CLIP_LAST):
        beside = _beside_another(network, db, logits, place, SEEDS[0])
        if beside is None:
            return
        change = float((logits - beside).abs().max())
        # NaN is a change, too.
        if change <= DEPENDENT * max(spread, largest, least):
            continue
        again = _beside_another(network, db, logits, place, SEEDS[1])
        if again is not None:
            _refuse_change(network, beside, again)
        raise ModelError(_dependence(network, change))


def _dependence(network: nn.Module, change: float) -> str:
    is_of_sounds = hasattr(explained_model(network), "max_batch")
    clips = "sounds" if is_of_sounds else "clips"
    one_by_one = f"make it take {clips} one by one"
    return (
        f"{network_name(network)} answers a clip otherwise with the other {clips} in its batch: "
        f"alone and beside a louder one, outputs differ by {change:.3g}, as of a maximum or mean "
        f"over the batch, or of answers in another order, and masks are classified in batches; "
        f"{f'give max_batch=1, or {one_by_one}' if is_of_sounds else one_by_one}"
    )


def _beside_another(
    network: nn.Module, db: Tensor, logits: Tensor, place: int, seed: int
) -> Tensor | None:
    """Return the outputs of a clip at a place in a batch of two, or None where there is no such.

    The other clip has another shape, so that a network that sees no levels tells them apart, too.
    A model that takes one sound at a time has no batches. What cannot take two, or such a level, is
    not refused here.
    """
    if getattr(explained_model(network), "max_batch", None) == 1:
        return None
    other = _another(db)
    pair = [db, other] if place == CLIP_FIRST else [other, db]
    try:
        outputs = _run(network, torch.cat(pair), seed)
    # A network of the user can raise any error, and it may be out of memory.
    except Exception:
        return None
    is_pair = isinstance(outputs, Tensor) and outputs.shape == (2, *logits.shape[1:])
    return outputs[[place]] if is_pair else None


def _another(db: Tensor) -> Tensor:
    """Return a clip that is louder than a clip and has another shape in time and in frequency."""
    heights, times = (torch.linspace(0, 1, size).to(db) for size in db.shape[2:])
    return db.flip(2, 3) + LOUDER - FALL * (heights[:, None] + times)


def _run(network: nn.Module, db: Tensor, seed: int) -> Any:
    with seeded(seed), torch.no_grad():
        return run_network(network, db)
