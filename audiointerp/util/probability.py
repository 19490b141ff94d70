"""Conventions that all rooms share: the level of silence, and logits as probabilities."""

import warnings
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ModelError

FLOOR = -100.0
"""The level of silence, in dB."""
OUTPUTS = (
    "softmax",
    "sigmoid",
    "binary",
    "probabilities",
    "independent_probabilities",
    "binary_probability",
)
"""What a network's outputs are.

- ``softmax``: logits of classes that compete, so that a clip has one class;
- ``sigmoid``: logits of independent labels, so that a clip can have several;
- ``binary``: one logit, of the second of two labels against the first;
- ``probabilities``: those of classes that compete, e.g. of a network that ends in a softmax;
- ``independent_probabilities``: those of labels, e.g. of a network that ends in a sigmoid;
- ``binary_probability``: one probability, of the second of two labels.
"""
BINARY = ("binary", "binary_probability")
"""The entries of :data:`OUTPUTS` with one number per clip, of two labels."""
INDEPENDENT = ("sigmoid", "independent_probabilities")
"""The entries of :data:`OUTPUTS` where each label is decided by itself."""
PROBABILITY_OF = {
    "softmax": "probabilities",
    "sigmoid": "independent_probabilities",
    "binary": "binary_probability",
}
"""The entry of :data:`OUTPUTS` for probabilities, by that for logits."""
SUM_TOLERANCE = 1e-4
"""Outputs in [0, 1] whose sum is this close to 1 look like probabilities of competing classes."""
LARGEST_ERROR = 1e-2
"""How far probabilities may be from [0, 1], and their sum from 1: the rounding of bfloat16."""
MANY_CLASSES = 16
"""So many logits are not all in [0, 1] by chance."""
_CHECKED: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


def to_logits(outputs: Tensor, output: str = "softmax") -> Tensor:
    """Convert a network's outputs ``(N, C)`` to logits ``(N, C)``, differentiably.

    Logits are returned as they are; one logit z of two labels becomes (-z/2, z/2), whose softmax is
    (1 - sigmoid(z), sigmoid(z)). Probabilities p of classes that compete become log p, whose
    softmax is p; independent ones become log(p / (1 - p)). p is first clamped to the numbers that
    have a finite logit: below, to the smallest normal number; for independent labels also above, to
    the largest number below 1. There the gradient is 0, and the logit is known only as a bound (17
    in float32).

    Args:
        outputs: of C classes; ``(N, 1)`` or ``(N,)`` for one logit or probability of two labels.
        output: one of :data:`OUTPUTS`.

    Raises:
        ModelError: ``output`` says that they are probabilities, but they are not in [0, 1] or, for
            classes that compete, do not sum to 1; or it says that they are one number per clip.

    >>> to_logits(torch.tensor([[0.5, 0.5]]), "probabilities").softmax(-1).tolist()
    [[0.5, 0.5]]
    >>> to_logits(torch.tensor([[0.5, 1.0]]), "independent_probabilities").round().tolist()
    [[0.0, 17.0]]
    """
    if output in BINARY:
        outputs = _one_column(outputs, output)
    if output in PROBABILITY_OF.values():
        outputs = _logits_of_probabilities(outputs, output)
    # Symmetric, so that either of the two labels has a logit that depends on the clip.
    return torch.cat([-outputs / 2, outputs / 2], -1) if output in BINARY else outputs


def _logits_of_probabilities(outputs: Tensor, output: str) -> Tensor:
    _check_probabilities(outputs, output)
    limits = torch.finfo(outputs.dtype)
    log_p = outputs.clamp_min(limits.tiny).log()
    if output == "probabilities":
        return log_p
    return log_p - torch.log1p(-outputs.clamp_max(1 - limits.eps / 2))


def _one_column(outputs: Tensor, output: str) -> Tensor:
    """Return one number per clip as ``(N, 1)``."""
    column = outputs[:, None] if outputs.ndim == 1 else outputs
    if column.ndim != 2 or column.shape[1] != 1:
        raise ModelError(
            f"output={output!r} says that the network returns one number per clip, but it returns "
            f"{tuple(outputs.shape)}; for one number per label give output='softmax' (classes that "
            f"compete) or 'sigmoid' (independent labels)"
        )
    return column


def _check_probabilities(outputs: Tensor, output: str) -> None:
    """Refuse outputs that are no probabilities; NaN is left to the check of the logits."""
    smallest, largest = (float(value) for value in outputs.detach().aminmax())
    logits = [name for name, of in PROBABILITY_OF.items() if of == output]
    # Without a word on them, classes compete.
    names = ["softmax", "sigmoid"] if output == "probabilities" else logits
    advice = f"if the outputs are logits, give output={' or '.join(map(repr, names))}"
    if smallest < -LARGEST_ERROR or largest > 1 + LARGEST_ERROR:
        raise ModelError(
            f"the network's outputs are from {smallest:.3g} to {largest:.3g}, but "
            f"output={output!r} says that they are probabilities; {advice}"
        )
    sums = outputs.detach().sum(-1)
    worst = float(sums.flatten()[(sums - 1).abs().argmax()])
    is_wrong_sum = output == "probabilities" and abs(worst - 1) > LARGEST_ERROR
    if is_wrong_sum and outputs.shape[-1] == 1:
        raise ModelError(
            f"the network returns one number for a clip, but output={output!r} says that there is "
            f"one for each label; for one probability of two labels give "
            f"output='binary_probability'; {advice}"
        )
    if is_wrong_sum:
        raise ModelError(
            f"the network's outputs sum to {worst:.3g} for a clip, but output={output!r} says that "
            f"they are probabilities of classes that compete; for independent labels give "
            f"output='independent_probabilities'; {advice}"
        )


