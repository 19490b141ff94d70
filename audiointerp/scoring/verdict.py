"""The verdict on one explanation, in a sentence: does the kept part explain the decision?

It rests on two facts, and on no threshold: whether the kept part alone is still the explained class
to the network, and how many random masks of the same values do as well. All p are of sounds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..interpretation import Attribution, is_constant
from ..model import Classifier
from ..processing import Spectrogram
from .by_sound import decide_by_sound
from .content import audible_bins, energy_shares
from .nulls import null_masks

COMPARED = 30
"""Random masks that a verdict compares with: a third blobs, a third bin by bin, a third the mask
moved in time. Networks bear one kind better than another, and a map that knows nothing is of one
kind: it is ahead of all ten of this kind, and of its moved copies, once in 21 times."""
ENOUGH = 20
"""Of fewer random masks, being ahead of all is too likely by chance to be called an explanation."""
DIGITS = 3
"""The decimals of p that are printed; p that differ beyond them only are equal."""


@dataclass(frozen=True)
class Verdict:
    """What the kept part of one clip is to the network, beside random masks of the same values.

    Attributes:
        question: what is explained, e.g. "dog" or "dog rather than rooster".
        p, p_kept, p_removed: the probability of the explained class, of the sounds.
        p_random: those of the parts that random masks keep.
        is_clip, is_kept, is_removed: whether the explained class is the likeliest of those that
            compete, for the clip, its kept and its removed part.
        area: the share of the bins that is kept.
        energy: the share of the clip's energy that is kept; NaN for a silent clip.
        silent: the share of what is kept that is not audible: at the floor, or more than 60 dB
            below the clip's loudest bin; NaN if nothing is kept.
        arbitrary: whether the attribution is the same everywhere.

    >>> print(Verdict("dog", 0.9, 0.8, 0.1, (0.3, 0.85), True, True, False, 0.3, 0.6, 0.1))
    In doubt: the kept 30 % alone is still "dog" (p .800), but 1 of 2 random masks does as well.
    """

    question: str
    p: float
    p_kept: float
    p_removed: float
    p_random: tuple[float, ...]
    is_clip: bool
    is_kept: bool
    is_removed: bool
    area: float
    energy: float
    silent: float
    arbitrary: bool = False

    @property
    def as_good(self) -> int:
        """How many random masks reach the p of the kept part, in the three digits of a sentence."""
        reached = round(self.p_kept, DIGITS)
        return sum(round(p, DIGITS) >= reached for p in self.p_random)

    @property
    def head(self) -> str:
        """The verdict in two or three words."""
        if self.area == 0:
            return "Nothing is kept"
        # Of a silent clip many maps are the same everywhere, too.
        if self._is_silent:
            return "Silence is kept"
        if self.arbitrary:
            return "No explanation"
        if self.silent == 1:
            return "Silence is kept"
        if not self.is_clip:
            return "Not the decision"
        if not self.is_kept:
            return "Not explained"
        compared = len(self.p_random)
        if not compared:
            return "Not compared"
        if self.as_good == compared:
            return "No better than chance"
        if self.as_good or self._rest_is_more:
            return "In doubt"
        return "Explained" if compared >= ENOUGH else f"Ahead of {compared}"

    @property
    def is_explained(self) -> bool:
        """Whether the kept part is the class, more surely than the rest and many random masks."""
        return self.head == "Explained"

    @property
    def is_ahead(self) -> bool:
        """Whether the kept part is still the class, and no random mask does as well."""
        return self.is_explained or self.head == f"Ahead of {len(self.p_random)}"

    def __str__(self) -> str:
        label = f'"{self.question.replace("_", " ")}"'
        if self.area == 0:
            return f"{self.head}: the mask is empty, so there is no reason to hear."
        if self._is_silent:
            is_answer = "is" if self.is_clip else "is not"
            answer = f"{label} (p {p_text(self.p)}) {is_answer} the network's answer to silence"
            return f"{self.head}: the whole clip is silent, and {answer}."
        if self.head == "Silence is kept":
            return f"{self.head}: nothing in the kept {percent(self.area)} can be heard."
        if self.arbitrary:
            return f"{self.head}: the attribution is the same everywhere, so the mask is arbitrary."
        kept = f"the kept {percent(self.area)} alone is {'still' if self.is_kept else 'no longer'}"
        if not self.is_clip:
            is_kept = "is" if self.is_kept else "is not"
            kept = f"the clip is not {label} (p {p_text(self.p)}); "
            kept += f"the kept {percent(self.area)} alone {is_kept}"
        return f"{self.head}: {kept} {label} (p {p_text(self.p_kept)}){self._comparison()}."

    @property
    def details(self) -> tuple[str, ...]:
        """What a reader should know beside the verdict, in sentences.

        >>> Verdict("dog", 0.9, 0.8, 0.7, (), True, True, True, 0.3, 0.6, 0.1).details
        ('The removed part alone is "dog" too (p .700).', 'Kept: 30 % of the bins, 60 % of the \
energy; 10 % of the kept bins are silent.')
        """
        label = f'"{self.question.replace("_", " ")}"'
        rest = f"is {label} too" if self.is_removed else f"is not {label}"
        removed = f"The removed part alone {rest} (p {p_text(self.p_removed)})."
        kept = f"Kept: {percent(self.area)} of the bins"
        kept += "" if self._is_silent else f", {percent(self.energy)} of the energy"
        silent = "" if math.isnan(self.silent) else f"; {percent(self.silent)} of the kept bins are"
        shares = f"{kept}{silent and f'{silent} silent'}."
        return (shares,) if self._tells_rest else (removed, shares)

    @property
    def _rest_is_more(self) -> bool:
        """Whether the removed part is the class at least as surely as the kept one."""
        return self.is_removed and round(self.p_removed, DIGITS) >= round(self.p_kept, DIGITS)

    @property
    def _is_silent(self) -> bool:
        return math.isnan(self.energy)

    @property
    def _tells_rest(self) -> bool:
        """Whether the verdict itself says that the removed part alone is the class too."""
        return self.is_ahead and self.is_removed

    def _comparison(self) -> str:
        count, compared = self.as_good, len(self.p_random)
        if not compared:
            return ""
        masks = "random mask" if compared == 1 else "random masks"
        number = f"{count} of {compared}" if count else f"none of {compared}"
        if not self.is_kept:
            if not count:
                return f", yet more than {compared} {masks} keep{'s' * (compared == 1)}"
            return f", and {number} {masks} keep{'s' * (count == 1)} as much"
        does = "does" if count < 2 else "do"
        if count:
            return f", but {number} {masks} {does} as well"
        # Without it, 1.000 beside a best random mask of .999 would read as a success.
        best = f" (the best: p {p_text(max(self.p_random))})"
        rest = f"; the rest alone is too (p {p_text(self.p_removed)})" if self._tells_rest else ""
        if self._rest_is_more:
            rest = f", but the rest alone is no less so (p {p_text(self.p_removed)})"
        return f", and {number} {masks} {does} as well{best}{rest}"


def verdict_of(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    mask: Tensor,
    mask_name: str,
    *,
    domain: str = "db",
    fill: str = "silence",
    compared: int = COMPARED,
) -> Verdict:
    """Judge one mask by the sounds of the parts that it and random masks keep.

    The random masks have exactly the values of the mask, see :func:`random_masks`. They depend on
    the clip and on the names of the method and the mask alone.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        attribution: of the clip; its target is the explained class.
        mask: ``(1, 1, F, T)`` in [0, 1].
        mask_name: its name, so that no two masks of a clip share their random masks.
        domain, fill: see :meth:`~audiointerp.processing.spectrogram.Spectrogram.masked`.
        compared: the number of random masks.

    Raises:
        ModelError: the network does not return finite logits for one of the sounds.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> attribution = Saliency(classifier.network)(clip.db)
    >>> verdict = verdict_of(classifier, clip, attribution, torch.ones_like(clip.db), "all")
    >>> verdict.as_good, verdict.area, verdict.energy
    (30, 1.0, 1.0)
    """
    mask = mask.to(spectrogram.db)
    random = random_masks(spectrogram.db, attribution.method, mask, mask_name, compared)
    parts = torch.cat([torch.ones_like(mask), mask, 1 - mask, random])
    probs, column = decide_by_sound(classifier, spectrogram, attribution, parts, domain, fill)
    p, p_kept, p_removed, *p_random = probs[:, column].tolist()
    is_clip, is_kept, is_removed = (probs[:3].argmax(1) == column).tolist()
    total = float(mask.sum())
    inaudible = ~audible_bins(spectrogram.db)
    return Verdict(
        question=question_of(attribution, classifier.labels),
        p=p,
        p_kept=p_kept,
        p_removed=p_removed,
        p_random=tuple(p_random),
        is_clip=is_clip,
        is_kept=is_kept,
        is_removed=is_removed,
        area=float(mask.double().mean()),
        energy=float(energy_shares(spectrogram.db, mask)),
        silent=float(mask[inaudible].sum()) / total if total else math.nan,
        arbitrary=is_constant(attribution.values),
    )


def question_of(attribution: Attribution, labels: Sequence[str]) -> str:
    """Return what an attribution explains: "dog", or "dog rather than rooster".

    >>> nothing = torch.zeros(1)
    >>> question_of(Attribution(nothing, torch.tensor([1]), nothing, "lime"), ["cat", "dog"])
    'dog'
    """
    explained = labels[int(attribution.target)]
    if attribution.against is None:
        return explained
    return f"{explained} rather than {labels[int(attribution.against)]}"


def random_masks(db: Tensor, method: str, mask: Tensor, mask_name: str, count: int) -> Tensor:
    """Draw random masks with the values of one mask: blobs, bin by bin, the mask moved in time.

    Args:
        db: the clip's features ``(1, 1, F, T)``.
        method, mask_name: names, so that no two masks of a clip share their draws.
        mask: ``(1, 1, F, T)``.
        count: the number of masks, a third of each kind; the rest are blobs. None is moved of a
            mask that is the same in each frame: it would be the mask.

    Returns:
        ``(count, 1, F, T)``; fewer if a moved copy is the mask itself.

    >>> mask = (torch.arange(200) < 60).float().view(1, 1, 2, 100)
    >>> random_masks(torch.zeros(1, 1, 2, 100), "lime", mask, "bin", 4).mean((1, 2, 3)).tolist()
    [0.30000001192092896, 0.30000001192092896, 0.30000001192092896, 0.30000001192092896]
    """
    is_same_in_time = bool((mask == mask[..., :1]).all())
    moved = 0 if is_same_in_time else count // 3
    scattered = (count - moved) // 2
    kinds = {"smooth": count - moved - scattered, "pixelwise": scattered, "rolled": moved}
    draws = [mask[:0]]
    for null, number in kinds.items():
        if number:
            copies = {f"{mask_name} {draw}": mask for draw in range(number)}
            draws.append(null_masks([null], db, method, copies, {})[null].to(mask))
    drawn = torch.cat(draws)
    # A mask that repeats in time can be moved onto itself, and would do as well as itself.
    return drawn[(drawn != mask).flatten(1).any(1)] if moved else drawn


def percent(share: float) -> str:
    """Return a share in percent, with two figures or none after the point.

    >>> percent(0.3), percent(0.0123), percent(0.999), percent(float("nan"))
    ('30 %', '1.2 %', '99.9 %', 'undefined')
    """
    if math.isnan(share):
        return "undefined"
    return f"{100 * share:.{0 if 0.1 <= share <= 0.99 else 1}f}".removesuffix(".0") + " %"


def p_text(p: float) -> str:
    """Return a probability with three decimals and no leading zero, as in papers.

    >>> p_text(0.0854), p_text(1.0)
    ('.085', '1.000')
    """
    return f"{p:.{DIGITS}f}".removeprefix("0")
