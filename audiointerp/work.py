"""The work of a run: what its stores lack, made in this process or in several.

Several processes of one thread each are faster on a CPU than one process with all threads: much of the work is too small to
share. Nothing but the asking process writes; the others are given a clip and a method, and give back its rows.
"""

import os
import pickle
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from multiprocessing import active_children, get_context, parent_process
from typing import Any

import torch
from tqdm import tqdm

from .dataset import ClipDataset
from .devices import keep_memory
from .errors import ArgumentError, AudioInterpError, Stopped
from .interpretation import Explainer
from .model import Classifier
from .rows import Heard, MethodRows, Plan, clip_rows, hear
from .signals import held_back, stoppable
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
        threads = torch.get_num_threads() if workers == 1 else 1
        with closing(all_made):
            for index, heard, made, seconds in all_made:
                stores[made.method].put(index, heard, made, seconds, threads)
        if stop_asked():
            raise Stopped(f"stopped at clip {reached} of {len(indices)}; the same command goes on from there")


def _here(classifier: Classifier, plan: Plan, tasks: Iterator[Task]) -> Generator[Made]:
    for index, heard, explainer in tasks:
        made, seconds = _timed(classifier, plan, heard, explainer)
        yield index, heard, made, seconds


def _timed(classifier: Classifier, plan: Plan, heard: Heard, explainer: Explainer) -> tuple[MethodRows, float]:
    start = time.perf_counter()
    (made,) = clip_rows(classifier, heard, [explainer], plan)
    return made, time.perf_counter() - start


def _elsewhere(
    classifier: Classifier, explainers: Sequence[Explainer], plan: Plan, tasks: Iterator[Task], workers: int
) -> Generator[Made]:
    """What other processes make, in the order in which they end. One task more than processes is at hand, none is kept idle."""
    known = _pickled((classifier, {one.name: one for one in explainers}, plan))
    others = set(active_children())
    executor = None
    begun = {}
    try:
        for index, heard, explainer in tasks:
            if executor is None:  # where nothing is lacking, none is started
                executor = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (known,))
            with held_back():
                begun[executor.submit(_work, _sent(heard), explainer.name)] = (index, heard)
            if len(begun) > workers:
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    yield *begun.pop(future), *_unpickled(future.result())
        for future in list(begun):
            yield *begun.pop(future), *_unpickled(future.result())
    except BrokenProcessPool as error:
        raise AudioInterpError(
            "a process that computed has died; what was done is kept, and the same command goes on. Either memory was short "
            "(give fewer workers), or the network or the method is defined in a notebook (put it into a file and import it), "
            "or a script calls run(workers=…) outside of \"if __name__ == '__main__':\""
        ) from error
    finally:
        if begun:  # only if an error or a second interrupt came
            for process in set(active_children()) - others:
                process.kill()
        if executor is not None:
            executor.shutdown(cancel_futures=True)


def _pickled(known: object) -> bytes:
    """As bytes, since torch would put what it sends itself into shared memory, which is small in a container."""
    try:
        return pickle.dumps(known)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ArgumentError(
            f"workers: the network or a method cannot be sent to another process ({error}); give workers=1, or define it in a "
            f"file that can be imported"
        ) from error


def _unpickled(own: bytes) -> Any:
    """Pickles can run code, so this takes what came by the pipe between this run's own processes, and never a file's bytes."""
    return pickle.loads(own)


def _sent(heard: Heard) -> bytes:
    """A clip as bytes, without what its samples may be a small part of."""
    return pickle.dumps(heard if heard.wav is None else replace(heard, wav=heard.wav.clone()))


_KNOWN: list[tuple[Classifier, Mapping[str, Explainer], Plan]] = []
"""In a process that works: what it works with."""


def _begin(known: bytes) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_memory()
    torch.set_num_threads(1)
    _KNOWN.append(_unpickled(known))


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next task for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(heard: bytes, method: str) -> bytes:
    ((classifier, explainers, plan),) = _KNOWN
    return pickle.dumps(_timed(classifier, plan, _unpickled(heard), explainers[method]))
