"""SHAP values by DeepLIFT's rescale rule over a background (Lundberg and Lee, NeurIPS 2017)."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from .base import Explainer, Score, check_background
from .hidden import hidden_operations
from .state import untouched

MEANINGFUL = 0.1
"""Logits; a relative miss of a smaller difference says nothing."""
TOLERATED = 1e-3
"""A larger additivity gap is a warning."""


class SHAP(Explainer):
    """What each bin adds to the logit, against what the network gives on average over a background: shap's DeepExplainer.

    The explainer replaces the gradients of the modules that it knows. What is not linear outside of them (``torch.relu``,
    ``torch.max``, a module used twice) it does not see, and what it gives then are no SHAP values: such a network is refused.

    The values of a clip should sum to f(x) - E f(b). How far they miss is in ``info``: ``"difference"`` is f(x) - E f(b)
    and ``"additivity_gap"`` is |sum - difference| / |difference|, NaN where |difference| does not exceed 0.1 logits. A gap
    above 1e-3 is a warning too.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`; ReLU and pooling must be modules, each used once.
        background: features ``(B, 1, F, T)`` of the sounds to compare with, as long as the clips that are explained:
            a sample of the training clips, say. It is given, never guessed.
        batch: background clips explained at once; a matter of memory and of rounding, not of meaning.
        strict: whether to refuse a network that the explainer cannot see through; the gap tells then what is lost.

    Raises:
        ModelError: the explainer cannot see through the network; what hides, and where, is named.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(4, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> attribution = SHAP(linear, background)(clip, target=0)
    >>> bool(torch.allclose(attribution.values.flatten(), linear[1].weight[0], atol=1e-6))
    True
    """

    name = "shap"
    needs_background = True

    def __init__(self, network: nn.Module, background: Tensor, batch: int = 10, *, strict: bool = True) -> None:
        super().__init__(network)
        check_background(background)
        if batch < 1:
            raise ArgumentError(f"batch={batch} must be at least 1")
        self.background = background
        self.batch: int = batch
        if strict:
            _refuse_what_hides(network, background)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        import shap  # takes seconds and pulls in plotting: only who asks for SHAP pays

        if db.shape[1:] != self.background.shape[1:]:
            raise ArgumentError(
                f"the clip {tuple(db.shape[1:])} and the background {tuple(self.background.shape[1:])} differ in shape"
            )
        score.settle(db)
        values = torch.zeros_like(db)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "unrecognized nn.Module")  # refused already, or shown by the gap
            expected = self._add_up(shap, score, db, values)
        return self._checked(score, values, expected)

    def _add_up(self, shap: Any, score: Score, db: Tensor, values: Tensor) -> Tensor:
        """Add each background clip's share to the values; the expected score of the background, ``(N,)``."""
        expected = torch.zeros(len(db), device=db.device, dtype=db.dtype)
        for background in self.background.to(db).split(self.batch):
            share = len(background) / len(self.background)
            column = _Column(score.of(0))
            explainer = shap.DeepExplainer(column, background)
            with torch.no_grad():
                logits = self.network(background)
            for number in range(len(db)):
                column.score = score.of(number)
                expected[number] += share * column.score.chosen(logits).mean()
                # Not left unchecked: shap's check raises at a bound of its own, which would lose the clip; _checked measures
                # the same gap for every clip, keeps it in info and in the rows, and warns.
                phi = explainer.shap_values(db[number : number + 1], check_additivity=False)
                values[number] += share * torch.from_numpy(phi)[0, ..., 0].to(db)
        return expected

    def _checked(self, score: Score, values: Tensor, expected: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """The values, and how far they miss what they should add up to."""
        difference = score.chosen(score.logits) - expected
        difference = difference.cpu()  # not every device knows float64
        missed = (values.flatten(1).cpu().double().sum(1) - difference).abs() / difference.abs()
        gap = torch.where(difference.abs() > MEANINGFUL, missed, torch.nan)
        if (gap > TOLERATED).any():
            warnings.warn(
                f"SHAP misses {float(gap.nan_to_num().max()):.0%} of the logit's difference: it does not see all of the "
                f"network. Make ReLU and pooling modules, each used once",
                stacklevel=5,
            )
        return values, {"additivity_gap": gap, "difference": difference}


class _Column(nn.Module):
    """A score as the network's only output ``(N, 1)``, so that shap computes no others."""

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(self, db: Tensor) -> Tensor:
        column: Tensor = self.score(db)[:, None]
        return column


def _refuse_what_hides(network: nn.Module, background: Tensor) -> None:
    from shap.explainers._deep.deep_pytorch import op_handler

    own = next(network.parameters(), background)
    with untouched(network):
        try:
            found = hidden_operations(network, background[:1].to(own), set(op_handler))
        except (RuntimeError, ArgumentError) as error:
            raise ArgumentError(f"the network cannot take the background {tuple(background.shape)}: {error}") from error
    if found:
        raise ModelError(
            f"SHAP cannot see through this network: {'; '.join(found)}. Make each ReLU, maximum and pooling a module that "
            f"shap knows (nn.ReLU, nn.MaxPool1d, …; windows side by side) and that forward uses once, or take "
            f"gradient_shap or integrated_gradients, which need none of this"
        )
