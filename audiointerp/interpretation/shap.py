"""SHAP values by DeepLIFT's rescale rule over a background (Lundberg and Lee, NeurIPS 2017)."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from .base import Explainer, check_background
from .hidden import hidden_operations
from .preserve import preserve_state
from .score import Score

SMALLEST_DIFFERENCE = 0.1
"""Logits; the relative error of a smaller difference means nothing."""
LARGEST_GAP = 1e-3
"""A larger additivity gap gives a warning."""


class SHAP(Explainer):
    """What each bin adds to the logit, relative to the mean over a background (DeepExplainer).

    shap replaces the gradients of the modules that it knows. It does not see nonlinear operations
    outside of them (``torch.relu``, ``torch.max``, a module used twice), and its values would then
    not be SHAP values, so such a network is refused.

    The values of a clip should sum to f(x) - E f(b). ``info["difference"]`` is that difference, and
    ``info["additivity_gap"]`` is |sum - difference| / |difference|, NaN where |difference| is at
    most 0.1 logits. A gap above 1e-3 also gives a warning.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`; each ReLU and pooling must be a
            module that is used once.
        background: features ``(B, 1, F, T)`` to compare with, e.g. of some training clips; as long
            as the clips to explain.
        batch: background clips explained at once; it affects memory and rounding only.
        strict: whether to refuse a network that shap cannot see through; if not, the gap shows how
            much is missed.

    Raises:
        ArgumentError: the background is not usable, or ``batch`` is below 1.
        ModelError: shap cannot see through the network; the message names the operations.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(4, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> attribution = SHAP(linear, background)(clip, target=0)
    >>> bool(torch.allclose(attribution.values.flatten(), linear[1].weight[0], atol=1e-6))
    True
    """

    name = "shap"
    needs_background = True

    def __init__(
        self, network: nn.Module, background: Tensor, batch: int = 10, *, strict: bool = True
    ) -> None:
        super().__init__(network)
        check_background(background)
        if batch < 1:
            raise ArgumentError(f"batch={batch} must be at least 1")
        self.background = background
        self.batch: int = batch
        if strict:
            _refuse_hidden_operations(network, background)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        # The import takes seconds (it loads plotting libraries), so it happens only when needed.
        import shap

        if db.shape[1:] != self.background.shape[1:]:
            raise ArgumentError(
                f"the clip {tuple(db.shape[1:])} and the background "
                f"{tuple(self.background.shape[1:])} differ in shape"
            )
        score.settle(db)
        values = torch.zeros_like(db)
        with warnings.catch_warnings():
            # Such modules have been refused already, or the gap shows what they cost.
            warnings.filterwarnings("ignore", "unrecognized nn.Module")
            expected = self._accumulate(shap, score, db, values)
        return self._measure_gap(score, values, expected)

    def _accumulate(self, shap: Any, score: Score, db: Tensor, values: Tensor) -> Tensor:
        """Add each background clip's share to ``values``; return the expected score ``(N,)``."""
        expected = torch.zeros(len(db), device=db.device, dtype=db.dtype)
        for background in self.background.to(db).split(self.batch):
            share = len(background) / len(self.background)
            output = _SingleOutput(score.of(0))
            explainer = shap.DeepExplainer(output, background)
            with torch.no_grad():
                logits = self.network(background)
            for number in range(len(db)):
                output.score = score.of(number)
                expected[number] += share * output.score.chosen(logits).mean()
                # shap's own check raises at its own limit, which would lose the clip. _measure_gap
                # checks the same sum for every clip, records the gap and warns.
                phi = explainer.shap_values(db[number : number + 1], check_additivity=False)
                values[number] += share * torch.from_numpy(phi)[0, ..., 0].to(db)
        return expected

    def _measure_gap(
        self, score: Score, values: Tensor, expected: Tensor
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the values, and how far their sum misses the difference that they explain."""
        # On the CPU, since not every device has float64.
        difference = (score.chosen(score.logits) - expected).cpu()
        total = values.flatten(1).cpu().double().sum(1)
        error = (total - difference).abs() / difference.abs()
        gap = torch.where(difference.abs() > SMALLEST_DIFFERENCE, error, torch.nan)
        if (gap > LARGEST_GAP).any():
            warnings.warn(
                f"SHAP misses {float(gap.nan_to_num().max()):.0%} of the logit's difference, since "
                f"it does not see all of the network; make each ReLU and pooling a module that is "
                f"used once",
                stacklevel=5,
            )
        return values, {"additivity_gap": gap, "difference": difference}


class _SingleOutput(nn.Module):
    """The score as the only output ``(N, 1)`` of a network, so that shap computes no other."""

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def forward(self, db: Tensor) -> Tensor:
        column: Tensor = self.score(db)[:, None]
        return column


def _refuse_hidden_operations(network: nn.Module, background: Tensor) -> None:
    from shap.explainers._deep.deep_pytorch import op_handler

    like = next(network.parameters(), background)
    with preserve_state(network):
        try:
            hidden = hidden_operations(network, background[:1].to(like), set(op_handler))
        except (RuntimeError, ArgumentError) as error:
            raise ArgumentError(
                f"the network cannot take the background {tuple(background.shape)}: {error}"
            ) from error
    if hidden:
        raise ModelError(
            f"SHAP cannot see through this network: {'; '.join(hidden)}. Make each ReLU, maximum "
            f"and pooling a module that shap knows (nn.ReLU, nn.MaxPool1d, …; windows without "
            f"overlap) and that forward uses once, or use gradient_shap or integrated_gradients, "
            f"which do not need this"
        )
