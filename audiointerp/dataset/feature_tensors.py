"""The features of a whole data set as tensors."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import islice

import torch
from torch import Tensor

from ..errors import ArgumentError
from ..processing import Transform
from ..util import Cache, CacheChoice, Progress, digest_of, open_cache, show_progress
from .clip_dataset import ClipDataset, Target, only_target
from .clips import LabelledClips
from .esc50 import ESC50
from .in_memory import EvenSubset, InMemory, Joined, Selection

MOST_THREADS = 8
AHEAD = 2
"""Clips for each thread that are read before they are needed."""


def compute_features(
    dataset: ClipDataset,
    transform: Transform,
    progress: Progress = True,
    *,
    cache: CacheChoice = None,
    threads: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the features of a whole data set, e.g. for training.

    Args:
        dataset: the clips, all of the same length.
        transform: the transform to features.
        progress: whether to show a progress bar on a terminal or in a notebook; or a function of
            (clips done, total).
        cache: where features are kept, by the content of the sounds and the settings of this
            library's transforms, see :func:`~audiointerp.util.open_cache`; by default nowhere,
            unless the environment variable ``AUDIOINTERP_CACHE`` says so. Sound files that are
            decoded are kept by the data set.
        threads: how many read and transform clips at the same time. By default as many as there are
            processors, at most 8, for sound files of :class:`~audiointerp.dataset.LabelledClips`,
            and one for other data sets, which may not allow more.

    Returns:
        The features ``(clips, 1, F, T)`` and the targets ``(clips,)``.

    Raises:
        DatasetError: a clip has several classes, or none.
        ArgumentError: the data set's sample rate is not the transform's, clips have different
            lengths, or ``threads`` is below 1.

    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> from audiointerp.processing import LogSTFT
    >>> clips = EvenSubset(Synthetic((5,), sample_rate=16000, duration=3.0), 2)
    >>> db, targets = compute_features(clips, LogSTFT(), progress=False)
    >>> db.shape, targets.shape
    (torch.Size([2, 1, 257, 188]), torch.Size([2]))
    """
    if dataset.sample_rate != transform.sample_rate:
        raise ArgumentError(
            f"the data set has {dataset.sample_rate} Hz, the transform {transform.sample_rate} Hz; "
            "load the data set at the transform's rate"
        )
    if threads is not None and threads < 1:
        raise ArgumentError(f"threads={threads}: at least one is needed")
    kept = open_cache(cache) if _is_ours(transform) else None
    threads = threads or (_processors() if _allows_threads(dataset) else 1)
    features_of_clips: list[Tensor] = []
    targets = []
    with show_progress("features", len(dataset), "clip", progress, leave=False) as advance:
        for index, (db, target) in enumerate(_read_clips(dataset, transform, kept, threads)):
            frames = features_of_clips[0].shape[-1] if features_of_clips else db.shape[-1]
            if db.shape[-1] != frames:
                raise ArgumentError(
                    f"{dataset.clip_id(index)} has {db.shape[-1]} frames, {dataset.clip_id(0)} has "
                    f"{frames}: clips of different lengths cannot be one tensor; give the data set "
                    "a duration"
                )
            features_of_clips.append(db)
            targets.append(only_target(dataset, index, target))
            advance(1)
    return torch.cat(features_of_clips), torch.tensor(targets)


def _read_clips(
    dataset: ClipDataset, transform: Transform, cache: Cache | None, threads: int
) -> Iterator[tuple[Tensor, Target]]:
    """Yield the features ``(1, 1, F, T)`` and the target of each clip, in order."""

    def read(index: int) -> tuple[Tensor, Target]:
        wav, target = dataset[index]
        return _features_of(wav[None], transform, cache), target

    if threads == 1:
        yield from map(read, range(len(dataset)))
        return
    pool = ThreadPoolExecutor(threads)
    indices = iter(range(len(dataset)))
    try:
        waiting = [pool.submit(read, index) for index in islice(indices, AHEAD * threads)]
        while waiting:
            clip = waiting.pop(0).result()
            waiting += [pool.submit(read, index) for index in islice(indices, 1)]
            yield clip
    finally:
        # After an error, clips that are not begun are not read.
        pool.shutdown(cancel_futures=True)


def _features_of(wav: Tensor, transform: Transform, cache: Cache | None) -> Tensor:
    """Return the features of a sound ``(1, 1, L)``, from the cache if it has them."""
    if cache is None:
        return transform(wav).db
    versions = [version(name) for name in ("audiointerp", "librosa", "torch")]
    key = digest_of("features", wav, str(wav.device), transform.to_dict(), versions)
    db = cache.get(key)
    if db is None:
        db = transform(wav).db
        cache.put(key, db)
    return db.to(wav.device)


def _is_ours(transform: Transform) -> bool:
    """Whether the settings say all that the features depend on; of other classes, code does too."""
    room = Transform.__module__.rpartition(".")[0]
    kinds = type(transform), type(transform.scaling)
    return all(kind.__module__.rpartition(".")[0] == room for kind in kinds)


def _allows_threads(dataset: ClipDataset) -> bool:
    """Whether clips can be read at the same time: a subclass of the user's may not allow it."""
    if type(dataset) in (Selection, EvenSubset, InMemory):
        return _allows_threads(dataset.dataset)  # type: ignore[attr-defined]
    if isinstance(dataset, Joined):
        return all(_allows_threads(part) for part in dataset.datasets)
    return type(dataset) in (LabelledClips, ESC50)


def _processors() -> int:
    """Return how many processors this process may use, at most 8."""
    # Not on every system.
    if hasattr(os, "sched_getaffinity"):
        return min(MOST_THREADS, len(os.sched_getaffinity(0)))
    return min(MOST_THREADS, os.cpu_count() or 1)


features = compute_features
"""The old name of :func:`compute_features`."""
