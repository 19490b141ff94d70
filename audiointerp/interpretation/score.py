"""The function that a method explains: features to the logit of one class."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ArgumentError, ModelError
from ..util import (
    forward_batch,
    log_probabilities,
    network_logits,
    probabilities,
    reason_of_nan,
)


class Score(nn.Module):
    """The explained function: features ``(N, 1, F, T)`` to the explained class's logit ``(N,)``.

    If the network's outputs are probabilities p, the logit is log p for classes that compete and
    log(p / (1 - p)) for independent labels, see :func:`~audiointerp.util.to_logits`.
    With ``against`` it is the difference of the two classes' logits. The first call fixes the
    target (the predicted class if none was given) and keeps the logits, so prediction and
    attribution come from the same forward pass.

    Args:
        network: any module from features to outputs ``(N, C)``.
        target: ``(N,)``, the explained classes; the predicted ones if None.
        against: ``(N,)``, the classes to compare with, or None.
        output: what the outputs are, a name in ``OUTPUTS``.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> score, db = Score(network, target=None), torch.rand(3, 1, 2, 3)
    >>> bool((score(db) == network(db).max(1).values).all())
    True
    """

    def __init__(
        self,
        network: nn.Module,
        target: Tensor | None,
        against: Tensor | None = None,
        output: str = "softmax",
    ) -> None:
        super().__init__()
        self.network = network
        self.against = against
        self.output = output
        self._target = target
        self._logits: Tensor | None = None

    def forward(self, db: Tensor) -> Tensor:
        """Return the explained score ``(N,)`` of features ``(N, 1, F, T)``.

        Raises:
            ArgumentError: a target is not a class of the network, or equals the one it is against.
            ModelError: the network does not return finite logits ``(N, C)``.
        """
        logits = network_logits(self.network, db, self.output)
        if self._logits is None:
            self._logits = self._checked(logits.detach(), db)
            if self._target is None:
                self._target = self._logits.argmax(1)
            if self.against is not None and bool((self.against == self._target).any()):
                raise ArgumentError(
                    f"class {self._target.tolist()} cannot be explained against itself; "
                    f"give another target"
                )
        return self.chosen(logits)

    def of_versions(self, db: Tensor) -> Tensor:
        """Return the explained score ``(N,)`` of versions of a clip, without looking at layers."""
        return self.chosen(self._logits_of_versions(db))

    def chosen(self, logits: Tensor) -> Tensor:
        """Return the explained score ``(N,)`` of logits ``(N, C)``."""
        score = _select_class(logits, self.target)
        return score if self.against is None else score - _select_class(logits, self.against)

    def probability(self, db: Tensor) -> Tensor:
        """Return the probability of the explained class ``(N,)``.

        With ``against``, it is the probability given that the class is one of the two.
        """
        logits = self._logits_of_versions(db)
        if self.against is not None:
            return self.chosen(logits).sigmoid()
        return _select_class(probabilities(logits, self.output), self.target)

    def log_probability(self, db: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p and log(1 - p) of the explained class, each ``(N,)`` float64.

        p is that of :meth:`probability`; both are accurate where p rounds to 0 or 1.
        """
        logits = self._logits_of_versions(db)
        if self.against is not None:
            log_odds = self.chosen(logits).double()
            return functional.logsigmoid(log_odds), functional.logsigmoid(-log_odds)
        log_p, log_not_p = log_probabilities(logits, self.output)
        return _select_class(log_p, self.target), _select_class(log_not_p, self.target)

    def _logits_of_versions(self, db: Tensor) -> Tensor:
        """Return the logits ``(N, C)``, in several forward passes if that is faster."""
        # With gradients the network is run once: a method may look at what its layers return.
        most = len(db) if torch.is_grad_enabled() else forward_batch(self.network, len(db))
        parts = [network_logits(self.network, part, self.output) for part in db.split(most)]
        return torch.cat(parts)

    def settle(self, db: Tensor) -> None:
        """Fix target and logits by a forward pass without gradients."""
        with torch.no_grad():
            self(db)

    def of(self, clip: int) -> "Score":
        """Return the settled score of one clip; it takes any number of versions of that clip."""
        row = slice(clip, clip + 1)
        against = None if self.against is None else self.against[row]
        score = Score(self.network, self.target[row], against, self.output)
        score._logits = self.logits[row]
        return score

    def _checked(self, logits: Tensor, db: Tensor) -> Tensor:
        is_finite = bool(logits.isfinite().all())
        if logits.ndim != 2 or len(logits) != len(db) or not is_finite:
            reason = "" if is_finite else reason_of_nan(self.network, db, logits)
            raise ModelError(
                f"the network must return finite logits ({len(db)}, C), "
                f"not {describe_tensor(logits)}{reason}"
            )
        classes = logits.shape[1]
        for target in (self._target, self.against):
            if target is not None and not bool(((target >= 0) & (target < classes)).all()):
                raise ArgumentError(
                    f"target {target.tolist()} is not among the network's {classes} classes"
                )
        return logits

    @property
    def logits(self) -> Tensor:
        """The logits ``(N, C)`` of the first call."""
        return _require_settled(self._logits)

    @property
    def target(self) -> Tensor:
        """The explained classes ``(N,)``."""
        return _require_settled(self._target)


def _require_settled(value: Tensor | None) -> Tensor:
    if value is None:
        raise ModelError(
            "an explainer must call its score, or score.settle(db), before reading logits or target"
        )
    return value


def _select_class(values: Tensor, target: Tensor) -> Tensor:
    return values.gather(1, target.expand(len(values))[:, None])[:, 0]


def refuse_probabilities(method: str, output: str) -> None:
    """Refuse outputs whose logit is made by a logarithm, for methods that see modules only.

    Args:
        method: its name, for the message.
        output: what the network's outputs are, a name in ``OUTPUTS``.

    Raises:
        ArgumentError: they are probabilities.

    >>> refuse_probabilities("SHAP", "softmax")
    """
    if "probabilities" in output:
        raise ArgumentError(
            f"{method} explains logits and cannot see through the logarithm that output={output!r} "
            f"needs; give the network without its last softmax or sigmoid, and output='softmax' "
            f"or 'sigmoid', or use gradient_shap or kernel_shap"
        )


def describe_tensor(tensor: Tensor) -> str:
    """Return a tensor's shape, and whether it has values that are not finite, for a message.

    >>> describe_tensor(torch.tensor([[0.0, torch.inf]]))
    '(1, 2) with NaN or infinite values'
    """
    shape = tuple(tensor.shape)
    return f"{shape}" if tensor.isfinite().all() else f"{shape} with NaN or infinite values"
