"""What every part takes for granted: the level that stands for silence, and what a network's logits mean."""

import torch
from torch import Tensor
from torch.nn import functional

FLOOR = -100.0
"""dB; the level of silence."""
OUTPUTS = ("softmax", "sigmoid")
"""How logits become probabilities: one class of C (``softmax``), or each class by itself, multi-label (``sigmoid``)."""


def probabilities(logits: Tensor, output: str = "softmax") -> Tensor:
    """Logits ``(N, C)`` to probabilities ``(N, C)``.

    >>> probabilities(torch.zeros(1, 4)).tolist(), probabilities(torch.zeros(1, 2), "sigmoid").tolist()
    ([[0.25, 0.25, 0.25, 0.25]], [[0.5, 0.5]])
    """
    return logits.sigmoid() if output == "sigmoid" else logits.softmax(-1)


def log_probabilities(logits: Tensor, output: str = "softmax") -> tuple[Tensor, Tensor]:
    """Log p and log(1 - p) of each class, each ``(..., C)`` float64; neither is rounded away where p is close to 0 or 1.

    >>> log_p, log_not_p = log_probabilities(torch.tensor([[100.0, 0.0]]))
    >>> (log_p - log_not_p).tolist()  # the log-odds, where p itself is 1 to the last bit
    [[100.0, -100.0]]
    """
    logits = logits.double()
    if output == "sigmoid":
        return functional.logsigmoid(logits), functional.logsigmoid(-logits)
    log_p = logits.log_softmax(-1)
    return log_p, log_of_the_others(log_p)


def log_of_the_others(log_p: Tensor) -> Tensor:
    """log(1 - p) of classes that share one probability, from log p ``(..., C)``: what the other classes have together."""
    best = torch.zeros_like(log_p, dtype=torch.bool).scatter_(-1, log_p.argmax(-1, keepdim=True), True)
    others = log_p.masked_fill(best, -torch.inf).logsumexp(-1, keepdim=True)
    # Below one half, 1 - p has no cancellation; above it, only the likeliest class can be.
    return torch.where(best, others, torch.log1p(-log_p.masked_fill(best, -torch.inf).exp()))
