"""Pages of many clips: one page, or a folder with a page for each clip."""

import os
from collections.abc import Callable, Iterable, Sequence
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
    index = make_folder(out) / "index.html"
    items: list[dict[str, Any]] = []
    clip_sections: list[str] = []
    is_one_page = count <= MOST_CLIPS
    if not is_one_page:
        write_shared(index.parent)
    folder = index.parent if is_one_page else make_folder(index.parent / "clips")
    for number, (results, truth) in enumerate(clips):
        name, section = f"{number + 1:04d}.html", explained_section(results, lossless)
        items.append(overview_item(results[0], None if is_one_page else f"clips/{name}", truth))
        if is_one_page:
            clip_sections.append(section)
        else:
            clip_title = results[0].clip or f"clip {number + 1}"
            write_text(folder / name, document(clip_title, [section], shared="../"))
    if len(items) > 1:
        clip_sections.insert(0, overview(items))
    shared = None if is_one_page else ""
    write_text(index, document(title, [*clip_sections, *sections()], shared))
    return index


def _of_clip(each: ExplainedClip | Sequence[ExplainedClip]) -> Sequence[ExplainedClip]:
    return [each] if isinstance(each, ExplainedClip) else each
