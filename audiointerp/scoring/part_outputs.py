"""The network's outputs for the parts of one clip, whatever method made the masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from ..errors import choose
from ..model import Classifier, version_log_probabilities, windows_of
from ..processing import MaskedParts, Spectrogram, check_mask, levels_of_sounds
from ..util import halve_on_oom
from .content import heard_shares
from .embeddings import embeddings_of, pooled
from .out_of_distribution import OutOfDistribution

ON = ("features", "audio")
"""What is scored: the masked features, or the features of the audio made from them."""
BATCH = 16
"""Versions of a clip that are made at a time: the kept and removed parts of half as many masks.

A forward pass takes them all, or fewer, see :mod:`~audiointerp.util.batches`."""
GPU_BATCH = 512
"""The same on a GPU, which small batches leave idle."""


@dataclass(frozen=True, eq=False)
class PartOutputs:
    """The outputs for K parts of a clip.

    Attributes:
        log_p, log_not_p: log p and log(1 - p) of each class, ``(K, C)``.
        audible_shares: the share of the clip's audible bins that come back in the part, ``(K,)``;
            NaN for removed parts.
        distances: how far the part lies from the training clips, see
            :mod:`~audiointerp.scoring.out_of_distribution`, ``(K,)``; NaN without a reference.

    >>> outputs = PartOutputs(*torch.zeros(2, 2, 3), *torch.tensor([[1.0, 0.5], [1.0, 2.0]]))
    >>> outputs[torch.tensor([1])].audible_shares
    tensor([0.5000])
    """

    log_p: Tensor
    log_not_p: Tensor
    audible_shares: Tensor
    distances: Tensor

    def __getitem__(self, parts: Tensor | slice) -> "PartOutputs":
        return PartOutputs(
            self.log_p[parts],
            self.log_not_p[parts],
            self.audible_shares[parts],
            self.distances[parts],
        )

    @staticmethod
    def join(outputs: Sequence["PartOutputs"]) -> "PartOutputs":
        """Return the outputs of several groups of parts in a row."""
        return PartOutputs(
            torch.cat([part.log_p for part in outputs]),
            torch.cat([part.log_not_p for part in outputs]),
            torch.cat([part.audible_shares for part in outputs]),
            torch.cat([part.distances for part in outputs]),
        )


@dataclass(frozen=True, eq=False)
class ClipParts:
    """Classifies a clip and its parts under masks; what methods share is computed once.

    The clean clip, and the clip of which nothing is kept, are forwards of their own: they do not
    depend on the masks, so they are the same for all methods, masks and nulls. The kept and the
    removed parts of the distinct other masks fill the batches, in an order that depends on these
    masks only.

    Attributes:
        classifier: the classifier.
        spectrogram: the clip.
        reference: what the parts' embeddings are compared with, if they are.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> parts = ClipParts(classifier, classifier.transform(torch.randn(1, 1, 32000)))
    >>> outputs, batch = parts.outputs(torch.rand(3, 1, 64, 101).round())
    >>> outputs.log_p.shape, batch
    (torch.Size([7, 2]), 16)
    """

    classifier: Classifier
    spectrogram: Spectrogram
    reference: OutOfDistribution | None = None
    _by_fill: dict[str, MaskedParts] = field(default_factory=dict, init=False, repr=False)
    _ends: dict[tuple[str, ...], PartOutputs] = field(default_factory=dict, init=False, repr=False)

    def filled_with(self, fill: str) -> MaskedParts:
        """Return what makes the parts with a fill.

        Raises:
            ArgumentError: the fill is unknown.
        """
        if fill not in self._by_fill:
            self._by_fill[fill] = MaskedParts(self.spectrogram, fill)
        return self._by_fill[fill]

    def clean(self, on: str) -> PartOutputs:
        """Return the outputs of the clean clip, one row.

        Raises:
            ArgumentError: ``on`` is unknown.
        """
        key = (choose("on", on, ON),)
        if key not in self._ends:
            self._ends[key] = self._end(1.0, on, "silence")
        return self._ends[key]

    def empty(self, on: str, fill: str) -> PartOutputs:
        """Return the outputs of the clip of which nothing is kept, one row.

        Raises:
            ArgumentError: ``on`` or ``fill`` is unknown.
        """
        key = (choose("on", on, ON), fill)
        if key not in self._ends:
            self._ends[key] = self._end(0.0, on, fill)
        return self._ends[key]

    def outputs(
        self, masks: Tensor, on: str = "features", fill: str = "silence"
    ) -> tuple[PartOutputs, int]:
        """Classify the clean clip, and its kept and removed parts under M masks.

        Args:
            masks: ``(M, 1, F, T)`` in [0, 1].
            on: a name in :data:`ON`.
            fill: a name in :data:`~audiointerp.util.fills.FILLS`.

        Returns:
            The outputs of the clean clip, the M kept and the M removed parts, ``1 + 2 M`` rows;
            and the size of the batches, which are halved after out-of-memory.

        Raises:
            ArgumentError: ``on`` or ``fill`` is unknown, or a mask does not fit the clip.
        """
        masks = check_mask(self.spectrogram.db, masks)
        distinct, places = distinct_masks(masks)
        # The parts under a mask of ones or of zeros do not depend on the method.
        is_whole, is_empty = ((distinct == end).flatten(1).all(1) for end in (1, 0))
        is_other = ~(is_whole | is_empty)
        rows, batch = [self.clean(on)], batch_on(masks.device)
        if is_other.any():
            parts, batch = halve_on_oom(partial(self._batches, distinct[is_other], on, fill), batch)
            rows += parts
        if not is_other.all():
            rows.append(self.empty(on, fill))
        numbers, last = is_other.cumsum(0), 2 * is_other.sum() + 1
        kept = numbers.where(~is_empty, last).where(~is_whole, 0)
        removed = (numbers + is_other.sum()).where(~is_whole, last).where(~is_empty, 0)
        wanted = torch.cat([kept.new_zeros(1), kept[places], removed[places]])
        return PartOutputs.join(rows)[wanted.cpu()], batch

    def _batches(self, masks: Tensor, on: str, fill: str, size: int) -> list[PartOutputs]:
        """Classify the kept and the removed parts; return those of all kept ones first."""
        batches = [self._batch(part, on, fill, size) for part in masks.split(max(1, size // 2))]
        kept = [outputs[: len(outputs.log_p) // 2] for outputs in batches]
        removed = [outputs[len(outputs.log_p) // 2 :] for outputs in batches]
        return [*kept, *removed]

    def _batch(self, masks: Tensor, on: str, fill: str, size: int) -> PartOutputs:
        """Classify the kept parts under masks, then the removed parts."""
        return self._outputs(torch.cat([masks, 1 - masks]), len(masks), on, fill, size)

    def _end(self, share: float, on: str, fill: str) -> PartOutputs:
        """Classify the kept part under a mask of ones or of zeros."""
        return self._outputs(torch.full_like(self.spectrogram.db, share), 1, on, fill, BATCH)

    def _outputs(self, masks: Tensor, kept: int, on: str, fill: str, size: int) -> PartOutputs:
        """Classify the parts under masks, of which the first are kept parts."""
        parts, transform = self.filled_with(fill), self.spectrogram.transform
        if self.classifier.takes_sounds:
            given = parts.sounds(masks)
            kept_levels = (
                parts.levels(masks[:kept])
                if on == "features"
                else levels_of_sounds(transform, given[:kept])
            )
        else:
            given = parts.levels(masks) if on == "features" else parts.heard(masks)
            kept_levels = given[:kept]
        shares = torch.full((len(given),), torch.nan, dtype=torch.float64)
        shares[:kept] = heard_shares(self.spectrogram.db, kept_levels)
        forwards = [self._forward(versions) for versions in given.split(size)]
        log_p, log_not_p, distances = (torch.cat(each) for each in zip(*forwards, strict=True))
        return PartOutputs(log_p, log_not_p, shares, distances)

    def _forward(self, versions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log p, log(1 - p) and the distances of versions of the clip."""
        classifier, windows = self.classifier, windows_of(self.classifier, self.spectrogram)
        unknown = torch.full((len(versions),), torch.nan, dtype=torch.float64)
        if self.reference is None:
            return *version_log_probabilities(classifier, windows, versions), unknown
        with embeddings_of(classifier.network) as embeddings:
            logs = version_log_probabilities(classifier, windows, versions)
        embedding = pooled(embeddings, windows.weights, len(versions))
        return *logs, unknown if embedding is None else self.reference.ratios(embedding)


