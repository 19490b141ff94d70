"""The pages of the clips of a report: made in several processes, and kept if they are there."""

import json
import os
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from joblib.externals.loky import ProcessPoolExecutor

from ..dataset import targets_of
from ..display import ClipPart, clip_part, page_digest
from ..errors import AudioInterpError
from ..util import (
    digest_of,
    exit_with_parent,
    few_at_a_time,
    file_digest,
    keep_memory,
    plain,
    read_json,
    show_progress,
    write_json,
)
from .run_source import Source


@dataclass(frozen=True, eq=False)
class ClipPages:
    """What makes the parts of a report.

    Attributes:
        source: the run.
        folder: of the clips' pages; None for sections of one page.
        lossless: whether clips are FLAC, or MP3.

    Example: :func:`clip_parts` takes one.
    """

    source: Source
    folder: Path | None
    lossless: bool

    def kept(self, number: int) -> ClipPart | None:
        """Return a clip whose page is there, made from the same run in the same way."""
        if self.folder is None:
            return None
        try:
            record = json.loads(self._record(number).read_text(encoding="utf-8"))
            item = record["item"]
            is_same = record["made_from"] == self._made_from(number)
            if is_same and record["sha256"] == self._digest(item):
                return ClipPart(item, "")
        except (OSError, ValueError, KeyError, TypeError):
            # No page yet, or a record that is not ours: the page is made.
            return None
        return None

    def made(self, number: int) -> ClipPart | None:
        """Make the page or the section of a clip; None if the clip cannot be read."""
        loaded, results = self.source.explained_clip(self.source.shown[number])
        if not results:
            return None
        if self.folder is None:
            return clip_part(results, loaded.label, number, None, self.lossless)
        made_from = self._made_from(number)
        # First, so that a page is known as ours if its own record is never written.
        write_json(self._record(number), {"made_from": made_from, "sha256": ""})
        part = clip_part(results, loaded.label, number, self.folder, self.lossless)
        item = plain(part.item)
        record = {"made_from": made_from, "item": item, "sha256": self._digest(item)}
        write_json(self._record(number), record)
        return part

    def _record(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number + 1:04d}.json"

    def _digest(self, item: Mapping[str, Any]) -> str:
        """Hash what is known of a clip, and its page: a page that was changed is made again."""
        assert self.folder is not None
        return digest_of(item, file_digest(self.folder.parent / item["page"]))

    def _made_from(self, number: int) -> str:
        """Hash what the page of a clip depends on."""
        source = self.source
        index = source.shown[number]
        return digest_of(
            version("audiointerp"),
            page_digest(),
            [method.record for method in source.methods],
            sorted(source.explainers),
            source.mask,
            self.lossless,
            source.clips.clip_id(index),
            [source.clips.labels[target] for target in targets_of(source.clips, index)],
        )


def clip_parts(pages: ClipPages, workers: int = 1, *, resume: bool = True) -> list[ClipPart]:
    """Make the pages or sections of all clips that are shown; return them in their order.

    Args:
        pages: what makes them.
        workers: the number of processes, each with one thread; 1 for this one.
        resume: whether pages that an earlier call has made are kept.

    Raises:
        ArgumentError: p of a clip is not that of the run, so it is another sound.
        AudioInterpError: a worker died.

    Example: the command ``audiointerp report`` calls it.
    """
    count = len(pages.source.shown)
    parts: dict[int, ClipPart | None] = {}
    for number in range(count if resume else 0):
        kept = pages.kept(number)
        if kept is not None:
            parts[number] = kept
    missing = [number for number in range(count) if number not in parts]
    with show_progress("explaining", count, "clip") as advance:
        advance(len(parts))
        for number, part in _made(pages, missing, min(workers, len(missing))):
            parts[number] = part
            advance(1)
    ordered = [parts[number] for number in range(count)]
    return [part for part in ordered if part is not None]


def remove_other_pages(folder: Path, shown: Collection[str]) -> None:
    """Remove the pages, with their records, that an earlier report wrote and this one has not.

    Args:
        folder: of the clips' pages; it may be missing.
        shown: the addresses of the pages of this report.

    >>> remove_other_pages(Path("no such folder"), [])
    """
    for path in folder.glob("*.json"):
        record, page = read_json(path), path.with_suffix(".html")
        # Other files of the folder are not ours.
        is_ours = isinstance(record, dict) and "made_from" in record
        if is_ours and f"{folder.name}/{page.name}" not in shown:
            page.unlink(missing_ok=True)
            path.unlink()


def _made(
    pages: ClipPages, numbers: Sequence[int], workers: int
) -> Iterator[tuple[int, ClipPart | None]]:
    if workers <= 1:
        for number in numbers:
            yield number, pages.made(number)
        return
    executor = ProcessPoolExecutor(
        workers, initializer=_start_worker, initargs=(pages, os.getpid())
    )
    is_done = False
    try:
        finished = few_at_a_time(
            lambda number: executor.submit(_made_in_worker, number), numbers, workers + 1
        )
        for number, future in finished:
            yield number, future.result()
        is_done = True
    except BrokenProcessPool as error:
        raise AudioInterpError(
            "a worker process was killed or could not start (a traceback above says why, if there "
            "is one). If memory ran out, give fewer --workers. Finished pages are kept, and the "
            "same command resumes the report"
        ) from error
    finally:
        executor.shutdown(kill_workers=not is_done)


_worker: list[ClipPages] = []
"""In a worker process: what makes the pages."""


def _start_worker(pages: ClipPages, parent: int) -> None:
    # A terminal interrupts the whole group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent(parent)
    keep_memory()
    torch.set_num_threads(1)
    _worker[:] = [pages]


def _made_in_worker(number: int) -> ClipPart | None:
    return _worker[0].made(number)
