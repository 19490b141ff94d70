"""The shards of a run on a Ray cluster; see :mod:`audiointerp.util.cluster`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..util import Cluster, compute_on_cluster
from .engines import Engine, Finished, MissingShard, ShardJob, StopRequested, compute_shards


def ray_engine(
    num_workers: int | None = None, address: str | None = None, gpus_per_worker: float = 0
) -> Engine:
    """Return the engine that computes on a Ray cluster.

    A shard of a worker that is lost (killed, out of memory, its machine gone) is computed again by
    its successor. If the driver is lost, the same command goes on with what is missing. Each
    worker computes with one thread, so the rows are those of several local processes. Workers
    write the files of a run themselves: ``out`` must be a folder that all machines share, or a URL.

    Args:
        num_workers, address, gpus_per_worker: see :class:`~audiointerp.util.cluster.Cluster`; the
            run's device must be ``"cuda"`` with GPUs, and the CPU without.

    Raises:
        ArgumentError: a value is out of range.

    >>> ray_engine(num_workers=0)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: num_workers=0: must be a whole number from 1 on
    """
    cluster = Cluster(num_workers, address, gpus_per_worker)

    def compute(
        job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
    ) -> Iterator[Finished]:
        cluster.check_device(job.computation.classifier.device)
        work = _ShardWork(job)
        for _, finished in compute_on_cluster(cluster, work, missing, _named, stop_requested):
            yield finished

    return compute


@dataclass(frozen=True)
class _ShardWork:
    """What a worker does with a shard: it computes the rows and writes its files."""

    job: ShardJob

    def compute(self, missing: MissingShard) -> Finished:
        (finished,) = compute_shards(self.job, [missing], lambda: False)
        return finished


def _named(missing: MissingShard) -> str:
    return f"clips {missing.shard.start} to {missing.shard.stop - 1}"
