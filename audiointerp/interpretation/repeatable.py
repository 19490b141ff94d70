"""A check that a network gives the same logits for the same clip."""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..util import network_name, run_network
from .preserve import seeded

SEEDS = (1208, 3404)
"""The first number that torch, numpy and Python draw in [0, 1] is below 0.05 after the one seed and
above 0.94 after the other, so that what happens at random in some runs happens in one of two."""
LARGEST_CHANGE = 1e-4
"""As a share of the spread of the logits."""
ROUNDING = 1e-6
"""As a share of the largest logit: what a device may round differently from run to run."""


def refuse_random(network: nn.Module, db: Tensor) -> None:
    """Refuse a network whose logits are random, by two runs on the same features.

    Each run has a random state of its own; the states are restored. A network passes if its draws
    are the same in both runs by chance.

    Args:
        network: in evaluation mode.
        db: features ``(N, 1, F, T)``.

    Raises:
        ModelError: the logits of the two runs differ beyond rounding.

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
    spread = float(logits.max() - logits.min())
    change = float((logits - other_logits).abs().max())
    if change > LARGEST_CHANGE * spread + ROUNDING * float(logits.abs().max()):
        raise ModelError(
            f"{network_name(network)} is random: two runs on the same clip gave logits that "
            f"differ by {change:.3g}, their spread is {spread:.3g}; switch off dropout, noise and "
            f"random crops in its forward when it is not training, e.g. "
            f"functional.dropout(x, p, self.training)"
        )


def _run(network: nn.Module, db: Tensor, seed: int) -> Any:
    with seeded(seed), torch.no_grad():
        return run_network(network, db)
