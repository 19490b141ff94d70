"""Shards of two experiments that are of the same clips: their rows can be subtracted."""

from collections.abc import Iterator, Sequence

import pandas as pd

from ..tables import Part, scored_parts


def have_same_shards(parts: Sequence[Part], others: Sequence[Part]) -> bool:
    """Tell whether each shard of an experiment has one of the same clips in another experiment.

    Only methods that both have are compared: with none in common, nothing is missing.

    Args:
        parts: of the experiment.
        others: of the other one.

    >>> have_same_shards([], [])
    True
    """
    pairs = list(_paired(parts, others))
    # Only names of clips are read, and none where the numbers of clips tell already.
    return all(other is not None for _, other in pairs) and all(
        _clips_of(part) == _clips_of(other) for part, other in pairs if other is not None
    )


def paired_rows(
    parts: Sequence[Part], others: Sequence[Part], columns: Sequence[str]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the scored rows of two experiments, shard by shard, of the methods that both have.

    Args:
        parts, others: see :func:`have_same_shards`.
        columns: those that are read.

    >>> list(paired_rows([], [], ["FF"]))
    []
    """
    for part, other in _paired(parts, others):
        both = list(scored_parts([part, other] if other else [], columns))
        # Of one of them, all clips can have failed.
        if len(both) == 2:
            yield both[0], both[1]


def _paired(parts: Sequence[Part], others: Sequence[Part]) -> Iterator[tuple[Part, Part | None]]:
    by_clips = {(part.method, part.clips): part for part in others}
    shared = {part.method for part in others}
    for part in parts:
        if part.method in shared:
            yield part, by_clips.get((part.method, part.clips))


def _clips_of(part: Part) -> set[str]:
    return set(part.read(["clip"])["clip"])
