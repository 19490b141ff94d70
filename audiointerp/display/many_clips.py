"""Pages of many clips: one page, or a folder with a page for each clip."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..scoring import ExplainedClip
from ..util import make_folder, write_text
from .component import document
from .overview import overview, overview_item
from .report import interpretation_page

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

    Up to 20 clips are sections of one page. More have a page each in the folder ``clips``, which
    is written as soon as the clip is explained.

    Args:
        results: one of each clip, or several by method, e.g. from a generator.
        count: how many there are.
        out: the folder; it is made if it is missing.
        title: title of the page.
        lossless: whether the clips are FLAC, or MP3 of a fourth of the size.

    Returns:
        The path of ``index.html``.

    >>> import tempfile, torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_clips([result, result], 2, folder, "two").read_text().count("<section")
    2
    """
    index = make_folder(out) / "index.html"
    if count <= MOST_CLIPS:
        clips = [_of_clip(result) for result in results]
        write_text(index, interpretation_page(title, clips, lossless))
        return index
    items: list[dict[str, Any]] = []
    folder = make_folder(index.parent / "clips")
    for number, each in enumerate(results):
        of_clip = _of_clip(each)
        result = of_clip[0]
        name = f"{number + 1:04d}.html"
        clip_title = result.clip or f"clip {number + 1}"
        write_text(folder / name, interpretation_page(clip_title, [of_clip], lossless))
        items.append(overview_item(result, f"clips/{name}"))
    write_text(index, document(title, [overview(items)]))
    return index


def _of_clip(each: ExplainedClip | Sequence[ExplainedClip]) -> Sequence[ExplainedClip]:
    return [each] if isinstance(each, ExplainedClip) else each
