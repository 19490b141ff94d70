"""Conventions that all rooms share: the level of silence, and logits as probabilities."""

import torch
from torch import Tensor
from torch.nn import functional

FLOOR = -100.0
"""The level of silence, in dB."""
OUTPUTS = ("softmax", "sigmoid")
"""How logits become probabilities: ``softmax`` if a clip has one class, ``sigmoid`` if several."""


def probabilities(logits: Tensor, output: str = "softmax") -> Tensor:
    """Convert logits ``(N, C)`` to probabilities ``(N, C)``.

    Args:
        logits: of C classes.
        output: one of :data:`OUTPUTS`.

    >>> probabilities(torch.zeros(1, 4)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    >>> probabilities(torch.zeros(1, 2), "sigmoid").tolist()
    [[0.5, 0.5]]
    """
    return logits.sigmoid() if output == "sigmoid" else logits.softmax(-1)


def log_probabilities(logits: Tensor, output: str = "softmax") -> tuple[Tensor, Tensor]:
    """Compute log p and log(1 - p) of each class, both accurate where p is close to 0 or 1.

    Args:
        logits: ``(..., C)``.
        output: one of :data:`OUTPUTS`.

    Returns:
        Two tensors ``(..., C)`` in float64.

    The difference of the two is the log-odds, finite even where p rounds to 1:

    >>> log_p, log_not_p = log_probabilities(torch.tensor([[100.0, 0.0]]))
    >>> (log_p - log_not_p).tolist()
    [[100.0, -100.0]]
    """
    logits = logits.double()
    if output == "sigmoid":
        return functional.logsigmoid(logits), functional.logsigmoid(-logits)
    log_p = logits.log_softmax(-1)
    return log_p, log_of_the_others(log_p)


def log_of_the_others(log_p: Tensor) -> Tensor:
    """Compute log(1 - p) of each class, the log-probability of all other classes together.

    Args:
        log_p: log-probabilities ``(..., C)`` of classes whose probabilities sum to 1.

    >>> log_of_the_others(torch.tensor([[0.25, 0.75]]).log()).exp().tolist()
    [[0.75, 0.25]]
    """
    likeliest = torch.zeros_like(log_p, dtype=torch.bool).scatter_(
        -1, log_p.argmax(-1, keepdim=True), True
    )
    log_of_rest = log_p.masked_fill(likeliest, -torch.inf)
    # Only the likeliest class can have p > 1/2, where 1 - p would cancel: sum the others instead.
    return torch.where(
        likeliest, log_of_rest.logsumexp(-1, keepdim=True), torch.log1p(-log_of_rest.exp())
    )
