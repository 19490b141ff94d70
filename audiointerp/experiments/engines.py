"""What computes the shards of a run: this process, processes of this machine, or a cluster.

An engine is a function from a job and the shards that it lacks to the shards that are done. It
decides where and in which order they are computed; what a shard's rows are does not depend on it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..dataset import ClipDataset
from ..scoring import RecentClips
from .computation import Computation, Result, Task, compute_here
from .shard_rows import ShardRows
from .shards import Shard, ShardFolder
from .workers import check_workers, compute_in_workers

StopRequested = Callable[[], bool]


@dataclass(frozen=True, eq=False)
class ShardJob:
    """What every shard of a run is computed with, and where it is written.

    Attributes:
        clips: the clips.
        computation: what computes the rows of a clip.
        folders: where the files of each method are, by the method's name.

    Example: :func:`~audiointerp.experiments.run_shards` makes it.
    """

    clips: ClipDataset
    computation: Computation
    folders: Mapping[str, ShardFolder]


@dataclass(frozen=True)
class MissingShard:
    """A shard that some methods lack.

    >>> len(MissingShard(Shard(0, 10), ("lime",)).shard.clips)
    10
    """

    shard: Shard
    methods: tuple[str, ...]


Engine = Callable[[ShardJob, Sequence[MissingShard], StopRequested], Iterator[MissingShard]]
"""Computes and writes shards, and gives each one when its files are written."""
Compute = Callable[[Computation, Iterator[Task]], Generator[Result]]


def local_engine(workers: int = 1) -> Engine:
    """Return the engine that computes on this machine.

    Args:
        workers: the number of processes, each with one thread; 1 for this process, with its own
            number of threads.

    Example: ``run_shards(…, engine=local_engine(workers=2))``.
    """

    def compute(
        job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
    ) -> Iterator[MissingShard]:
        check_workers(workers, job.computation.classifier.device)
        if workers == 1:
            yield from compute_shards(job, missing, stop_requested)
            return

        def in_workers(computation: Computation, tasks: Iterator[Task]) -> Generator[Result]:
            return compute_in_workers(computation, tasks, workers)

        yield from _written(job, missing, stop_requested, in_workers, threads=1)

    return compute


def compute_shards(
    job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
) -> Iterator[MissingShard]:
    """Compute shards in this process, one after the other, and write each one.

    A shard in which a stop is requested is not written.

    Args:
        job: what computes them.
        missing: the shards, and the methods that lack them.
        stop_requested: whether to stop.

    Example: a worker of a cluster calls it with one shard.
    """

    def here(computation: Computation, tasks: Iterator[Task]) -> Generator[Result]:
        return compute_here(computation, tasks, stop_requested)

    yield from _written(job, missing, stop_requested, here, torch.get_num_threads())


def _written(
    job: ShardJob,
    missing: Sequence[MissingShard],
    stop_requested: StopRequested,
    compute: Compute,
    threads: int,
) -> Iterator[MissingShard]:
    """Compute shards, and write each file when the rows of its last clip have come."""
    starts = [entry.shard.start for entry in missing]
    unfinished: dict[tuple[Shard, str], ShardRows] = {}
    written: Counter[Shard] = Counter()
    results = compute(job.computation, _tasks(job, missing, stop_requested))
    try:
        for task, computed in results:
            entry = missing[bisect_right(starts, task.index) - 1]
            shard, folder = entry.shard, job.folders[computed.method]
            key = shard, computed.method
            if key not in unfinished:
                unfinished[key] = ShardRows(len(shard.clips), threads, folder.attributions)
            unfinished[key].put(task.index, task.loaded, computed)
            if not unfinished[key].is_complete:
                continue
            folder.write(shard, unfinished.pop(key))
            written[shard] += 1
            if written[shard] == len(entry.methods):
                yield entry
    finally:
        results.close()


def _tasks(
    job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
) -> Iterator[Task]:
    """Read the clips of shards one by one.

    The clip of the null ``"other"`` is chosen from the whole data set, so it is the same one
    however the clips are divided.
    """
    clips = RecentClips(job.clips)
    has_null = "other" in job.computation.plan.nulls
    for entry in missing:
        for index in entry.shard.clips:
            if stop_requested():
                return
            loaded = clips.load(index)
            other = clips.other(index) if has_null else None
            yield Task(index, loaded, list(entry.methods), other)
