"""Work on a Ray cluster: workers that load the work once, then compute one item at a time.

Plain actors are used, not Ray Data: the items are already what is planned, written and resumed,
while Ray Data divides and names its output by itself and cannot resume it. Ray is imported when it
is used: it is the extra ``ray``.
"""

import os
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Generic, Protocol, TypeVar

import torch
from joblib.externals.loky.backend.reduction import dumps

from ..errors import ArgumentError, AudioInterpError
from .given import whole_number
from .memory import keep_memory

INSTALL = "pip install 'audiointerp[ray]'"
ATTEMPTS = 3
"""How often an item is computed again whose worker is lost; one that kills each worker ends it."""
WAIT_SECONDS = 0.5
"""How often the driver looks whether a stop is requested."""
STARTS = 3
"""How often a cluster of this machine is started: Ray gives up after 30 s, on a busy machine too
early."""
PATIENCE_MS = 300_000
"""How long a part of a cluster of this machine waits for another; by default 30 s, as above."""
OBJECT_STORE_BYTES = 2**27
"""The least memory of a cluster of this machine for the work and the results."""

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)


class Work(Protocol[ItemIn, ResultOut]):
    """What each worker does; it is sent there once.

    Example: the shards of a run, or the recordings of a scan.
    """

    def compute(self, item: ItemIn, /) -> ResultOut:
        """Compute one item."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and how many workers it is asked for.

    Attributes:
        num_workers: their number; by default as many as the cluster has CPUs, or GPUs if they need
            any.
        address: the cluster, e.g. ``"auto"`` or ``"ray://head:10001"``; by default one is started
            on this machine, for this work alone.
        gpus_per_worker: the share of a GPU that each worker needs.

    Raises:
        ArgumentError: a value is out of range.

    >>> Cluster(num_workers=0)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: num_workers=0: must be a whole number from 1 on
    """

    num_workers: int | None = None
    address: str | None = None
    gpus_per_worker: float = 0

    def __post_init__(self) -> None:
        if self.num_workers is not None:
            whole_number("num_workers", self.num_workers, least=1)
        if not 0 <= self.gpus_per_worker < float("inf"):
            raise ArgumentError(
                f"gpus_per_worker={self.gpus_per_worker!r}: give 0, a share of 1, or more"
            )

    def check_device(self, device: torch.device) -> None:
        """Refuse a device that the workers do not have.

        Raises:
            ArgumentError: they have GPUs and the device is none, or the other way round.
        """
        if (device.type == "cuda") != (self.gpus_per_worker > 0):
            raise ArgumentError(
                f"gpus_per_worker={self.gpus_per_worker:g} on {device}: give a share of a GPU with "
                "device='cuda', and none otherwise"
            )


def compute_on_cluster(
    cluster: Cluster,
    work: Work[Item, Result],
    items: Sequence[Item],
    named: Callable[[Item], str],
    stop_requested: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Item, Result]]:
    """Compute items on a cluster; give each with its result when it is computed.

    An item whose worker is lost (killed, out of memory, its machine gone) is computed again by its
    successor. Each worker computes with one thread.

    Args:
        cluster: the cluster.
        work: what is done with an item; it must be possible to pickle it.
        items: any number; without one, nothing is started.
        named: the words for an item in an error.
        stop_requested: whether to begin no more items.

    Raises:
        ArgumentError: the work cannot be sent to another process.
        AudioInterpError: Ray is missing, the cluster does not answer, or a worker failed.

    Example: see :func:`~audiointerp.experiments.ray_engine`.
    """
    if not items:
        return
    payload = _payload(work)
    with _connected(cluster, len(payload)) as ray:
        count = cluster.num_workers or _workers_of(ray.cluster_resources(), cluster.gpus_per_worker)
        # An actor that is started again needs the work again, so the reference must live on.
        shared = ray.put(payload)
        actors = _actors(ray, shared, min(count, len(items)), cluster.gpus_per_worker)
        try:
            yield from _Distribution(ray, actors, named, stop_requested).of(items)
        finally:
            # On a cluster that goes on, they would keep their CPUs and their memory.
            for actor in actors:
                ray.kill(actor)


def _workers_of(resources: dict[str, float], gpus_per_worker: float) -> int:
    if gpus_per_worker:
        return max(1, int(resources.get("GPU", 0) / gpus_per_worker))
    return max(1, int(resources.get("CPU", 1)))


