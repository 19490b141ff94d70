"""Classify a clip and its parts under masks, and score the outcome.

A clip is one spectrogram of any length. The network sees it in windows of the length that it was
trained on (:class:`~audiointerp.processing.windows.Windows`). The clip's probability is the mean
over the windows, weighted by the frames that each window owns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..errors import ModelError
from ..metrics import METRICS, Metric, evaluate
from ..model import Classifier
from ..processing import Spectrogram
from .content import energy_shares
from .decision import decide
from .out_of_distribution import OutOfDistribution
from .part_outputs import BATCH, ON, ClipParts

__all__ = ["BATCH", "ON", "Outcomes", "classify_each_part", "classify_parts", "mask_and_classify"]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The network's outputs for one clip, and for its kept and removed parts under M masks.

    Attributes:
        probs: ``(3, M, C')``: the probabilities of the clean clip, the kept and the removed parts.
            C' = C classes that compete, or 2 for a decision between two (multi-label, or one class
            against another).
        log_odds: ``(3, M)``, those of the explained class.
        target: the index of the explained class among the C'.
        batch: versions of the clip made at a time: :data:`BATCH`, or less after out-of-memory.
        content: of the kept part under each mask, ``(M,)`` by name: HEARD and ENERGY, see
            :mod:`~audiointerp.scoring.content`; with a reference also ``ood_in`` and ``ood_out``,
            see :mod:`~audiointerp.scoring.out_of_distribution`.
        faults: the part under each mask for which the network's logits are not finite, so that its
            values are NaN: ``"kept part"``, ``"removed part"``, or ``""`` if there is none. Empty
            if no mask has such a part.

    >>> probs = torch.tensor([[[0.25, 0.75]], [[0.25, 0.75]], [[0.5, 0.5]]])
    >>> outcomes = Outcomes(probs, log_odds=torch.zeros(3, 1), target=1, batch=16)
    >>> outcomes.scores(torch.ones(1, 1, 2, 2))["FF"].item()
    0.25
    """

    probs: Tensor
    log_odds: Tensor
    target: int
    batch: int
    content: Mapping[str, Tensor] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def fault(self, number: int) -> str:
        """Return what is wrong with the outcome under one mask; nothing if it can be scored."""
        part = self.faults[number] if self.faults else ""
        return part and f"the network returns NaN or infinite logits for the {part}"

    def scores(
        self, masks: Tensor, metrics: Mapping[str, Metric] = METRICS, start: int = 0
    ) -> dict[str, Tensor]:
        """Score ``masks``, which are those classified from number ``start`` on.

        Returns:
            The scores by name, with p, p_in, p_out, their log-odds and the content, each
            ``(len(masks),)``.
        """
        rows = slice(start, start + len(masks))
        clean, kept, removed = self.probs[:, rows]
        targets = torch.full((len(masks),), self.target)
        scores = evaluate(clean, kept, removed, targets, masks.cpu(), metrics)
        for suffix, probs, log_odds in zip(
            ("", "_in", "_out"), (clean, kept, removed), self.log_odds[:, rows], strict=True
        ):
            scores[f"p{suffix}"] = probs[:, self.target]
            scores[f"log_odds{suffix}"] = log_odds
        return scores | {name: values[rows] for name, values in self.content.items()}


def classify_parts(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    masks: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
    reference: OutOfDistribution | None = None,
) -> Outcomes:
    """Classify a clip and its kept and removed parts under masks; score them with the result.

    Equal masks are classified once, and a mask of ones gives exactly the clean clip's
    probabilities. Batches depend on the masks, the network and the number of threads only, so the
    same masks give the same bits. After out-of-memory the batch is halved, which changes a
    probability by at most 1e-5.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        target: the explained class ``(1,)``.
        masks: ``(M, 1, F, T)`` in [0, 1].
        against: the class it is explained against ``(1,)``. p is then the probability of the
            target, given that it is one of the two.
        on: ``"features"``: classify the masked features. ``"audio"``: make audio from them,
            analyse and classify it, the clean clip too; the level is not changed.
        fill: what a bin becomes that a part lacks, a name in
            :data:`~audiointerp.util.fills.FILLS`: the bins outside the mask in the kept part, those
            inside it in the removed part.
        reference: what the parts' embeddings are compared with, if they are.

    Raises:
        ArgumentError: ``on`` or ``fill`` is unknown, or a mask does not fit the clip.
        ModelError: the network does not return finite logits for the clip or one of its parts.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> classify_parts(classifier, clip, torch.tensor([0]), torch.ones_like(clip.db)).probs.shape
    torch.Size([3, 1, 2])
    """
    return _refuse_faults(
        classify_each_part(
            classifier,
            spectrogram,
            target,
            masks,
            against=against,
            on=on,
            fill=fill,
            reference=reference,
        )
    )


