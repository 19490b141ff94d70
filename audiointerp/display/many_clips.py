"""Pages of many clips: one page, or a folder with a page for each clip."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..scoring import ExplainedClip
from ..util import make_folder, write_text
from .document import document, write_shared
from .overview import overview, overview_item
from .report import explained_section

MOST_CLIPS = 20
"""Clips of one page; more have a page each, which is loaded when it is opened."""


def write_clips(
    results: Iterable[ExplainedClip | Sequence[ExplainedClip]],
    count: int,
    out: str | os.PathLike[str],
    title: str,
    lossless: bool = False,
) -> Path:
    """Write the page of several clips, with a list of them to sort and to filter.

    Args:
        results: one of each clip, or several by method, e.g. from a generator.
        count: how many there are.
        out, title, lossless: see :func:`write_report`.

    Returns:
        The path of ``index.html``.

    >>> import tempfile, torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_clips([result, result], 2, folder, "two").read_text().count("<section")
    2
    """
    clips = ((_of_clip(each), None) for each in results)
    return write_report(clips, count, out, title, lossless=lossless)


def write_report(
    clips: Iterable[tuple[Sequence[ExplainedClip], str | None]],
    count: int,
    out: str | os.PathLike[str],
    title: str,
    sections: Callable[[], Sequence[str]] = tuple,
    lossless: bool = False,
) -> Path:
    """Write the page of several clips, each explained by several methods, and their scores.

    Up to 20 clips are sections of one page. More have a page each in the folder ``clips``, which
    is written as soon as the clip is explained, and loaded when it is opened; these pages share
    ``page.css`` and ``page.js``.

    Args:
        clips: the results of each clip, e.g. from a generator, and its label, if that is known.
        count: how many there are.
        out: the folder; it is made if it is missing.
        title: title of the page.
        sections: returns HTML that stands below the clips, e.g. of
            :func:`~audiointerp.display.scores.scores_section`; called after the last clip.
        lossless: whether the clips are FLAC, or MP3 of a fourth of the size.

    Returns:
        The path of ``index.html``.

    >>> import tempfile, torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report([([result], "rain")], 1, folder, "one").read_text().count("<section")
    1
    """
    folder = None if count <= MOST_CLIPS else make_clip_folder(out)
    parts = (
        clip_part(results, truth, number, folder, lossless)
        for number, (results, truth) in enumerate(clips)
    )
    return write_parts(parts, out, title, lambda items: sections())


@dataclass(frozen=True)
class ClipPart:
    """What the index of many clips needs of one of them.

    Attributes:
        item: of :func:`~audiointerp.display.overview.overview_item`.
        section: HTML; empty if the clip has a page of its own.

    >>> ClipPart({"name": "dog.wav", "page": "clips/0001.html"}, "").section
    ''
    """

    item: Mapping[str, Any]
    section: str


def make_clip_folder(out: str | os.PathLike[str]) -> Path:
    """Make the folder for the pages of many clips, with the files that they share beside it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_clip_folder(folder).name
    'clips'
    """
    write_shared(make_folder(out))
    return make_folder(Path(out) / "clips")


def clip_part(
    results: Sequence[ExplainedClip],
    truth: str | None,
    number: int,
    folder: Path | None = None,
    lossless: bool = False,
) -> ClipPart:
    """Return the section of a clip; or write its page to a folder.

    Args:
        results: of the clip.
        truth: its label, if that is known.
        number: of the clip, from 0.
        folder: of :func:`make_clip_folder`; None for a section.
        lossless: see :func:`write_report`.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> clip_part([result], "rain", 0).section.count("<section")
    1
    """
    section = explained_section(results, lossless, truth)
    if folder is None:
        return ClipPart(overview_item(results, None, truth), section)
    name = f"{number + 1:04d}.html"
    clip_title = results[0].clip or f"clip {number + 1}"
    write_text(folder / name, document(clip_title, [section], shared="../"))
    return ClipPart(overview_item(results, f"{folder.name}/{name}", truth), "")


def write_parts(
    parts: Iterable[ClipPart],
    out: str | os.PathLike[str],
    title: str,
    sections: Callable[[Sequence[Mapping[str, Any]]], Sequence[str]],
) -> Path:
    """Write the index of clips whose sections, or whose pages, are there.

    Args:
        parts: of :func:`clip_part`, all with pages or none; drawn one by one.
        out, title: see :func:`write_report`.
        sections: returns HTML that stands below the clips, from what the index says of them.

    Returns:
        The path of ``index.html``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parts([], folder, "none", lambda items: ["<p>No clips.</p>"]).name
    'index.html'
    """
    index = make_folder(out) / "index.html"
    listed = list(parts)
    items = [part.item for part in listed]
    has_pages = any(item["page"] for item in items)
    shown = [overview(items)] if len(items) > 1 or has_pages else []
    shown += [part.section for part in listed]
    write_text(index, document(title, [*shown, *sections(items)], "" if has_pages else None))
    return index


def _of_clip(each: ExplainedClip | Sequence[ExplainedClip]) -> Sequence[ExplainedClip]:
    return [each] if isinstance(each, ExplainedClip) else each
