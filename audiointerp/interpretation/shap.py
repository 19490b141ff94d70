"""DeepExplainer: DeepLIFT's rescale rule over a background (Lundberg and Lee, NeurIPS 2017)."""

import warnings
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..util import network_logits
from .base import Explainer
from .inputs import check_background
from .preserve import preserve_state
from .rescale import BUDGET, RescaleRule, can_rescale
from .rewrite import check_equal, visible_network
from .score import Score, refuse_probabilities

SMALLEST_DIFFERENCE = 0.1
"""Logits; the relative error of a smaller difference means nothing."""
LARGEST_GAP = 1e-3
"""A larger additivity gap gives a warning."""
SHAP_MODULES = frozenset(
    """
    AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AlphaDropout AvgPool1d AvgPool2d AvgPool3d
    BatchNorm1d BatchNorm2d BatchNorm3d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d
    ConvTranspose3d Dropout Dropout2d Dropout3d ELU Flatten GELU Identity LeakyReLU Linear MaxPool1d
    MaxPool2d MaxPool3d ReLU SELU Sigmoid Softmax Softplus Tanh
    """.split()  # noqa: SIM905
)
"""The names of the module types that shap knows. To ask shap itself takes two CPU seconds."""


class SHAP(Explainer):
    """What each bin adds to the logit, relative to the mean over a background (DeepExplainer).

    The values are those of DeepLIFT's rescale rule (Shrikumar et al., ICML 2017), averaged over the
    background. They sum to f(x) - E f(b), but they are not the Shapley values of the bins: of
    max(1, 2), compared with max(0, 0), they are [0, 2], and Shapley's are [0.5, 1.5].
    :class:`~audiointerp.interpretation.KernelSHAP` estimates Shapley values, of segments.

    shap replaces the gradients of the modules that it knows. It does not see nonlinear operations
    outside of them (``torch.relu``, ``torch.max``, a module used twice), and its values would then
    not sum to the difference. Such a network is explained by a copy of its forward in which they
    are modules, with the same weights and logits equal within 1e-5 of the largest. Operations that
    no such module replaces (products of two results, softmax, normalisation by the clip's own
    statistics) are refused.

    ``info["difference"]`` is f(x) - E f(b), and ``info["additivity_gap"]`` is
    |sum - difference| / |difference|, NaN where |difference| is at most 0.1 logits. A gap above
    1e-3 also gives a warning.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        background: features ``(B, 1, F, T)`` to compare with, e.g. of some training clips; as long
            as the clips to explain.
        batch: background clips explained at once; it affects memory and rounding only.
        strict: whether to rewrite or refuse a network that shap cannot see through; if not, the
            network is explained as it is written, and the gap shows how much is missed.

    Raises:
        ArgumentError: the background is not usable, or ``batch`` is below 1.
        ModelError: shap cannot see through the network; the message names the first operations.

    When called, it raises an ArgumentError if ``output`` says that the network's outputs are
    probabilities, and a ModelError if the rewritten network's logits of the clip differ.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(4, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> attribution = SHAP(linear, background)(clip, target=0)
    >>> bool(torch.allclose(attribution.values.flatten(), linear[1].weight[0], atol=1e-6))
    True
    """

    name = "shap"
    needs_background = True
    needs_features = True

    def __init__(
        self, network: nn.Module, background: Tensor, batch: int = 10, *, strict: bool = True
    ) -> None:
        super().__init__(network)
        check_background(background)
        if batch < 1:
            raise ArgumentError(f"batch={batch} must be at least 1")
        self.background = background
        self.batch: int = batch
        self._planned_batch = batch
        self._strict = strict
        self._rewritten = _rewritten_network(network, background) if strict else None
        self._rule: RescaleRule | None = None
        self._rule_weights: list[Tensor] = []

    def __getstate__(self) -> dict[str, Any]:
        return {
            **vars(self),
            "_rewritten": self._rewritten is not None,
            "_rule": None,
            "_rule_weights": [],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Rewrite the network again, since a traced network cannot be pickled."""
        vars(self).update(state)
        again = state["_rewritten"]
        self._rewritten = _rewritten_network(self.network, self.background) if again else None

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        if db.shape[1:] != self.background.shape[1:]:
            raise ArgumentError(
                f"the clip {tuple(db.shape[1:])} and the background "
                f"{tuple(self.background.shape[1:])} differ in shape"
            )
        refuse_probabilities("SHAP", score.output)
        score.settle(db)
        if self._rewritten is not None:
            check_equal(self.network, self._rewritten.to(db.device), db)
        seen = self._rewritten or self.network
        with preserve_state(seen):
            # Without strict, the network may hide operations from the rule.
            explain = self._explain_by_rule if self._strict and can_rescale(seen) else self._by_shap
            values, expected = explain(score, db)
        return self._measure_gap(score, values, expected)

    def _explain_by_rule(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the expected score ``(N,)``, without shap."""
        parts = []
        # A weight that this clip does not need changes other clips' values.
        weights = list(chain(self.network.parameters(), self.network.buffers()))
        # Its own copy, since the background may be changed in place.
        background = self.background.to(db, copy=True)
        if self._rule is not None and (
            not _are_equal(weights, self._rule_weights)
            or not torch.equal(background, self._rule.background)
        ):
            self._rule = None
        for number, clip in enumerate(db.split(1)):
            clip_score = score.of(number)
            rule = self._rule
            if rule is None or not rule.fits(clip, clip_score.logits, self.batch, score.output):
                # Where memory ran out, nothing of the background is kept.
                budget = BUDGET if self.batch == self._planned_batch else 0
                seen = self._rewritten or self.network
                # The old one holds much memory.
                self._rule = rule = None
                # Copies show any change, also one through ``.data``; sums hide pairs of changes.
                self._rule_weights = [weight.detach().clone() for weight in weights]
                rule = RescaleRule(seen, background, self.batch, budget, score.output)
                self._rule = rule
            parts.append(rule.explain(clip, clip_score.chosen))
        values, expected = zip(*parts, strict=True)
        return torch.cat(values), torch.stack(expected)

    def _by_shap(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the expected score ``(N,)``, by shap's DeepExplainer."""
        # The import takes seconds (it loads plotting libraries), so it happens only when needed.
        import shap

        values = torch.zeros_like(db)
        with warnings.catch_warnings():
            # Such modules have been refused already, or the gap shows what they cost.
            warnings.filterwarnings("ignore", "unrecognized nn.Module")
            expected = self._accumulate(shap, score, db, values)
        return values, expected

    def _accumulate(self, shap: Any, score: Score, db: Tensor, values: Tensor) -> Tensor:
        """Add each background clip's share to ``values``; return the expected score ``(N,)``."""
        expected = torch.zeros(len(db), device=db.device, dtype=db.dtype)
        for background in self.background.to(db).split(self.batch):
            share = len(background) / len(self.background)
            output = _SingleOutput(self._score_of(score, 0))
            explainer = shap.DeepExplainer(output, background)
            with torch.no_grad():
                logits = network_logits(self.network, background, score.output)
            for number in range(len(db)):
                output.score = self._score_of(score, number)
                expected[number] += share * output.score.chosen(logits).mean()
                # shap's own check raises at its own limit, which would lose the clip. _measure_gap
                # checks the same sum for every clip, records the gap and warns.
                phi = explainer.shap_values(db[number : number + 1], check_additivity=False)
                values[number] += share * torch.from_numpy(phi)[0, ..., 0].to(db)
        return expected

    def _score_of(self, score: Score, clip: int) -> Score:
        """Return one clip's score, computed by the network that shap sees."""
        clip_score = score.of(clip)
        clip_score.network = self._rewritten or self.network
        return clip_score

    def _measure_gap(
        self, score: Score, values: Tensor, expected: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the values, and how far their sum misses the difference that they explain."""
        difference = (score.chosen(score.logits) - expected).cpu()
        gap = relative_gap(values, difference)
        if (gap > LARGEST_GAP).any():
            warnings.warn(
                f"SHAP misses {float(gap.nan_to_num().max()):.0%} of the logit's difference, since "
                f"it does not see all of the network; make each ReLU and pooling a module that is "
                f"used once",
                stacklevel=5,
            )
        return values, {"additivity_gap": gap, "difference": difference}


def _are_equal(weights: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Return whether all weights have the same values, type and device as the others."""
    return len(weights) == len(others) and all(
        (weight.dtype, weight.device) == (other.dtype, other.device) and torch.equal(weight, other)
        for weight, other in zip(weights, others, strict=True)
    )


def relative_gap(values: Tensor, difference: Tensor) -> Tensor:
    """Return how far the sum of each clip's values misses a difference, relative to it.

    Args:
        values: ``(N, 1, F, T)``.
        difference: what they should sum to, ``(N,)``, on the CPU.

    Returns:
        |sum - difference| / |difference|, ``(N,)`` float64; NaN where |difference| is at most 0.1.

    >>> relative_gap(torch.ones(2, 1, 2, 3), torch.tensor([8.0, 0.0]))
    tensor([0.2500,    nan], dtype=torch.float64)
    """
    # On the CPU, since not every device has float64.
    total = values.flatten(1).cpu().double().sum(1)
    return relative_to(total - difference, difference).abs()


def relative_to(amount: Tensor, difference: Tensor) -> Tensor:
    """Divide amounts ``(N,)`` by a difference ``(N,)``; NaN where it is at most 0.1 in size.

    >>> relative_to(torch.tensor([2.0, 2.0]), torch.tensor([-8.0, 0.1]))
    tensor([-0.2500,     nan])
    """
    return torch.where(difference.abs() > SMALLEST_DIFFERENCE, amount / difference, torch.nan)


class _SingleOutput(nn.Module):
    """The score as the only output ``(N, 1)`` of a network, so that shap computes no other."""

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(self, db: Tensor) -> Tensor:
        column: Tensor = self.score(db)[:, None]
        return column


def _rewritten_network(network: nn.Module, background: Tensor) -> nn.Module | None:
    """Return a network that shap sees all of, or None if it sees all of the given one."""
    like = next(network.parameters(), background)
    with preserve_state(network):
        visible = visible_network(network, background.to(like), SHAP_MODULES)
    return None if visible is network else visible