def classify_each_part(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    masks: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
    reference: OutOfDistribution | None = None,
) -> Outcomes:
    """Classify as :func:`classify_parts` does, and record the parts that cannot be classified.

    The arguments are those of :func:`classify_parts`. A part for which the network's logits are not
    finite is named in ``faults``, and the other masks have their outcomes.

    Raises:
        ArgumentError: ``on`` or ``fill`` is unknown, or a mask does not fit the clip.
        ModelError: the network does not return finite logits for the clean clip.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> classify_each_part(classifier, clip, torch.tensor([0]), torch.ones_like(clip.db)).fault(0)
    ''
    """
    parts = ClipParts(classifier, spectrogram, reference)
    outcomes = classified(parts, target, masks, against=against, on=on, fill=fill)
    energy = energy_shares(spectrogram.db, masks)
    return replace(outcomes, content={"ENERGY": energy, **outcomes.content})


def classified(
    parts: ClipParts,
    target: Tensor,
    masks: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
) -> Outcomes:
    """Classify as :func:`classify_each_part` does a clip that has several sets of masks.

    The content has no ENERGY, which depends neither on the fill nor on ``on``.

    Args:
        parts: what classifies the parts of the clip.
        target, masks, against, on, fill: see :func:`classify_parts`.

    Raises:
        ArgumentError: ``on`` or ``fill`` is unknown, or a mask does not fit the clip.
        ModelError: the network does not return finite logits for the clean clip.

    Example: see :func:`classify_each_part`.
    """
    outputs, batch = parts.outputs(masks, on, fill)
    probs, log_odds, column = decide(
        outputs.log_p, outputs.log_not_p, int(target), against, parts.classifier.output
    )
    _, kept_shares, _ = _by_part(outputs.audible_shares)
    content = {"HEARD": kept_shares}
    if parts.reference is not None:
        _, content["ood_in"], content["ood_out"] = _by_part(outputs.distances)
    faults = _faults(outputs.log_p.isnan().any(1))
    return Outcomes(_by_part(probs), _by_part(log_odds), column, batch, content, faults)


def mask_and_classify(
    classifier: Classifier,
    spectrogram: Spectrogram,
    target: Tensor,
    mask: Tensor,
    *,
    against: Tensor | None = None,
    on: str = "features",
    fill: str = "silence",
    reference: OutOfDistribution | None = None,
) -> tuple[Outcomes, Spectrogram, Spectrogram]:
    """Classify a clip's parts under one mask, and return these parts.

    The arguments are those of :func:`classify_parts`, with one mask ``(1, 1, F, T)``.

    Returns:
        The outcomes, the kept part and the removed part.

    Raises:
        ArgumentError: ``on`` or ``fill`` is unknown, or the mask does not fit the clip.
        ModelError: the network does not return finite logits for the clip or one of its parts.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> mask = torch.ones_like(clip.db)
    >>> _, kept, removed = mask_and_classify(classifier, clip, torch.tensor([0]), mask)
    >>> kept.db.equal(clip.db), removed.db.unique().tolist()
    (True, [-100.0])
    """
    outcomes = classify_parts(
        classifier,
        spectrogram,
        target,
        mask,
        against=against,
        on=on,
        fill=fill,
        reference=reference,
    )
    kept, removed = (spectrogram.masked(part, fill=fill) for part in (mask, 1 - mask))
    return outcomes, kept, removed


def _faults(is_fault: Tensor) -> tuple[str, ...]:
    """Return the faulty part by mask, of whether each part is faulty ``(1 + 2 M,)``."""
    if not is_fault.any():
        return ()
    clean, kept, removed = _by_part(is_fault).tolist()
    if clean[0]:
        raise ModelError("the network returns NaN or infinite logits for the clean clip")
    return tuple(
        "kept part" if kept_fault else "removed part" if removed_fault else ""
        for kept_fault, removed_fault in zip(kept, removed, strict=True)
    )


def _refuse_faults(outcomes: Outcomes) -> Outcomes:
    for number, part in enumerate(outcomes.faults):
        if part:
            raise ModelError(
                f"mask {number + 1} of {len(outcomes.faults)}: {outcomes.fault(number)}"
            )
    return outcomes


def _by_part(values: Tensor) -> Tensor:
    """Reshape ``(1 + 2 M, …)`` to ``(3, M, …)``: the clean clip, the kept and removed parts."""
    kept, removed = values[1:].chunk(2)
    return torch.stack([values[:1].expand_as(kept), kept, removed])
