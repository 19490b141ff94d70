"""Kernel SHAP (Lundberg and Lee, NeurIPS 2017) over the segments of a spectrogram."""

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError, choose
from ..util import Progress
from .base import Explainer, seed_of
from .calls import show_calls
from .coalitions import values_of_sets, weighted_fit
from .score import Score
from .segments import FILLINGS, SEGMENTS, segmented

BATCH = 32
"""Versions of a clip that are made at a time."""
END_WEIGHT = 1e6
"""The weight of the whole clip and of the empty set, as in captum; all others have 1."""


class KernelSHAP(Explainer):
    """Shapley values of segments, by weighted regression over random sets of segments.

    Each bin carries the value of its segment (Lundberg and Lee, NeurIPS 2017). The draws and the
    weights are those of ``captum.attr.KernelShap`` at the same seed. The regression is in float64:
    in float32, as captum's, the weights of a million leave errors of up to 0.5 % of the largest
    value.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        segments: see :class:`~audiointerp.interpretation.LIME`.
        fill: replaces a segment that is left out, see :class:`~audiointerp.interpretation.LIME`.
        samples: the number of sets; by default five for each segment and at least 500.
        seed: of the sets, together with the clip's features.
        progress: whether to show a progress bar, by default on a terminal or in a notebook; or a
            function of (calls done, total).

    Raises:
        ArgumentError: when called: the clip has one segment, or too many for ``samples``.

    >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(160, 2))
    >>> KernelSHAP(linear, samples=20)(torch.ones(1, 1, 8, 20)).values.unique().numel()
    2
    """

    name = "kernel_shap"
    uses_layers = False
    black_box = True

    def __init__(
        self,
        network: nn.Module,
        segments: str = "grid",
        fill: str = "silence",
        samples: int | None = None,
        seed: int = 0,
        progress: Progress = None,
    ) -> None:
        super().__init__(network)
        self.batch: int = BATCH
        self.segments = choose("segments", segments, SEGMENTS)
        self.fill = choose("fill", fill, FILLINGS)
        self.samples, self.seed = samples, seed
        self.progress = progress

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        values = [
            self._explain_clip(score.of(number), db[number, None]) for number in range(len(db))
        ]
        return torch.cat(values), {}

    def _explain_clip(self, score: Score, db: Tensor) -> Tensor:
        segments = segmented(db, self.segments, self.seed)
        count = int(segments.max()) + 1
        if count == 1:
            raise ArgumentError(
                f"kernel_shap needs at least two segments, but {self.segments} makes only one of "
                f"this clip"
            )
        samples = _number_of_samples(self.samples, count)
        kept = _draw_sets(count, samples, seed_of(db, self.seed))
        with show_calls(self.name, samples, self.progress) as advance:
            values = values_of_sets(
                score.of_versions, db, segments, self.fill, kept, self.batch, advance
            )
        is_end = kept.all(1) | ~kept.any(1)
        weights = torch.ones(samples).masked_fill(is_end, END_WEIGHT)
        coefficients, _ = weighted_fit(kept, values, weights)
        return coefficients[segments.cpu()].to(db)


def _number_of_samples(samples: int | None, segments: int) -> int:
    if samples is None:
        return max(500, 5 * segments)
    if samples < 2 * segments:
        raise ArgumentError(
            f"samples={samples} cannot tell {segments} segments apart; kernel_shap needs at least "
            f"twice as many samples as segments"
        )
    return samples


def _draw_sets(segments: int, samples: int, seed: int) -> Tensor:
    """Return which segments each set keeps, ``(samples, segments)`` bool.

    The first two sets keep all and none. The others have k segments with a probability in
    proportion to 1 / (k (segments - k)), and all sets of k are equally likely.
    """
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.arange(segments, dtype=torch.float)
    odds = (1 / (sizes * (segments - sizes))).nan_to_num(posinf=0.0)
    odds[0] = 0.0
    # One set after the other, in captum's order, so that a seed gives the same sets as before.
    counts = torch.zeros(samples, 1, dtype=torch.long)
    numbers = torch.zeros(samples, segments)
    for number in range(2, samples):
        counts[number] = torch.multinomial(odds, 1, generator=generator)
        numbers[number] = torch.randn(segments, generator=generator)
    # A set of k has the k segments with the largest numbers.
    ranks = numbers.argsort(1, descending=True).argsort(1)
    kept = ranks < counts
    kept[0], kept[1] = True, False
    return kept
