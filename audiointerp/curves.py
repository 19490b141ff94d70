"""Deletion and insertion: how the probability falls, and rises, as the bins go by their attribution."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ArgumentError
from .explain import outcomes
from .interpretation.masks import top
from .model import Classifier
from .processing import Spectrogram

STEPS = 20


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of the explained class while bins are deleted from the clip, or inserted into silence.

    Attributes:
        shares: ``(S + 1,)``, the share of the bins that went first, from 0 to 1: those of the largest attribution.
        deletion: ``(S + 1,)``, p of what is left of the clip.
        insertion: ``(S + 1,)``, p of what has come into silence.
    """

    shares: Tensor
    deletion: Tensor
    insertion: Tensor

    @property
    def deletion_area(self) -> float:
        """The area under the deletion curve, in [0, 1]; low is good."""
        return float(torch.trapezoid(self.deletion, self.shares))

    @property
    def insertion_area(self) -> float:
        """The area under the insertion curve, in [0, 1]; high is good."""
        return float(torch.trapezoid(self.insertion, self.shares))

    def __repr__(self) -> str:
        return f"Curves(deletion area {self.deletion_area:.3f}, insertion area {self.insertion_area:.3f})"


def curves(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    values: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    steps: int = STEPS,
) -> Curves:
    """Deletion and insertion of one clip (Petsiuk, Das and Saenko, BMVC 2018), with silence as the empty clip.

    The k-th of ``steps`` equal parts is the bins of the k-th largest attributions, exactly as many; ties fall by a seeded
    permutation, as in the top-k masks.

    Args:
        classifier: what decides.
        spectrogram: of one clip.
        target: the explained class, ``attribution.target``.
        values: the attribution ``(1, 1, F, T)``, ``attribution.values``.
        against: the class that it was explained against, ``attribution.against``.
        on: see :func:`~audiointerp.explain.outcomes`.
        steps: S, the number of parts.
    """
    if steps < 1:
        raise ArgumentError(f"steps={steps} must be at least 1")
    shares = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    masks = torch.cat([top(values, share) for share in shares.tolist()])
    heard = outcomes(classifier, spectrogram, target, masks, against=against, on=on)
    _, kept, removed = heard.probs[..., heard.target]
    return Curves(shares, removed, kept)
