"""Random attributions: the baseline that every method must beat."""

from typing import Any

import torch
from torch import Tensor, nn

from .base import Explainer, seed_of
from .score import Score


class Random(Explainer):
    """Standard normal values, independent for each bin.

    They depend only on the seed and the clip's features, so a clip gets the same values in any
    order and in any batch.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        seed: another seed gives other values.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> clip = torch.ones(1, 1, 2, 3)
    >>> bool((Random(network)(clip).values == Random(network)(clip).values).all())
    True
    """

    name = "random"
    black_box = True
    # Weighted by what the windows contribute, the values would know where the class is.
    explains = "nothing"

    def __init__(self, network: nn.Module, seed: int = 0) -> None:
        super().__init__(network)
        self.seed = seed

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        score.settle(db)
        return torch.stack([self._draw(clip) for clip in db.cpu()]).to(db), {}

    def _draw(self, clip: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(clip, self.seed))
        return torch.randn(clip.shape, generator=generator, dtype=clip.dtype)
