"""Reading a sound file of any length in blocks, with little memory.

What is refused and what is warned of is as for :func:`~audiointerp.processing.audio.load_audio`,
without its limit of length. Some faults show only at the end of a file: an error may come after
the last block.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

from torch import Tensor

from ..errors import choose
from .audio import NORMALIZATIONS, readable, warn_or_refuse
from .reading import Energy, mixed, sound_blocks
from .resampling import resample_blocks

PART = 2**18
"""The samples resampled at a time: the filter needs memory for each of its taps times these."""


def stream_audio(
    path: str | os.PathLike[str], sample_rate: int | None = None, *, normalize: str = "none"
) -> Iterator[Tensor]:
    """Read a sound file as mono blocks with the file's own level.

    Args:
        path: a file that soundfile can read, of any length.
        sample_rate: the rate to resample to, in Hz; the file's own rate by default.
        normalize: how the caller normalises what he cuts from it; other than by ``"none"``, the
            file is refused if its channels cancel, as in ``load_audio``.

    Returns:
        Blocks ``(1, 1, n)`` float32, finite.

    Raises:
        AudioError: see :func:`~audiointerp.processing.audio.load_audio`.

    >>> import tempfile
    >>> import torch
    >>> from audiointerp.processing import save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    ...     sum(block.shape[-1] for block in stream_audio(f"{folder}/clip.wav", 16000))
    1600
    """
    choose("normalization", normalize, NORMALIZATIONS)
    path = Path(path)
    blocks = _mono_blocks(path, refuse_cancellation=normalize != "none")
    rate, first = next(blocks)
    mono_blocks = (
        part for _, block in chain([(rate, first)], blocks) for part in block.split(PART, -1)
    )
    yield from resample_blocks(mono_blocks, rate, sample_rate or rate)


def file_rate(path: str | os.PathLike[str]) -> int:
    """Return the sample rate of a sound file, in Hz.

    Raises:
        AudioError: see :func:`~audiointerp.processing.audio.load_audio`.

    >>> import tempfile
    >>> import torch
    >>> from audiointerp.processing import save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    ...     file_rate(f"{folder}/clip.wav")
    8000
    """
    path = Path(path)
    with readable(path), closing(sound_blocks(path)) as blocks:
        _, rate = next(blocks)
    return rate


def _mono_blocks(path: Path, refuse_cancellation: bool) -> Iterator[tuple[int, Tensor]]:
    """Give the rate with each block ``(1, 1, n)``; at the end, warn or refuse."""
    energy, count, rate = Energy(), 0, 1
    blocks = sound_blocks(path)
    while True:
        with readable(path):
            try:
                block, rate = next(blocks)
            except StopIteration as end:
                notes: tuple[str, ...] = end.value
                break
        mix = mixed(block)
        energy, count = energy.plus(block, mix), count + len(block)
        yield rate, mix
    # The caller's caller: generators stand between.
    seconds = count / rate
    warn_or_refuse(path, notes, energy.cancellation, seconds, False, refuse_cancellation, 4)
