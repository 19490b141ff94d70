"""Windows cut from a recording of any length, whose samples come in blocks."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..model import Classifier
from ..processing import stream_audio
from ..scoring import clip_of


class Piece(NamedTuple):
    """A window of a recording.

    >>> Piece(0, torch.zeros(1, 1, 100)).start
    0
    """

    start: int
    """Its first sample in the recording."""
    wav: Tensor
    """``(1, 1, length)``; shorter if the recording is."""


def blocks_of(recording: Any, classifier: Classifier) -> Iterator[Tensor]:
    """Give a recording at the classifier's rate, with its own level, in blocks ``(1, 1, n)``.

    Args:
        recording: the path of a sound file of any length; or a clip in memory, as ``interpret``
            takes it.
        classifier: the classifier.

    Raises:
        AudioError: the file cannot be read, or is damaged.
        ArgumentError: the clip is none.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
    >>> [block.shape for block in blocks_of(torch.zeros(800), classifier)]
    [torch.Size([1, 1, 800])]
    """
    if isinstance(recording, str | os.PathLike):
        return stream_audio(recording, classifier.sample_rate, normalize=classifier.normalize)
    return iter([clip_of(recording, classifier)])


def regular_pieces(blocks: Iterable[Tensor], length: int, hop: int) -> Iterator[Piece]:
    """Cut windows of ``length`` samples, ``hop`` apart; the last one ends with the recording.

    A recording shorter than a window gives one piece, which is as short.

    >>> pieces = regular_pieces(torch.arange(10.0).view(1, 1, 10).split(3, -1), 4, 3)
    >>> [(piece.start, piece.wav.flatten().tolist()) for piece in pieces]
    [(0, [0.0, 1.0, 2.0, 3.0]), (3, [3.0, 4.0, 5.0, 6.0]), (6, [6.0, 7.0, 8.0, 9.0])]
    """
    kept, first, start = torch.zeros(1, 1, 0), 0, 0
    for block in blocks:
        kept = torch.cat([kept, block], -1)
        while start + length <= first + kept.shape[-1]:
            yield Piece(start, kept[..., start - first :][..., :length].clone())
            start += hop
        # What no later window needs; the last one may reach back by its own length.
        dropped = max(0, min(start - first, kept.shape[-1] - length))
        kept, first = kept[..., dropped:].clone(), first + dropped
    end = first + kept.shape[-1]
    last = max(0, end - length)
    if kept.shape[-1] and last > start - hop:
        yield Piece(last, kept[..., last - first :])


def chosen_pieces(blocks: Iterable[Tensor], length: int, starts: Iterable[int]) -> Iterator[Piece]:
    """Cut windows of ``length`` samples that begin at ``starts``, which ascend.

    The first that would reach past the end of the recording is the last one: it begins earlier.

    >>> blocks = torch.arange(10.0).view(1, 1, 10).split(3, -1)
    >>> [piece.wav.flatten().tolist() for piece in chosen_pieces(blocks, 2, [1, 9, 20])]
    [[1.0, 2.0], [8.0, 9.0]]
    """
    waiting = iter(starts)
    start = next(waiting, None)
    kept, first = torch.zeros(1, 1, 0), 0
    for block in blocks:
        kept = torch.cat([kept, block], -1)
        while start is not None and start + length <= first + kept.shape[-1]:
            yield Piece(start, kept[..., start - first :][..., :length].clone())
            start = next(waiting, None)
        next_start = first + kept.shape[-1] if start is None else start
        dropped = max(0, min(next_start - first, kept.shape[-1] - length))
        kept, first = kept[..., dropped:].clone(), first + dropped
    last = max(0, first + kept.shape[-1] - length)
    if start is not None:
        yield Piece(last, kept[..., last - first :].clone())


def in_batches(pieces: Iterable[Piece], size: int) -> Iterator[list[Piece]]:
    """Give pieces in lists of ``size``, which have one length.

    >>> pieces = [Piece(start, torch.zeros(1, 1, 4)) for start in range(3)]
    >>> [len(batch) for batch in in_batches(pieces, 2)]
    [2, 1]
    """
    batch: list[Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
