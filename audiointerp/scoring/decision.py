"""The probabilities between which a network decides."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ..interpretation import Attribution
from ..util import INDEPENDENT


def decide(
    log_p: Tensor, log_not_p: Tensor, target: int, against: Tensor | None, output: str
) -> tuple[Tensor, Tensor, int]:
    """Return the probabilities of the classes that compete, and the explained class among them.

    A multi-label decision, or one class against another, is between two: target or not. The
    log-odds of one class against another are the difference of their logits.

    Args:
        log_p, log_not_p: log p and log(1 - p) of each class, ``(K, C)``.
        target, against: the explained class, and the class it is explained against, if any.
        output: what the network's outputs are, a name in ``OUTPUTS``.

    Returns:
        The probabilities ``(K, C')``, the log-odds ``(K,)`` of the target, and its column.

    >>> log_p = torch.tensor([[0.25, 0.75]]).log()
    >>> probs, _, column = decide(log_p, log_p.flip(1), 1, None, "softmax")
    >>> round(float(probs[0, column]), 3)
    0.75
    """
    # Of classes that compete, the logits are known up to a constant, which cancels here.
    logits = log_p - log_not_p if output in INDEPENDENT else log_p
    if against is not None:
        log_odds = logits[:, target] - logits[:, int(against)]
    elif output in INDEPENDENT:
        log_odds = logits[:, target]
    else:
        return log_p.exp(), log_p[:, target] - log_not_p[:, target], target
    return torch.stack([log_odds.sigmoid(), (-log_odds).sigmoid()], 1), log_odds, 0


def warn_if_absent(labels: Sequence[str], attribution: Attribution, stacklevel: int = 3) -> None:
    """Warn that no label is present, where the likeliest of independent labels is explained.

    Args:
        labels: the names of the classes.
        attribution: of the likeliest.
        stacklevel: says which caller the warning names, see ``warnings.warn``.

    >>> present = torch.tensor([[0.9, 0.2]])
    >>> attribution = Attribution(torch.ones(1, 1, 2, 3), torch.tensor([0]), present, "mine")
    >>> warn_if_absent(["cat", "dog"], attribution)
    """
    p, label = attribution.probs[0].max(0)
    if p < 0.5:
        warnings.warn(
            f"no label is present (all p are below 1/2): {labels[int(label)]}, "
            f"p {float(p):.3f}, is explained as the likeliest",
            stacklevel=stacklevel,
        )
