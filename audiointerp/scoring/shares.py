"""The parts that a map and random maps keep of a clip at each share of its bins, judged by ear."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..interpretation import Attribution, is_constant, null_seed, random_field, top_at_shares
from ..model import Classifier, windows_of
from ..processing import Spectrogram
from .by_sound import decide_by_sound
from .content import audible_bins, energy_shares
from .verdict import Verdict, question_of

SHARES = tuple(percentage / 100 for percentage in range(5, 100, 5))
"""The shares of the bins that are kept in turn: 5 to 95 %."""
FEWER_SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
FEWEST_SHARES = (0.1, 0.3, 0.5)
FIELDS = 8
"""Random maps that the shares of a map are compared with, also of a long clip or a large network,
half of them blobs and half bin by bin: a map that knows nothing is ahead of all four of its kind
once in five times, but of a single one every second time."""
MOST_FORWARDS = 420
"""About so many forwards of a small network are spent on one map of a clip."""
SMALL = 5_000_000
"""Parameters of a network that counts as one small network."""


@dataclass(frozen=True, eq=False)
class RandomShares:
    """What random maps keep of one clip.

    Attributes:
        maps: ``(K, 1, F, T)``, blobs and bin by bin in turn; the first, of blobs, is the one to
            listen to.
        p: the probability of the explained class by share and map, ``(S, K)``.

    >>> RandomShares(torch.zeros(2, 1, 3, 4), torch.zeros(5, 2)).p.shape
    torch.Size([5, 2])
    """

    maps: Tensor
    p: Tensor


def affordable_shares(classifier: Classifier, spectrogram: Spectrogram) -> list[float]:
    """Return the shares to judge: fewer of a long clip, or with a large network.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    >>> for seconds in (1, 6, 60):
    ...     clip = classifier.transform(torch.randn(1, 1, 32000 * seconds))
    ...     print(len(affordable_shares(classifier, clip)))
    19
    7
    3
    """
    windows = len(windows_of(classifier, spectrogram).starts)
    parameters = sum(parameter.numel() for parameter in classifier.network.parameters())
    forwards = MOST_FORWARDS / (windows * max(1.0, parameters / SMALL))
    for shares in (SHARES, FEWER_SHARES):
        if len(shares) * (2 + FIELDS) <= forwards:
            return list(shares)
    return list(FEWEST_SHARES)


def random_shares(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    shares: Sequence[float],
    count: int = FIELDS,
    fill: str = "silence",
) -> RandomShares:
    """Judge what random maps keep of a clip, one map for all shares.

    Args:
        classifier: the classifier.
        spectrogram: the clip.
        attribution: says which class is explained; its values are not used.
        shares: shares of the bins, in (0, 1).
        count: the number of random maps.
        fill: what removed bins become.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> random = random_shares(classifier, clip, Saliency(classifier.network)(clip.db), [0.3], 2)
    >>> random.maps.shape, random.p.shape
    (torch.Size([2, 1, 64, 101]), torch.Size([1, 2]))
    """
    kinds = [("smooth", "pixelwise")[number % 2] for number in range(count)]
    fields = [
        random_field(spectrogram.db, kind, null_seed("shares", str(number)))
        for number, kind in enumerate(kinds)
    ]
    maps = torch.cat(fields)
    masks = top_at_shares(maps, shares).flatten(0, 1)
    probs, column = decide_by_sound(classifier, spectrogram, attribution, masks, fill=fill)
    return RandomShares(maps, probs[:, column].view(len(shares), count))


def share_verdicts(
    classifier: Classifier,
    spectrogram: Spectrogram,
    attribution: Attribution,
    shares: Sequence[float],
    random: RandomShares,
    fill: str = "silence",
) -> list[Verdict]:
    """Judge what a map keeps of a clip at each share of its bins.

    Args:
        classifier, spectrogram, shares, fill: as for :func:`random_shares`.
        attribution: the map; the mask of a share is ``topK`` of it.
        random: of :func:`random_shares` for the same shares.

    Returns:
        One verdict for each share.

    >>> from audiointerp import Cnn6, LogMel, Saliency
    >>> classifier = Classifier(Cnn6(2, base_channels=2), LogMel(), ["cat", "dog"], duration=1.0)
    >>> clip = classifier.transform(torch.randn(1, 1, 32000))
    >>> attribution = Saliency(classifier.network)(clip.db)
    >>> random = random_shares(classifier, clip, attribution, [0.3, 0.5], 2)
    >>> verdicts = share_verdicts(classifier, clip, attribution, [0.3, 0.5], random)
    >>> [round(verdict.area, 3) for verdict in verdicts]
    [0.3, 0.5]
    """
    kept = top_at_shares(attribution.values, shares).flatten(0, 1).to(spectrogram.db)
    masks = torch.cat([torch.ones_like(kept[:1]), kept, 1 - kept])
    probs, column = decide_by_sound(classifier, spectrogram, attribution, masks, fill=fill)
    likeliest = (probs.argmax(1) == column).tolist()
    p, *p_parts = probs[:, column].tolist()
    energies = energy_shares(spectrogram.db, kept).tolist()
    is_inaudible = ~audible_bins(spectrogram.db)
    whole = Verdict(
        question=question_of(attribution, classifier.labels),
        p=p,
        p_kept=p,
        p_removed=p,
        p_random=(),
        is_clip=likeliest[0],
        is_kept=likeliest[0],
        is_removed=likeliest[0],
        area=1.0,
        energy=1.0,
        silent=0.0,
        arbitrary=is_constant(attribution.values),
    )
    count = len(shares)
    return [
        replace(
            whole,
            p_kept=p_parts[number],
            p_removed=p_parts[count + number],
            p_random=tuple(random.p[number].tolist()),
            is_kept=likeliest[1 + number],
            is_removed=likeliest[1 + count + number],
            area=float(mask.double().mean()),
            energy=energies[number],
            silent=float((mask * is_inaudible[0]).sum() / mask.sum()),
        )
        for number, mask in enumerate(kept)
    ]
