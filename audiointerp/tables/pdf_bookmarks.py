"""Bookmarks of a PDF that matplotlib writes, which has none of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from matplotlib.backends import backend_pdf

# Matplotlib's writer of PDF has no types.
Name: Any = backend_pdf.Name


@dataclass(frozen=True)
class Bookmark:
    """An entry of the outline: its text, its page, and what is below it.

    Attributes:
        title: the text.
        page: from 1.
        below: shown when it is opened.

    >>> Bookmark("Masks", 3).below
    ()
    """

    title: str
    page: int
    below: tuple["Bookmark", ...] = ()


def grouped_bookmarks(titles: Sequence[str], starts: Sequence[int]) -> list[Bookmark]:
    """Return an entry for each table; tables with the same words before ``": "`` are one group.

    Args:
        titles: of the tables, in their order.
        starts: the page on which each begins, from 1.

    >>> marks = grouped_bookmarks(["Masks: a", "Masks: b", "Noise"], [3, 4, 9])
    >>> [(mark.title, mark.page, [each.title for each in mark.below]) for mark in marks]
    [('Masks', 3, ['a', 'b']), ('Noise', 9, [])]
    """
    marks = []
    pairs = zip(titles, starts, strict=True)
    for group, members in groupby(pairs, lambda pair: pair[0].partition(": ")[0]):
        below = [Bookmark(title.partition(": ")[2], page) for title, page in members]
        if len(below) == 1:
            (only,) = below
            marks.append(Bookmark(f"{group}: {only.title}" if only.title else group, only.page))
        else:
            marks.append(Bookmark(group, below[0].page, tuple(below)))
    return marks


def write_bookmarks(file: Any, marks: Sequence[Bookmark]) -> None:
    """Add an outline to a PDF whose pages are all there, before it is finished.

    Args:
        file: ``PdfFile`` of matplotlib.
        marks: the entries; none, and the file is left as it is.

    Example: :func:`~audiointerp.tables.pdf.write_pdf` calls it.
    """
    if not marks:
        return
    outline = file.reserveObject("outline")
    ends = _write_level(file, outline, marks)
    file.writeObject(outline, {"Type": Name("Outlines"), "Count": len(marks), **ends})
    # The catalogue was written when the file was begun; of two objects the last one counts.
    catalogue = {
        "Type": Name("Catalog"),
        "Pages": file.pagesObject,
        "Outlines": outline,
        "PageMode": Name("UseOutlines"),
    }
    file.writeObject(file.rootObject, catalogue)


def _write_level(file: Any, parent: Any, marks: Sequence[Bookmark]) -> dict[str, Any]:
    """Write the entries below one; return its links to the first and the last of them."""
    places = [file.reserveObject("bookmark") for _ in marks]
    for number, (place, mark) in enumerate(zip(places, marks, strict=True)):
        entry = {
            "Title": mark.title,
            "Parent": parent,
            "Dest": [file.pageList[mark.page - 1], Name("Fit")],
        }
        if number:
            entry["Prev"] = places[number - 1]
        if number + 1 < len(places):
            entry["Next"] = places[number + 1]
        if mark.below:
            # Negative: folded until it is opened.
            entry["Count"] = -len(mark.below)
            entry |= _write_level(file, place, mark.below)
        file.writeObject(place, entry)
    return {"First": places[0], "Last": places[-1]}
