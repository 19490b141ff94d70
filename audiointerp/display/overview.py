"""The clips of a page at a glance: thumbnails with their verdicts, to sort and to filter."""

import html
from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from torch.nn import functional

from ..scoring import ExplainedClip, p_text
from ..util import FLOOR
from .captions import RANGE
from .document import part, script_json
from .encoding import level_map, packed
from .method_titles import METHOD_TITLES

NOT_JUDGED = "Not judged"
"""Stands for the verdict of a result that has none."""
THUMBNAIL = (24, 96)
"""Rows and columns of a small spectrogram."""


def overview(items: Sequence[Mapping[str, Any]]) -> str:
    """Return the list of clips that stands above the sections of a page.

    Args:
        items: of :func:`overview_item`, in the order of the sections.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> overview([overview_item([result], "a.html")]).count('<li><a href="a.html">')
    1
    """
    links = ""
    for item in items:
        if item["page"] is not None:
            name, address = html.escape(item["name"]), html.escape(item["page"])
            links += f'<li><a href="{address}">{name}</a>: {html.escape(item["verdict"])}</li>'
    return Template(part("overview.html")).substitute(
        items=script_json(items),
        many=links and " many",
        frame=links and "<div data-frame></div>\n",
        links=links and f"<ul>{links}</ul>",
    )


def overview_item(
    results: Sequence[ExplainedClip], page: str | None = None, truth: str | None = None
) -> dict[str, Any]:
    """Return what the list of clips says of one of them.

    Args:
        results: of the clip, by one or several methods; the first is told in full.
        page: the address of its page; None if it is a section of the same page.
        truth: the label of the clip, if it is known; another prediction is marked as wrong.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> overview_item([result])["page"] is None
    True
    """
    result = results[0]
    verdict = result.verdict
    p_kept = verdict.p_kept if verdict else result.heard["p_in"]
    high = max(float(result.spectrogram.db.max()), FLOOR + 1)
    small = functional.adaptive_max_pool2d(result.spectrogram.db, THUMBNAIL)
    levels = level_map(small, max(FLOOR, high - RANGE), high)
    return {
        "name": result.clip or result.question,
        "page": page,
        "predicted": result.predicted,
        "truth": truth,
        "heads": _heads(results),
        "verdict": str(verdict or f"{result.question}: p of the kept part {p_text(p_kept)}."),
        "isExplained": any(each.verdict and each.verdict.is_explained for each in results),
        "pKept": p_kept,
        "thumbnail": {"levels": packed(levels), "height": THUMBNAIL[0], "width": THUMBNAIL[1]},
    }


def _heads(results: Sequence[ExplainedClip]) -> dict[str, str]:
    """Return what each method's first explanation is worth, in two or three words."""
    heads: dict[str, str] = {}
    for result in results:
        method = result.attribution.method
        head = result.verdict.head if result.verdict else NOT_JUDGED
        heads.setdefault(METHOD_TITLES.get(method, method), head)
    return heads
