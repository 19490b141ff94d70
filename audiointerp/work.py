"""The work of a run: what its stores lack, made in this process or in several.

Several processes of one thread each are faster on a CPU than one process with all threads: much of the work is too small to
share. Nothing but the asking process writes; the others are given a clip and a method, and give back its rows.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process

import torch
from tqdm import tqdm

from .dataset import ClipDataset
from .devices import keep_memory
from .errors import ArgumentError, AudioInterpError, Stopped
from .interpretation import Explainer
from .model import Classifier
from .rows import Heard, MethodRows, Plan, clip_rows, hear
from .signals import only_asked, stoppable
from .store import Store

Task = tuple[int, Heard, Explainer]
"""A clip's place, the clip, and the method to explain it by."""
Made = tuple[int, Heard, MethodRows, float]
"""The same of what was made of it, and the seconds that it took."""


def check_workers(workers: int, device: torch.device) -> None:
    """Refuse what cannot be.

    Raises:
        ArgumentError: fewer than one process, or several on a device that is not a CPU.
    """
    if not isinstance(workers, int) or workers < 1:
        raise ArgumentError(f"workers={workers!r}: how many processes, 1 or more")
    if workers > 1 and device.type != "cpu":
        raise ArgumentError(f"workers={workers} on {device}: several processes are for a CPU; give workers=1")


def fill(
    stores: Mapping[str, Store],
    explainers: Sequence[Explainer],
    classifier: Classifier,
    clips: ClipDataset,
    plan: Plan,
    shard: tuple[int, int],
    workers: int,
    title: str | None,
) -> None:
    """Make the parts that a shard lacks.

    Raises:
        Stopped: SIGINT or SIGTERM came; what was begun is finished and kept.
    """
    indices = range(shard[0] - 1, len(clips), shard[1])
    reached = 0
    bar = tqdm(indices, desc=title, unit="clip", disable=None if title else True)
    with stoppable() as stop_asked:

        def tasks() -> Iterator[Task]:
            nonlocal reached
            for index in bar:
                reached += 1
                heard = hear(clips, index)
                for explainer in explainers:
                    if stores[explainer.name].lacks(index, heard):
                        yield index, heard, explainer
                    if stop_asked():
                        return

        all_made = (
            _here(classifier, plan, tasks())
            if workers == 1
            else _elsewhere(classifier, explainers, plan, tasks(), workers)
        )
        for index, heard, made, seconds in all_made:
            threads = torch.get_num_threads() if workers == 1 else 1
            stores[made.method].put(index, heard, made, seconds, threads)
        if stop_asked():
            raise Stopped(f"stopped at clip {reached} of {len(indices)}; the same command goes on from there")


def _here(classifier: Classifier, plan: Plan, tasks: Iterator[Task]) -> Iterator[Made]:
    for index, heard, explainer in tasks:
        made, seconds = _timed(classifier, plan, heard, explainer)
        yield index, heard, made, seconds


def _timed(classifier: Classifier, plan: Plan, heard: Heard, explainer: Explainer) -> tuple[MethodRows, float]:
    start = time.perf_counter()
    (made,) = clip_rows(classifier, heard, [explainer], plan)
    return made, time.perf_counter() - start


def _elsewhere(
    classifier: Classifier, explainers: Sequence[Explainer], plan: Plan, tasks: Iterator[Task], workers: int
) -> Iterator[Made]:
    """What other processes make, in the order in which they end. One task more than processes is at hand, none is kept idle."""
    others = set(active_children())
    executor = None
    begun = {}
    try:
        for index, heard, explainer in tasks:
            if executor is None:  # where nothing is lacking, none is started
                known = (classifier, {one.name: one for one in explainers}, plan)
                executor = ProcessPoolExecutor(workers, get_context("spawn"), _begin, known)
            begun[executor.submit(_work, heard, explainer.name)] = (index, heard)
            if len(begun) > workers:
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    yield *begun.pop(future), *future.result()
        for future in list(begun):
            yield *begun.pop(future), *future.result()
    except BrokenProcessPool as error:
        raise AudioInterpError(
            "a process that computed has died: for want of memory (give fewer workers), or because a script calls "
            "run(workers=…) outside of \"if __name__ == '__main__':\"; what was done is kept, and the same command goes on"
        ) from error
    finally:
        if begun:  # only if an error or a second interrupt came
            for process in set(active_children()) - others:
                process.terminate()
        if executor is not None:
            executor.shutdown(cancel_futures=True)


_KNOWN: list[tuple[Classifier, Mapping[str, Explainer], Plan]] = []
"""In a process that works: what it works with."""


def _begin(classifier: Classifier, explainers: Mapping[str, Explainer], plan: Plan) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_memory()
    torch.set_num_threads(1)
    only_asked()
    _KNOWN.append((classifier, explainers, plan))


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next task for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(heard: Heard, method: str) -> tuple[MethodRows, float]:
    ((classifier, explainers, plan),) = _KNOWN
    return _timed(classifier, plan, heard, explainers[method])