@contextmanager
def _connected(cluster: Cluster, payload_bytes: int) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine; give Ray."""
    # Without this, Ray would report its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise AudioInterpError(f"engine ray needs Ray ({error}): {INSTALL}") from error
    if ray.is_initialized():
        yield ray
        return
    with started(ray, cluster, payload_bytes):
        yield ray


@contextmanager
def started(ray: Any, cluster: Cluster, payload_bytes: int) -> Iterator[None]:
    """Connect to a cluster, or start one of this machine, and leave it.

    Args:
        ray: the package.
        cluster: the cluster.
        payload_bytes: the size of the work.

    Raises:
        AudioInterpError: the cluster does not answer.

    Example: the tests start one for several runs.
    """
    with ExitStack() as stack:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if cluster.address is None:
            # Ray would leave its logs in /tmp/ray. The path must be short: sockets are in it.
            folder = TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True)
            options |= {
                # More workers than cores are slow, but they are what was asked for.
                "num_cpus": max(cluster.num_workers or 1, len(os.sched_getaffinity(0))),
                "object_store_memory": max(OBJECT_STORE_BYTES, 4 * payload_bytes),
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
                "_temp_dir": stack.enter_context(folder),
                "_system_config": {"agent_register_timeout_ms": PATIENCE_MS},
            }
        _start(ray, cluster.address, options)
        stack.callback(ray.shutdown)
        yield


def _start(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    starts = STARTS if address is None else 1
    for number in range(1, starts + 1):
        try:
            ray.init(address=address, **options)
        # Ray raises errors of many kinds, some of them plain exceptions.
        except Exception as error:
            ray.shutdown()
            if number < starts:
                continue
            place = f"the cluster {address}" if address else "a cluster on this machine"
            raise AudioInterpError(f"engine ray: {place} does not answer ({error})") from error
        return


class _Worker:
    """What an actor does: it loads the work once, then computes one item per call."""

    def __init__(self, payload: bytes, folder: str, modules: list[str]) -> None:
        # Paths of a data set may be relative to the folder of the driver.
        with suppress(OSError):
            os.chdir(folder)
        # A network or a data set of the user's is a class in a module that the driver has imported.
        sys.path.extend(place for place in modules if place not in sys.path)
        keep_memory()
        # The number of threads may change the last bits of a sum.
        torch.set_num_threads(1)
        # These bytes come from the driver of this work; they are never a file's.
        self.work: Work[Any, Any] = pickle.loads(payload)

    def compute(self, item: Any) -> Any:
        """Compute an item."""
        return self.work.compute(item)


def _payload(work: Any) -> bytes:
    try:
        return bytes(dumps(work))
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


@dataclass(frozen=True)
class _Distribution(Generic[Item, Result]):
    """Gives each worker one item at a time; after a request to stop, no more."""

    ray: Any
    actors: list[Any]
    named: Callable[[Item], str]
    stop_requested: Callable[[], bool]

    def of(self, items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        waiting = deque(items)
        working: dict[Any, tuple[Any, Item]] = {}
        free = list(self.actors)
        while waiting or working:
            while free and waiting and not self.stop_requested():
                actor, item = free.pop(), waiting.popleft()
                working[actor.compute.remote(item)] = actor, item
            if not working:
                return
            finished, _ = self.ray.wait(list(working), timeout=WAIT_SECONDS)
            for reference in finished:
                actor, item = working.pop(reference)
                yield item, self._result(reference, item)
                free.append(actor)

    def _result(self, reference: Any, item: Item) -> Result:
        errors = self.ray.exceptions
        try:
            result: Result = self.ray.get(reference)
        except errors.RayTaskError as error:
            # It was raised in the worker, e.g. since its file could not be written.
            cause = error.cause
            if isinstance(cause, AudioInterpError):
                raise cause from None
            raise AudioInterpError(
                f"{self.named(item)}: a worker failed ({cause!r:.300})"
            ) from error
        except errors.RayError as error:
            raise AudioInterpError(
                f"{self.named(item)}: {ATTEMPTS + 1} workers in a row were lost with it "
                f"({error!s:.300}). If memory ran out, give fewer workers, or less work at a time. "
                "What a run has finished is kept, and the same command resumes it; score() and "
                "scan begin again"
            ) from error
        return result