def batch_on(device: torch.device) -> int:
    """Return the versions of a clip that are made at a time on a device.

    >>> batch_on(torch.device("cpu"))
    16
    """
    return GPU_BATCH if device.type == "cuda" else BATCH


def distinct_masks(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks without repetitions, in the order of their first appearance.

    ``masks.unique(dim=0)`` sorts rows of a clip's length: on a GPU it took 60 % of the scoring.

    Args:
        masks: ``(M, 1, F, T)``.

    Returns:
        The D distinct masks, and the place of each of the M masks among them, ``(M,)``.

    >>> distinct, places = distinct_masks(torch.tensor([0.5, 1.0, 0.5]).view(3, 1, 1, 1))
    >>> distinct.flatten(), places
    (tensor([0.5000, 1.0000]), tensor([0, 1, 0]))
    """
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    places: list[int] = []
    # A cell of -0.0 becomes 0.0, since equal masks may have either.
    cells = (masks.detach().cpu() + 0.0).flatten(1)
    # Numpy has no bfloat16, but bytes of any number type.
    contents = cells.view(torch.uint8).numpy()
    for position, content in enumerate(contents):
        number = numbers.setdefault(content.tobytes(), len(numbers))
        if number == len(first):
            first.append(position)
        places.append(number)
    return masks[first], torch.tensor(places, device=masks.device)
