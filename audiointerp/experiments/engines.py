"""What computes the shards of a run: this process, processes of this machine, or a cluster.

An engine is a function from a job and the shards that it lacks to the shards that are done. It
decides where and in which order they are computed; what a shard's rows are does not depend on it.
"""

from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ..dataset import ClipDataset, LoadedClip
from ..scoring import MethodRows, RecentClips
from .computation import Computation, Result, Task, compute_here
from .shards import Shard
from .shares import Shares
from .workers import check_workers, compute_in_workers, pools_of

StopRequested = Callable[[], bool]


class Rows(Protocol):
    """The rows of a shard and a method, gathered clip by clip in any order.

    Example: :class:`~audiointerp.experiments.shard_rows.ShardRows`.
    """

    def put(self, index: int, loaded: LoadedClip, computed: MethodRows) -> None:
        """Add the rows of a clip."""

    @property
    def is_complete(self) -> bool:
        """Whether the rows of all clips are there."""


class Output(Protocol):
    """Where the rows of a method go.

    Example: :class:`~audiointerp.experiments.shards.ShardFolder`.
    """

    def rows_of(self, shard: Shard, threads: int) -> Any:
        """Return the :class:`Rows` of a shard, without any clip yet."""

    def write(self, shard: Shard, rows: Any) -> Any:
        """Take the rows of a shard; what is returned comes back to the driver."""


@dataclass(frozen=True, eq=False)
class ShardJob:
    """What every shard of a run is computed with, and where its rows go.

    Attributes:
        clips: the clips.
        computation: what computes the rows of a clip.
        outputs: where the rows of each method go, by the method's name.

    Example: :func:`~audiointerp.experiments.run_shards` makes it.
    """

    clips: ClipDataset
    computation: Computation
    outputs: Mapping[str, Output]


@dataclass(frozen=True)
class MissingShard:
    """A shard that some methods lack.

    >>> len(MissingShard(Shard(0, 10), ("lime",)).shard.clips)
    10
    """

    shard: Shard
    methods: tuple[str, ...]


Finished = tuple[MissingShard, dict[str, Any]]
"""A shard, and what each output has returned for it, by the method's name."""
Engine = Callable[[ShardJob, Sequence[MissingShard], StopRequested], Iterator[Finished]]
"""Computes shards, and gives each one when its rows are where they go."""
Compute = Callable[[Computation, Sequence[Iterator[Task]]], Generator[Result]]
"""Computes the tasks of each pool of processes, or of this process alone."""


def local_engine(workers: int = 1) -> Engine:
    """Return the engine that computes on this machine.

    Args:
        workers: the number of processes, each with one thread; 1 for this process, with its own
            number of threads.

    Example: ``run_shards(…, engine=local_engine(workers=2))``.
    """

    def compute(
        job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
    ) -> Iterator[Finished]:
        check_workers(workers, job.computation.classifier.device)
        if workers == 1:
            yield from compute_shards(job, missing, stop_requested)
            return

        def in_workers(
            computation: Computation, tasks: Sequence[Iterator[Task]]
        ) -> Generator[Result]:
            return compute_in_workers(computation, tasks, workers)

        tasks = _tasks(job, missing, stop_requested, len(pools_of(workers)))
        yield from _written(job, missing, tasks, in_workers, threads=1)

    return compute


def compute_shards(
    job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
) -> Iterator[Finished]:
    """Compute shards in this process, one after the other, and write each one.

    A shard in which a stop is requested is not written.

    Args:
        job: what computes them.
        missing: the shards, and the methods that lack them.
        stop_requested: whether to stop.

    Example: a worker of a cluster calls it with one shard.
    """

    def here(computation: Computation, tasks: Sequence[Iterator[Task]]) -> Generator[Result]:
        return compute_here(computation, tasks[0], stop_requested)

    tasks = _tasks(job, missing, stop_requested, 1)
    yield from _written(job, missing, tasks, here, torch.get_num_threads())


def _written(
    job: ShardJob,
    missing: Sequence[MissingShard],
    tasks: Sequence[Iterator[Task]],
    compute: Compute,
    threads: int,
) -> Iterator[Finished]:
    """Compute shards, and pass the rows of each on when its last clip has come."""
    starts = [entry.shard.start for entry in missing]
    unfinished: dict[tuple[Shard, str], Rows] = {}
    written: dict[Shard, dict[str, Any]] = {}
    results = compute(job.computation, tasks)
    try:
        for task, computed in results:
            entry = missing[bisect_right(starts, task.index) - 1]
            shard, output = entry.shard, job.outputs[computed.method]
            key = shard, computed.method
            if key not in unfinished:
                unfinished[key] = output.rows_of(shard, threads)
            unfinished[key].put(task.index, task.loaded, computed)
            if not unfinished[key].is_complete:
                continue
            of_shard = written.setdefault(shard, {})
            of_shard[computed.method] = output.write(shard, unfinished.pop(key))
            if len(of_shard) == len(entry.methods):
                yield entry, written.pop(shard)
    finally:
        results.close()


def _tasks(
    job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested, pools: int
) -> list[Iterator[Task]]:
    """Return what reads the clips of shards one by one, for each pool.

    The clip of the null ``"other"`` is chosen from the whole data set, so it is the same one
    however the clips are divided.
    """
    has_null = "other" in job.computation.plan.nulls
    shares = [Shares(entry.shard.clips, pools) for entry in missing]

    def of_pool(pool: int) -> Iterator[Task]:
        clips = RecentClips(job.clips)
        for entry, of_entry in zip(missing, shares, strict=True):
            for index in of_entry.of(pool):
                if stop_requested():
                    return
                loaded = clips.load(index)
                other = clips.other(index) if has_null else None
                yield Task(index, loaded, list(entry.methods), other)

    return [of_pool(pool) for pool in range(pools)]
