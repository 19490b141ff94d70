"""Which clips are mixed: pairs of different classes, from groups of recordings that share nothing.

Mixtures with a recording in common are alike, and so are those that share one with a third. So the
recordings are first divided into groups, and only clips of one group are mixed: a bootstrap that
draws groups draws independent mixtures.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from ..errors import ArgumentError
from ..util import whole_number
from .clip_dataset import ClipDataset, only_target, recording_of, targets_of

Candidate = tuple[int, int, int]
"""The numbers of a group and of two clips."""


@dataclass(frozen=True)
class Pair:
    """Two clips that are mixed.

    Attributes:
        first, second: their numbers in the data set.
        group: the recordings of its group, joined by ``"+"``.

    >>> Pair(0, 9, "a+b").group
    'a+b'
    """

    first: int
    second: int
    group: str


def choose_pairs(dataset: ClipDataset, number: int, seed: int = 0) -> list[Pair]:
    """Choose pairs of clips of different classes, the same each time.

    There are as many groups of recordings as give enough pairs, with no group giving many more than
    its share. The next pair is always one whose classes were chosen least often so far; then one of
    a group, and of clips, that were.

    Args:
        dataset: clips of one class each.
        number: of the pairs.
        seed: of the order in which recordings and pairs are tried.

    Raises:
        ArgumentError: ``number`` is below 1, or there are not so many pairs.
        DatasetError: a clip has several classes, or none.

    >>> from audiointerp.dataset import Synthetic
    >>> pairs = choose_pairs(Synthetic((5,)), 30)
    >>> len({pair.group for pair in pairs})
    30
    """
    number = whole_number("number", number, least=1)
    generator = torch.Generator().manual_seed(seed)
    classes = [
        only_target(dataset, index, targets_of(dataset, index)) for index in range(len(dataset))
    ]
    clips_of: dict[str, list[int]] = {}
    for index in range(len(dataset)):
        clips_of.setdefault(recording_of(dataset, index), []).append(index)
    names = list(clips_of)
    shuffled = [names[place] for place in torch.randperm(len(names), generator=generator).tolist()]
    count = len(names) // 2
    while count:
        groups = _groups(shuffled, clips_of, classes, count)
        candidates = _candidates(groups, clips_of, classes)
        # A group that gives most of the mixtures would decide every mean.
        most = -(-number // count) + 1
        sizes = Counter(group for group, _, _ in candidates)
        if sum(min(size, most) for size in sizes.values()) >= number:
            order = torch.randperm(len(candidates), generator=generator).tolist()
            chosen = _chosen([candidates[place] for place in order], classes, number, most)
            turns = torch.rand(number, generator=generator) < 0.5
            return [
                Pair(*((second, first) if turn else (first, second)), "+".join(groups[group]))
                for (group, first, second), turn in zip(chosen, turns.tolist(), strict=True)
            ]
        count -= max(1, count // 20)
    raise ArgumentError(
        f"number={number}: there are not so many pairs of clips of different classes and "
        f"recordings among {len(dataset)} clips; give fewer, or more clips"
    )


def _groups(
    recordings: Sequence[str], clips_of: dict[str, list[int]], classes: Sequence[int], count: int
) -> list[list[str]]:
    """Divide recordings into groups: each to the smallest one, best one without its class."""
    groups: list[list[str]] = [[] for _ in range(count)]
    classes_in: list[set[int]] = [set() for _ in range(count)]
    for recording in recordings:
        own_classes = {classes[clip] for clip in clips_of[recording]}
        place = min(
            range(count),
            key=lambda number: (
                len(groups[number]),
                len(classes_in[number] & own_classes),
                number,
            ),
        )
        groups[place].append(recording)
        classes_in[place] |= own_classes
    return groups


def _candidates(
    groups: Sequence[Sequence[str]], clips_of: dict[str, list[int]], classes: Sequence[int]
) -> list[Candidate]:
    """List the pairs of clips of one group, of different recordings and classes."""
    candidates = []
    for number, recordings in enumerate(groups):
        for recording, another in combinations(recordings, 2):
            for first in clips_of[recording]:
                candidates += [
                    (number, first, second)
                    for second in clips_of[another]
                    if classes[first] != classes[second]
                ]
    return candidates


def _chosen(
    candidates: Sequence[Candidate], classes: Sequence[int], number: int, most: int
) -> list[Candidate]:
    """Choose among the candidates, at most ``most`` of a group; the first of equal ones is taken.

    A group that is full cannot be chosen, and the others have enough.
    """
    of_class: Counter[int] = Counter()
    of_group: Counter[int] = Counter()
    of_clip: Counter[int] = Counter()
    remaining = dict.fromkeys(candidates)
    chosen = []
    for _ in range(number):
        best = min(
            (candidate for candidate in remaining if of_group[candidate[0]] < most),
            key=lambda candidate: (
                of_class[classes[candidate[1]]] + of_class[classes[candidate[2]]],
                of_group[candidate[0]],
                of_clip[candidate[1]] + of_clip[candidate[2]],
            ),
        )
        del remaining[best]
        chosen.append(best)
        of_group[best[0]] += 1
        for clip in best[1:]:
            of_clip[clip] += 1
            of_class[classes[clip]] += 1
    return chosen
