"""Deletion and insertion curves: the probability as bins are removed or added, best bins first."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ArgumentError
from ..interpretation import top_at_shares
from ..model import Classifier
from ..processing import Spectrogram
from ..util import whole_number
from .outcomes import classified
from .part_outputs import ClipParts

STEPS = 20


@dataclass(frozen=True, eq=False)
class Curves:
    """The probability of the explained class along the deletion and the insertion curve.

    Attributes:
        shares: ``(S + 1,)``, from 0 to 1: the share of the bins deleted or inserted so far, those
            with the largest attribution first.
        deletion: ``(S + 1,)``, p of the clip without these bins; NaN where the network's logits
            are not finite.
        insertion: ``(S + 1,)``, p of these bins alone, in the fill; NaN likewise.

    >>> falling, rising = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 1.0, 1.0])
    >>> result = Curves(torch.linspace(0, 1, 3), deletion=falling, insertion=rising)
    >>> result.deletion_area, result.insertion_area
    (0.5, 0.75)
    """

    shares: Tensor
    deletion: Tensor
    insertion: Tensor

    @property
    def deletion_area(self) -> float:
        """The area under the deletion curve, in [0, 1]; lower is better; NaN if one p is."""
        return float(torch.trapezoid(self.deletion, self.shares))

    @property
    def insertion_area(self) -> float:
        """The area under the insertion curve, in [0, 1]; higher is better; NaN if one p is."""
        return float(torch.trapezoid(self.insertion, self.shares))

    def __repr__(self) -> str:
        return (
            f"Curves(deletion area {self.deletion_area:.3f}, "
            f"insertion area {self.insertion_area:.3f})"
        )


def curves(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    values: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
    steps: int = STEPS,
) -> Curves:
    """Compute the deletion and insertion curves of one clip.

    Source: Petsiuk, Das and Saenko, "RISE", BMVC 2018. Step k of S covers the k / S bins with the
    largest attribution, exactly that many. Of equal bins, those of earlier frames come first, as in
    the top-k masks.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        target: the explained class ``(1,)``, e.g. ``attribution.target``.
        values: the attribution ``(1, 1, F, T)``, e.g. ``attribution.values``.
        against: the class it was explained against ``(1,)``, e.g. ``attribution.against``.
        on: ``"features"`` or ``"audio"``, see
            :func:`~audiointerp.scoring.outcomes.classify_parts`.
        fill: what the bins become that are deleted, or not yet inserted, see there.
        steps: S, the number of steps.

    Raises:
        ArgumentError: ``steps`` is no whole number from 1 on, there is no such class, or ``on``
            or ``fill`` is unknown.
        ModelError: the network does not return finite logits for the clean clip.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> result = curves(classifier, clip, torch.tensor([0]), clip.db, steps=4)
    >>> result.shares.tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    parts = ClipParts(classifier, spectrogram)
    return curves_of(parts, target, values, against=against, on=on, fill=fill, steps=steps)


def curves_of(
    parts: ClipParts,
    target: Tensor,
    values: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
    steps: int = STEPS,
) -> Curves:
    """Compute what :func:`curves` does of a clip whose parts are classified more than once.

    Args:
        parts: what classifies the parts of the clip.
        target, values, against, on, fill, steps: see :func:`curves`.

    Raises:
        ArgumentError: ``steps`` is no whole number from 1 on, there is no such class, or ``on``
            or ``fill`` is unknown.
        ModelError: the network does not return finite logits for the clean clip.

    Example: see :func:`curves`.
    """
    steps = whole_number("steps", steps, least=1)
    classes = len(parts.classifier.labels)
    if not 0 <= int(target) < classes:
        raise ArgumentError(f"target={int(target)}: the classes are 0 to {classes - 1}")
    shares = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    masks = top_at_shares(values, shares.tolist()).flatten(0, 1)
    outcomes = classified(parts, target, masks, against=against, on=on, fill=fill)
    _, kept, removed = outcomes.probs[..., outcomes.target]
    return Curves(shares, deletion=removed, insertion=kept)
