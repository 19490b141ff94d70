"""LIME (Ribeiro, Singh and Guestrin, KDD 2016)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from .base import Explainer, Score
from .segments import FILLINGS, SEGMENTS, filling, segmented

KERNEL_WIDTH = 0.25
RIDGE = 1.0


class LIME(Explainer):
    """A linear model of the explained probability over random sets of segments; a bin carries its segment's coefficient.

    The lime package's image explainer, batched on the network's device: each draw keeps every segment with probability
    one half and fills the others; draws count by exp(-d² / (2 · 0.25²)) of their cosine distance d from the whole clip;
    the linear model is a ridge regression with penalty 1. How well it fits is in ``info["surrogate_r2"]``: the weighted
    coefficient of determination on the draws themselves, 1 at best. Of pure noise it would be about segments / samples; where
    it is not far above that, the coefficients say little.

    Args:
        network: see :class:`~audiointerp.interpretation.base.Explainer`.
        segments: ``"quickshift"`` as published, ``"slic"`` or ``"grid"``.
        fill: what a left-out segment becomes: ``"segment_mean"`` as published, ``"silence"`` or ``"mean"``.
        samples: draws, the whole clip among them.
        seed: of the draws, the same for every clip; as published 12345.
        batch: draws in one forward; a matter of memory and of rounding.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> LIME(linear, "grid", "silence", samples=50)(torch.rand(2, 1, 2, 3)).values.shape
    torch.Size([2, 1, 2, 3])
    """

    name = "lime"

    def __init__(
        self,
        network: nn.Module,
        segments: str = "quickshift",
        fill: str = "segment_mean",
        samples: int = 1000,
        seed: int = 12345,
        batch: int = 16,
    ) -> None:
        super().__init__(network)
        self.segments = choose("segments", segments, SEGMENTS)
        self.fill = choose("fill", fill, FILLINGS)
        if (
            not all(isinstance(number, int) for number in (samples, seed, batch))
            or min(samples - 1, seed + 1, batch) < 1
        ):
            raise ArgumentError(
                f"samples={samples!r}, seed={seed!r}, batch={batch!r}: whole numbers, at least 2, 0 and 1"
            )
        self.samples, self.seed = samples, seed
        self.batch: int = batch

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        parts = [self._one(score.of(number), clip[None]) for number, clip in enumerate(db)]
        values, fits, counts = zip(*parts, strict=True)
        return torch.cat(values), {"surrogate_r2": torch.stack(fits), "segments": torch.tensor(counts)}

    def _one(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor, int]:
        random = np.random.RandomState(self.seed)
        where = segmented(db, self.segments, int(random.randint(0, 1000)))
        count = int(where.max()) + 1
        if self.samples < 2 * count:
            raise ArgumentError(f"samples={self.samples} cannot tell {count} segments apart; LIME needs twice as many")
        drawn = random.randint(0, 2, (self.samples, count))
        drawn[0] = 1
        kept = torch.from_numpy(drawn)
        probability = self._probabilities(score, db, where, kept.to(db.device))
        coefficients, fit = _ridge(kept.double(), probability.cpu().double(), _weights(kept))
        return coefficients[where.cpu()].to(db), fit.to(db), count

    @torch.no_grad()
    def _probabilities(self, score: Score, db: Tensor, where: Tensor, kept: Tensor) -> Tensor:
        fill = filling(db, where, self.fill)
        batches = kept.bool().split(self.batch)
        return torch.cat([score.probability(torch.where(sets[:, where[0, 0]][:, None], db, fill)) for sets in batches])


def _weights(kept: Tensor) -> Tensor:
    """How much each draw counts, by its cosine distance from the whole clip."""
    distance = 1 - kept.double().mean(1).sqrt()
    return (-(distance**2) / KERNEL_WIDTH**2).exp().sqrt()


def _ridge(x: Tensor, y: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients of a weighted ridge regression with a free intercept, and its weighted coefficient of determination."""
    share = weights / weights.sum()
    x, y = x - share @ x, y - share @ y
    weighted = x.T * weights
    coefficients = torch.linalg.solve(weighted @ x + RIDGE * torch.eye(x.shape[1]).to(x), weighted @ y)
    missed = share @ (y - x @ coefficients).square()
    spread = share @ y.square()
    return coefficients, torch.where(spread > 0, 1 - missed / spread, torch.nan)
