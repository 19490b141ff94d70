"""Computes the rows that the stores of a run lack, and keeps them."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import torch
from tqdm import tqdm

from ..dataset import ClipDataset, load_clip
from ..errors import Stopped
from .computation import Computation, Task, compute_here
from .signals import stoppable
from .store import Store
from .workers import compute_in_workers


def fill(
    stores: Mapping[str, Store],
    computation: Computation,
    clips: ClipDataset,
    shard: tuple[int, int],
    workers: int,
    title: str | None,
) -> None:
    """Compute the rows that the stores lack for one shard of the clips.

    Args:
        stores: one per method, by its name.
        computation: what computes the rows.
        clips: the clips of all shards.
        shard: (i, n), the i-th of n parts of the clips.
        workers: the number of processes; 1 computes in this one.
        title: the title of the progress bar; None shows no bar.

    Raises:
        Stopped: SIGINT or SIGTERM came; everything computed so far is kept.
        AudioInterpError: a worker process died.

    Example:
        :func:`~audiointerp.experiments.run` is the way in.
    """
    indices = range(shard[0] - 1, len(clips), shard[1])
    reached = 0
    bar = tqdm(indices, desc=title, unit="clip", disable=None if title else True)
    with stoppable() as stop_requested:

        def tasks() -> Iterator[Task]:
            nonlocal reached
            for index in bar:
                reached += 1
                loaded = load_clip(clips, index)
                methods = [name for name, store in stores.items() if store.lacks(index, loaded)]
                if methods:
                    yield Task(index, loaded, methods)
                if stop_requested():
                    return

        if workers == 1:
            results = compute_here(computation, tasks(), stop_requested)
        else:
            results = compute_in_workers(computation, tasks(), workers)
        threads = torch.get_num_threads() if workers == 1 else 1
        with closing(results):
            for task, computed in results:
                stores[computed.method].put(task.index, task.loaded, computed, threads)
        if stop_requested():
            raise Stopped(
                f"stopped at clip {reached} of {len(indices)}; the same command resumes there"
            )
