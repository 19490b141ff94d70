"""What a person pins: a section of a page without a kernel, and the Python that makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from ..scoring import ExplainedClip
from .component import clip_section
from .document import document
from .explore_clips import Source
from .overview import overview, overview_item


@dataclass(frozen=True, eq=False)
class Pin:
    """One clip as it was shown when it was pinned.

    Attributes:
        line: Python that computes it again.
        section: HTML.
        item: its entry in the list of clips.

    >>> Pin("ai.interpret(classifier, 'dog.wav')", "<section>", {}).section
    '<section>'
    """

    line: str
    section: str
    item: Mapping[str, Any]


def section_of(results: Sequence[ExplainedClip], data: dict[str, Any]) -> str:
    """Return the section of a clip whose data were computed, from any thread.

    Args:
        results: of one clip, by one or several methods.
        data: of them, see :func:`~audiointerp.display.clip_data.clip_data`.

    >>> import torch, audiointerp as ai
    >>> from audiointerp.display.clip_data import clip_data
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> section_of([result], clip_data([result]))[:8]
    '<section'
    """
    return clip_section(results, lossless=True, data=data)


def python_line(
    source: Source,
    method: str,
    mask: str | Mapping[str, Any],
    question: tuple[str | None, str | None],
    shape: tuple[int, int],
) -> str:
    """Return the Python that explains a clip again.

    Args:
        source: the clip.
        method: its name.
        mask: its name, or the place of a box: ``bins``, ``frames``, ``isKept``.
        question: the target and the class against which it is explained, or None.
        shape: the bins and frames of the clip's grid.

    >>> source = Source("dog.wav", "'dog.wav'", str)
    >>> python_line(source, "rise", "topK_20", ("dog", None), (64, 501))
    "ai.interpret(classifier, 'dog.wav', 'rise', 'topK_20', target='dog')"
    >>> box = {"bins": [3, 9], "frames": [0, 50], "isKept": True}
    >>> print(python_line(source, "rise", box, (None, None), (64, 501)))
    mask = torch.zeros(64, 501)
    mask[3:9, 0:50] = 1
    ai.interpret(classifier, 'dog.wav', 'rise', mask)
    """
    before, name = "", repr(mask)
    if not isinstance(mask, str):
        (low, high), (start, end) = mask["bins"], mask["frames"]
        box = f"mask[{low}:{high}, {start}:{end}]"
        make, value = ("zeros", 1) if mask["isKept"] else ("ones", 0)
        before, name = f"mask = torch.{make}({shape[0]}, {shape[1]})\n{box} = {value}\n", "mask"
    target, against = question
    more = "" if target is None else f", target={target!r}"
    more += "" if against is None else f", against={against!r}"
    return f"{before}ai.interpret(classifier, {source.code}, {method!r}, {name}{more})"


def pin_of(
    source: Source,
    results: Sequence[ExplainedClip],
    data: dict[str, Any],
    question: tuple[str | None, str | None],
    shown: Mapping[str, Any],
) -> Pin:
    """Pin a clip as it is shown.

    Args:
        source: the clip.
        results: of the clip, in the order of the methods of ``data``.
        data: of the clip; what the page shows at first is changed.
        question: see :func:`python_line`.
        shown: ``method`` and ``number`` of the share, and ``cell`` of another mask, or None.

    Raises:
        ArgumentError: there is no such method, share or mask.

    >>> import torch, audiointerp as ai
    >>> from audiointerp.display.clip_data import clip_data
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> shown = {"method": 0, "number": 1, "cell": None}
    >>> source = Source("dog.wav", "'dog.wav'", str)
    >>> pin_of(source, [result], clip_data([result]), (None, None), shown).line
    "ai.interpret(classifier, 'dog.wav', 'saliency', 'topK_10')"
    """
    number, cell = shown.get("number"), shown.get("cell")
    method = _chosen(data["methods"], "method", shown.get("method"))
    share = _chosen(data["shares"], "share", number)
    grid = data["grid"]
    mask = f"topK_{100 * share:g}" if cell is None else _chosen(method["named"], "mask", cell)
    line = python_line(source, method["name"], mask, question, (grid["bins"], grid["frames"]))
    start = {"method": shown["method"], "cell": cell, "number": number, "judged": None}
    section = section_of(results, {**data, "start": start})
    return Pin(line, section, overview_item(results))


def _chosen(values: Sequence[Any], kind: str, number: Any) -> Any:
    if type(number) is not int or not 0 <= number < len(values):
        raise ArgumentError(f"{kind} {number!r:.80} of {len(values)}")
    return values[number]


def pinned_page(pins: Sequence[Pin], section: str = "") -> str:
    """Return the page of what was pinned, or of one section if nothing was.

    >>> pinned_page([], "<section>so</section>").count("<section>so</section>")
    1
    """
    if not pins:
        return document("Explored", [section])
    sections = [pin.section for pin in pins]
    if len(pins) > 1:
        sections.insert(0, overview([pin.item for pin in pins]))
    return document("Pinned", sections)
