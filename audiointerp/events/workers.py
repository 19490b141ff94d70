"""What scans the recordings of a folder: this process, processes of this machine, or a cluster."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from joblib.externals.loky import ProcessPoolExecutor

from ..model import Classifier
from ..util import Cluster, compute_on_cluster, exit_with_parent, few_at_a_time, keep_memory

OpenClassifier = Callable[[], Classifier]
Recording = tuple[str, Path]
"""The name and the file of a recording."""


class ScanTask(Protocol):
    """What is done with a recording.

    Example: :class:`~audiointerp.events.FolderScan`.
    """

    def scan(self, classifier: Classifier, name: str, path: Path) -> None:
        """Scan a recording and write its results, or why it failed."""


def scan_all(
    task: ScanTask,
    open_classifier: OpenClassifier,
    recordings: Sequence[Recording],
    workers: int | Cluster,
) -> Iterator[None]:
    """Scan recordings, and give a sign after each.

    Args:
        task: what is done with each.
        open_classifier: makes the classifier, in each worker process.
        recordings: the recordings.
        workers: the number of processes; 1 for this one; or a cluster.

    Raises:
        AudioInterpError: the cluster cannot go on.

    Example: :func:`~audiointerp.events.scan_files` calls it.
    """
    if isinstance(workers, Cluster):
        yield from _on_cluster(task, open_classifier, recordings, workers)
    elif workers == 1:
        classifier = open_classifier() if recordings else None
        for name, path in recordings:
            assert classifier is not None
            task.scan(classifier, name, path)
            yield
    else:
        yield from _in_processes(task, open_classifier, recordings, workers)


def _in_processes(
    task: ScanTask, open_classifier: OpenClassifier, recordings: Sequence[Recording], workers: int
) -> Iterator[None]:
    if not recordings:
        return
    start = (task, open_classifier, os.getpid())
    executor = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=start)
    is_done = False
    try:
        scanned = few_at_a_time(
            lambda recording: executor.submit(_scan_in_worker, *recording), recordings, workers + 1
        )
        for _, future in scanned:
            future.result()
            yield
        is_done = True
    finally:
        executor.shutdown(kill_workers=not is_done)


_worker: list[Any] = []
"""In a worker process: the task and the classifier."""


def _start_worker(task: ScanTask, open_classifier: OpenClassifier, parent: int) -> None:
    # A terminal interrupts the whole group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent(parent)
    keep_memory()
    torch.set_num_threads(1)
    _worker[:] = [task, open_classifier()]


def _scan_in_worker(name: str, path: Path) -> None:
    task, classifier = _worker
    task.scan(classifier, name, path)


class _RecordingWork:
    """What a worker of a cluster does; it opens the classifier when its first recording comes."""

    def __init__(self, task: ScanTask, open_classifier: OpenClassifier) -> None:
        self.task, self.open_classifier = task, open_classifier
        self.classifier: Classifier | None = None

    def compute(self, recording: Recording) -> None:
        if self.classifier is None:
            self.classifier = self.open_classifier()
        self.task.scan(self.classifier, *recording)


def _on_cluster(
    task: ScanTask,
    open_classifier: OpenClassifier,
    recordings: Sequence[Recording],
    cluster: Cluster,
) -> Iterator[None]:
    work = _RecordingWork(task, open_classifier)
    for _ in compute_on_cluster(cluster, work, recordings, lambda recording: recording[0]):
        yield