def suspected_probabilities(outputs: Tensor, output: str = "softmax") -> str | None:
    """Return what outputs ``(N, C)`` seem to be if they are said to be logits but look otherwise.

    Args:
        outputs: of the network.
        output: one of :data:`OUTPUTS`, what they are said to be.

    Returns:
        ``"probabilities"`` if all are in [0, 1] and each row sums to 1 within 1e-4;
        ``"independent_probabilities"`` if all are in [0, 1], for ``"sigmoid"`` or where there are
        at least 16 classes; ``"binary_probability"`` likewise, for 16 clips; None if they can be
        what they are said to be, or are 0 and 1 only.

    >>> suspected_probabilities(torch.tensor([[0.25, 0.75]]))
    'probabilities'
    >>> suspected_probabilities(torch.tensor([[0.25, 1.75]])) is None
    True
    """
    # A single logit can be in [0, 1] by chance.
    if output not in PROBABILITY_OF or (output == "binary" and outputs.numel() < MANY_CLASSES):
        return None
    if not bool(((outputs >= 0) & (outputs <= 1)).all()):
        return None
    # Zeros and ones alone are as likely the logits of a constant network.
    if not bool(((outputs > 0) & (outputs < 1)).any()):
        return None
    sums_to_one = bool(((outputs.sum(-1) - 1).abs() <= SUM_TOLERANCE).all())
    if output == "softmax" and sums_to_one:
        return "probabilities"
    if output == "binary":
        return PROBABILITY_OF[output]
    is_independent = output == "sigmoid" or outputs.shape[-1] >= MANY_CLASSES
    return "independent_probabilities" if is_independent else None


def warn_of_probabilities(
    network: nn.Module, outputs: Tensor, output: str, *, stacklevel: int
) -> None:
    """Warn if the first outputs of a network look like probabilities, but are said to be logits.

    They are checked once for a network and an ``output``, whoever asks: a classifier, or an
    explainer that is called by itself.

    Args:
        network: what returned the outputs.
        outputs: ``(N, C)``.
        output: one of :data:`OUTPUTS`, what they are said to be.
        stacklevel: of the warning, 2 for the caller of this function.

    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn_of_probabilities(nn.Softmax(1), torch.ones(1, 4) / 4, "softmax", stacklevel=2)
    >>> str(caught[0].message)[:58]
    'all outputs of the network are in [0, 1] and sum to 1, as '
    """
    checked = _CHECKED.setdefault(network, set())
    if output in checked:
        return
    checked.add(output)
    suspected = suspected_probabilities(outputs, output)
    if suspected is not None:
        sums = " and sum to 1" if suspected == "probabilities" else ""
        warnings.warn(
            f"all outputs of the network are in [0, 1]{sums}, as probabilities are: if they are, "
            f"give Classifier(…, output={suspected!r}), and an explainer that you call yourself "
            f"explainer(db, output={suspected!r}); output={output!r} takes them for logits, and "
            f"every probability and score would be wrong",
            stacklevel=stacklevel,
        )


def probabilities(logits: Tensor, output: str = "softmax") -> Tensor:
    """Convert logits ``(N, C)`` to probabilities ``(N, C)``.

    Args:
        logits: of C classes, e.g. of :func:`to_logits`.
        output: one of :data:`OUTPUTS`.

    >>> probabilities(torch.zeros(1, 4)).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    >>> probabilities(torch.zeros(1, 2), "sigmoid").tolist()
    [[0.5, 0.5]]
    """
    return logits.sigmoid() if output in INDEPENDENT else logits.softmax(-1)


def log_probabilities(logits: Tensor, output: str = "softmax") -> tuple[Tensor, Tensor]:
    """Compute log p and log(1 - p) of each class, both accurate where p is close to 0 or 1.

    Args:
        logits: ``(..., C)``, e.g. of :func:`to_logits`.
        output: one of :data:`OUTPUTS`.

    Returns:
        Two tensors ``(..., C)`` in float64.

    The difference of the two is the log-odds, finite even where p rounds to 1:

    >>> log_p, log_not_p = log_probabilities(torch.tensor([[100.0, 0.0]]))
    >>> (log_p - log_not_p).tolist()
    [[100.0, -100.0]]
    """
    logits = logits.double()
    if output in INDEPENDENT:
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
