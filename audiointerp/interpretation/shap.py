"""SHAP values by DeepLIFT's rescale rule over a background (Lundberg and Lee, NeurIPS 2017)."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from .base import Explainer, Score

MEANINGFUL = 0.1
"""Logits; a relative miss of a smaller difference says nothing."""
TOLERATED = 1e-3
"""A larger additivity gap is a warning."""


class SHAP(Explainer):
    """What each bin adds to the logit, against what the network gives on average over a background: shap's DeepExplainer.

    The values of a clip should sum to f(x) - E f(b). How far they miss is in ``info``: ``"difference"`` is f(x) - E f(b)
    and ``"additivity_gap"`` is |sum - difference| / |difference|, NaN where |difference| does not exceed 0.1
    logits. A gap above 1e-3, which is a warning too, says that the explainer did not see all of the network (functional
    ReLU or pooling, a module used twice) and that these are no SHAP values.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`; ReLU and pooling must be modules, each used once.
        background: features ``(B, 1, F, T)`` of the sounds to compare with, as long as the clips that are explained:
            a sample of the training clips, say. It is given, never guessed.
        chunk: background clips explained at once; a matter of memory and of rounding, not of meaning.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> background, clip = torch.zeros(4, 1, 2, 3), torch.ones(1, 1, 2, 3)
    >>> attribution = SHAP(linear, background)(clip, target=0)
    >>> bool(torch.allclose(attribution.values.flatten(), linear[1].weight[0], atol=1e-6))
    True
    """

    name = "shap"

    def __init__(self, network: nn.Module, background: Tensor, chunk: int = 10) -> None:
        super().__init__(network)
        if background.ndim != 4 or background.shape[1] != 1 or not len(background):
            raise ArgumentError(f"a background is features (B, 1, F, T) of B clips, not {tuple(background.shape)}")
        if not background.isfinite().all() or chunk < 1:
            raise ArgumentError(f"the background must be finite, and chunk={chunk} at least 1")
        self.background = background
        self.chunk = chunk

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        import shap  # takes seconds and pulls in plotting: only who asks for SHAP pays

        if db.shape[1:] != self.background.shape[1:]:
            raise ArgumentError(
                f"the clip {tuple(db.shape[1:])} and the background {tuple(self.background.shape[1:])} differ in shape"
            )
        score.settle(db)
        values = torch.zeros_like(db)
        expected = torch.zeros(len(db), device=db.device, dtype=db.dtype)
        for background in self.background.to(db).split(self.chunk):
            share = len(background) / len(self.background)
            logit = _OneLogit(self.network)
            explainer = shap.DeepExplainer(logit, background)
            with torch.no_grad():
                expected += share * self.network(background).mean(0)[score.target]
            for number, target in enumerate(score.target.tolist()):
                logit.target = target
                # shap's own check compares with one expected value for one class; the gap below is exact, and kept.
                phi = explainer.shap_values(db[number : number + 1], check_additivity=False)
                values[number] += share * torch.from_numpy(phi)[0, ..., 0].to(db)
        difference = score.logits.gather(1, score.target[:, None])[:, 0] - expected
        missed = (values.flatten(1).double().sum(1) - difference).abs() / difference.abs()
        gap = torch.where(difference.abs() > MEANINGFUL, missed, torch.nan)
        if (gap > TOLERATED).any():
            warnings.warn(
                f"SHAP misses {float(gap.nan_to_num().max()):.0%} of the logit's difference: it does not see all of the "
                f"network. Make ReLU and pooling modules, each used once",
                stacklevel=4,
            )
        return values, {"additivity_gap": gap, "difference": difference}


class _OneLogit(nn.Module):
    """The network with one logit as its output ``(N, 1)``, so that shap computes no others."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.target = 0

    def forward(self, db: Tensor) -> Tensor:
        logits: Tensor = self.network(db)
        return logits[:, self.target : self.target + 1]
