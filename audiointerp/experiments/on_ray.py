"""The shards of a run on a Ray cluster: workers that load the model once, a shard at a time.

Plain actors are used, not Ray Data: a shard is already the unit that is planned, written and
resumed here, while Ray Data divides and names its output by itself and cannot resume it. Ray is
imported when it is used: it is the extra ``ray``.
"""

import os
import pickle
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from joblib.externals.loky.backend.reduction import dumps

from ..errors import ArgumentError, AudioInterpError
from .engines import Engine, MissingShard, ShardJob, StopRequested, compute_shards

INSTALL = "pip install 'audiointerp[ray]'"
ATTEMPTS = 3
"""How often a shard is computed again whose worker is lost; one that kills each worker ends it."""
WAIT_SECONDS = 0.5
"""How often the driver looks whether a stop is requested."""


def ray_engine(
    num_workers: int | None = None, address: str | None = None, gpus_per_worker: float = 0
) -> Engine:
    """Return the engine that computes on a Ray cluster.

    A shard of a worker that is lost (killed, out of memory, its machine gone) is computed again by
    its successor. If the driver is lost, the same command goes on with what is missing. Each
    worker computes with one thread, so the rows are those of several local processes. Workers
    write the files themselves: ``out`` must be a folder that all machines share, or a URL.

    Args:
        num_workers: the number of workers; by default as many as the cluster has CPUs, or GPUs if
            they need any.
        address: the cluster, e.g. ``"auto"`` or ``"ray://head:10001"``; by default one is started
            on this machine, for this run alone.
        gpus_per_worker: the share of a GPU that each worker needs; the run's device must be
            ``"cuda"`` then.

    Raises:
        ArgumentError: a value is out of range.

    >>> ray_engine(num_workers=0)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: num_workers=0: give the number of workers, 1 or more
    """
    if num_workers is not None and (not isinstance(num_workers, int) or num_workers < 1):
        raise ArgumentError(f"num_workers={num_workers!r}: give the number of workers, 1 or more")
    if not 0 <= gpus_per_worker < float("inf"):
        raise ArgumentError(f"gpus_per_worker={gpus_per_worker!r}: give 0, a share of 1, or more")

    def compute(
        job: ShardJob, missing: Sequence[MissingShard], stop_requested: StopRequested
    ) -> Iterator[MissingShard]:
        _check_device(job, gpus_per_worker)
        with _cluster(address, num_workers) as ray:
            count = num_workers or _workers_of(ray.cluster_resources(), gpus_per_worker)
            # An actor that is started again needs the job again, so the reference must live on.
            shared = ray.put(_payload(job))
            actors = _actors(ray, shared, min(count, len(missing)), gpus_per_worker)
            yield from _distributed(ray, actors, missing, stop_requested)

    return compute


def _check_device(job: ShardJob, gpus_per_worker: float) -> None:
    device = job.computation.classifier.device
    if (device.type == "cuda") != (gpus_per_worker > 0):
        raise ArgumentError(
            f"gpus_per_worker={gpus_per_worker:g} on {device}: give a share of a GPU with "
            "device='cuda', and none otherwise"
        )


def _workers_of(resources: dict[str, float], gpus_per_worker: float) -> int:
    if gpus_per_worker:
        return max(1, int(resources.get("GPU", 0) / gpus_per_worker))
    return max(1, int(resources.get("CPU", 1)))


@contextmanager
def _cluster(address: str | None, num_workers: int | None) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine; give Ray."""
    # Without this, Ray would report its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise AudioInterpError(f"engine ray needs Ray ({error}): {INSTALL}") from error
    is_ours = not ray.is_initialized()
    if is_ours:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address is None:
            # More workers than cores are slow, but they are what was asked for.
            cpus = max(num_workers or 1, len(os.sched_getaffinity(0)))
            options |= {"num_cpus": cpus, "include_dashboard": False}
        try:
            ray.init(address=address, **options)
        # Ray raises errors of many kinds, some of them plain exceptions.
        except Exception as error:
            place = "a cluster on this machine" if address is None else f"the cluster {address}"
            raise AudioInterpError(f"engine ray: {place} does not answer ({error})") from error
    try:
        yield ray
    finally:
        if is_ours:
            ray.shutdown()


class _Worker:
    """What an actor does: it loads the job once, then computes one shard per call."""

    def __init__(self, payload: bytes, folder: str, modules: list[str]) -> None:
        # Paths of a data set may be relative to the folder of the driver.
        with suppress(OSError):
            os.chdir(folder)
        # A network or a data set of the user's is a class in a module that the driver has imported.
        sys.path.extend(place for place in modules if place not in sys.path)
        # The number of threads may change the last bits of a sum.
        torch.set_num_threads(1)
        # These bytes come from the driver of this run; they are never a file's.
        self.job: ShardJob = pickle.loads(payload)

    def compute(self, missing: MissingShard) -> MissingShard:
        """Compute a shard and write its files."""
        (done,) = compute_shards(self.job, [missing], lambda: False)
        return done


def _payload(job: ShardJob) -> bytes:
    try:
        return bytes(dumps(job))
    except Exception as error:
        raise ArgumentError(
            f"engine ray: the network, a method or the data set cannot be sent to another process "
            f"({error}); use the local engine with workers=1"
        ) from error


def _actors(ray: Any, shared: Any, count: int, gpus_per_worker: float) -> list[Any]:
    # A call that the loss of its actor interrupted is made again.
    options = {"max_restarts": -1, "max_task_retries": ATTEMPTS, "num_cpus": 1}
    kind = ray.remote(_Worker).options(**options, num_gpus=gpus_per_worker)
    return [kind.remote(shared, os.getcwd(), list(sys.path)) for _ in range(count)]


def _distributed(
    ray: Any, actors: list[Any], missing: Sequence[MissingShard], stop_requested: StopRequested
) -> Iterator[MissingShard]:
    """Give each worker one shard at a time; after a request to stop, no more."""
    waiting = deque(missing)
    working: dict[Any, tuple[Any, MissingShard]] = {}
    free = list(actors)
    while waiting or working:
        while free and waiting and not stop_requested():
            actor, entry = free.pop(), waiting.popleft()
            working[actor.compute.remote(entry)] = actor, entry
        if not working:
            return
        finished, _ = ray.wait(list(working), timeout=WAIT_SECONDS)
        for reference in finished:
            actor, entry = working.pop(reference)
            yield _result(ray, reference, entry)
            free.append(actor)


def _result(ray: Any, reference: Any, entry: MissingShard) -> MissingShard:
    clips = f"clips {entry.shard.start} to {entry.shard.stop - 1}"
    try:
        done: MissingShard = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # It was raised in the worker, e.g. since its file could not be written.
        cause = error.cause
        if isinstance(cause, AudioInterpError):
            raise cause from None
        raise AudioInterpError(f"{clips}: a worker failed ({cause!r:.300})") from error
    except ray.exceptions.RayError as error:
        raise AudioInterpError(
            f"{clips}: {ATTEMPTS + 1} workers in a row were lost with them ({error!s:.300}); "
            "finished shards are kept. If memory ran out, give fewer workers or a smaller "
            "--shard-size; the same command resumes"
        ) from error
    return done
