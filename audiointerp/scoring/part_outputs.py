"""The network's outputs for the distinct parts of a clip, and what the parts hold of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import choose
from ..model import Classifier, clip_log_probabilities, windows_of
from ..processing import Spectrogram
from ..util import halve_on_oom
from .content import analysed, heard_shares
from .embeddings import embeddings_of, pooled
from .out_of_distribution import OutOfDistribution

ON = ("features", "audio")
"""What is scored: the masked features, or the features of the audio made from them."""
BATCH = 16
"""Versions of a clip per forward."""

Batches = Callable[[int], Iterable[Spectrogram]]
"""A function from a batch size to a clip's distinct parts in batches of that size."""


@dataclass(frozen=True, eq=False)
class PartOutputs:
    """The outputs for K parts of a clip.

    Attributes:
        log_p, log_not_p: log p and log(1 - p) of each class, ``(K, C)``.
        audible_shares: the share of the clip's audible bins that come back in the part, ``(K,)``.
        distances: how far the part lies from the training clips, see
            :mod:`~audiointerp.scoring.out_of_distribution`, ``(K,)``; None without a reference.

    >>> outputs = PartOutputs(torch.zeros(2, 3), torch.zeros(2, 3), torch.tensor([1.0, 0.5]))
    >>> outputs[torch.tensor([1])].audible_shares
    tensor([0.5000])
    """

    log_p: Tensor
    log_not_p: Tensor
    audible_shares: Tensor
    distances: Tensor | None = None

    def __getitem__(self, parts: Tensor) -> "PartOutputs":
        distances = None if self.distances is None else self.distances[parts]
        return PartOutputs(
            self.log_p[parts], self.log_not_p[parts], self.audible_shares[parts], distances
        )


def part_outputs(
    classifier: Classifier,
    spectrogram: Spectrogram,
    batches: Batches,
    on: str,
    reference: OutOfDistribution | None = None,
) -> tuple[PartOutputs, int]:
    """Classify the parts of a clip in batches, which are halved after out-of-memory.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        batches: its parts.
        on: a name in :data:`ON`.
        reference: what the parts' embeddings are compared with, if they are.

    Returns:
        The outputs, and the size of the batches.

    Raises:
        ArgumentError: ``on`` is unknown.

    Example: see :func:`~audiointerp.scoring.outcomes.classify_parts`.
    """
    choose("on", on, ON)

    def of_batches(size: int) -> list[PartOutputs]:
        return [_outputs(classifier, spectrogram, part, on, reference) for part in batches(size)]

    outputs, batch = halve_on_oom(of_batches, BATCH)
    distances = [part.distances for part in outputs if part.distances is not None]
    joined = PartOutputs(
        torch.cat([part.log_p for part in outputs]),
        torch.cat([part.log_not_p for part in outputs]),
        torch.cat([part.audible_shares for part in outputs]),
        torch.cat(distances) if distances else None,
    )
    return joined, batch


def _outputs(
    classifier: Classifier,
    spectrogram: Spectrogram,
    part: Spectrogram,
    on: str,
    reference: OutOfDistribution | None,
) -> PartOutputs:
    scored = analysed(part, on)
    shares = heard_shares(spectrogram.db, scored.db)
    # A model of sounds gets the sound of the part itself.
    given = part if classifier.takes_sounds else scored
    if reference is None:
        return PartOutputs(*clip_log_probabilities(classifier, given, allow_nan=True), shares)
    with embeddings_of(classifier.network) as embeddings:
        logs = clip_log_probabilities(classifier, given, allow_nan=True)
    embedding = pooled(embeddings, windows_of(classifier, given).weights, len(shares))
    ratios = (
        torch.full_like(shares, torch.nan) if embedding is None else reference.ratios(embedding)
    )
    return PartOutputs(*logs, shares, ratios)
