"""LIME (Ribeiro, Singh and Guestrin, KDD 2016)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import Progress, whole_number
from .base import Explainer
from .calls import show_calls
from .coalitions import values_of_sets, weighted_fit
from .score import Score
from .segments import FILLINGS, SEGMENTS, segmented

KERNEL_WIDTH = 0.25
RIDGE = 1.0


class LIME(Explainer):
    """A linear model of the explained probability over random sets of segments.

    Each bin carries the coefficient of its segment. This is the lime package's image explainer,
    batched on the network's device: each draw keeps every segment with probability 1/2 and fills
    the others; a draw is weighted by exp(-d² / (2 · 0.25²)), where d is its cosine distance from
    the whole clip; the linear model is a ridge regression with penalty 1.

    ``info["surrogate_r2"]`` is the weighted R² of that model on its own draws, at most 1. Noise
    alone would give about segments / samples; a value near that means that the coefficients say
    little.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        segments: ``"quickshift"`` as published, ``"slic"`` or ``"grid"``.
        fill: replaces a segment that is left out: ``"segment_mean"`` as published, ``"silence"`` or
            ``"mean"``.
        samples: the number of draws; the whole clip is one of them.
        seed: of the draws, the same for every clip; 12345 as published.
        batch: draws that are made at a time; it affects memory and rounding only.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: an argument is unknown or out of range.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> LIME(linear, "grid", "silence", samples=50)(torch.rand(2, 1, 2, 3)).values.shape
    torch.Size([2, 1, 2, 3])
    """

    name = "lime"
    uses_layers = False
    black_box = True
    explains = "probability"

    def __init__(
        self,
        network: nn.Module,
        segments: str = "quickshift",
        fill: str = "segment_mean",
        samples: int = 1000,
        seed: int = 12345,
        batch: int = 16,
        progress: Progress = None,
    ) -> None:
        super().__init__(network)
        self.segments = choose("segments", segments, SEGMENTS)
        self.fill = choose("fill", fill, FILLINGS)
        self.samples = whole_number("samples", samples, least=2)
        self.seed = whole_number("seed", seed, least=0)
        self.batch: int = whole_number("batch", batch, least=1)
        self.progress = progress

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        parts = [
            self._explain_clip(score.of(number), db[number, None]) for number in range(len(db))
        ]
        values, fits, counts = zip(*parts, strict=True)
        info = {"surrogate_r2": torch.stack(fits), "segments": torch.tensor(counts)}
        return torch.cat(values), info

    def _explain_clip(self, score: Score, db: Tensor) -> tuple[Tensor, Tensor, int]:
        """Return the values of one clip, the fit, and the number of segments."""
        random = np.random.RandomState(self.seed)
        segments = segmented(db, self.segments, int(random.randint(0, 1000)))
        count = int(segments.max()) + 1
        if self.samples < 2 * count:
            raise ArgumentError(
                f"samples={self.samples} cannot tell {count} segments apart; "
                f"LIME needs at least twice as many samples as segments"
            )
        draws = random.randint(0, 2, (self.samples, count))
        draws[0] = 1
        kept = torch.from_numpy(draws).bool()
        with show_calls(self.name, self.samples, self.progress) as advance:
            probability = values_of_sets(
                score.probability, db, segments, self.fill, kept, self.batch, advance
            )
        coefficients, fit = weighted_fit(kept, probability, _weights(kept), RIDGE)
        return coefficients[segments.cpu()].to(db), fit.to(db), count


def _weights(kept: Tensor) -> Tensor:
    """Weight each draw by its cosine distance from the whole clip."""
    distance = 1 - kept.double().mean(1).sqrt()
    return (-(distance**2) / KERNEL_WIDTH**2).exp().sqrt()
