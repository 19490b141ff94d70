"""The page of a finished run: its clips, its scores, and notes."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..display import (
    METHOD_TITLES,
    MOST_CLIPS,
    Grid,
    make_clip_folder,
    scores_section,
    write_parts,
)
from ..tables import PageScores
from .report_clips import ClipPages, clip_parts, remove_other_pages
from .run_source import Source

LICENCE = (
    "The sounds of this page are {source}, whose licence applies to them; read it before you pass "
    "this page on."
)


def write_page(
    source: Source,
    out: Path,
    lossless: bool,
    licence: str | None,
    workers: int = 1,
    *,
    resume: bool = True,
) -> Path:
    """Write the page, or the folder, of a run; return the path of its index.

    Args:
        source: the run.
        out: the folder.
        lossless: whether clips are FLAC, or MP3.
        licence: of the sounds, a sentence.
        workers: the number of processes that explain clips.
        resume: whether pages of a folder that are there, and of the same run, are kept.

    Raises:
        ArgumentError: a clip is not that of the run.

    Example: the command ``audiointerp report`` calls it.
    """
    folder = make_clip_folder(out) if len(source.shown) > MOST_CLIPS else None
    parts = clip_parts(ClipPages(source, folder, lossless), workers, resume=resume)
    experiment = source.methods[0].record["experiment"]["name"]
    title = f"{experiment}: {len(source.shown)} clips, {len(source.methods)} methods"
    scores, notes = scores_of(source.scores), _notes(source, licence)
    index = write_parts(parts, out, title, lambda items: [_verdicts(items), scores, notes])
    remove_other_pages(out / "clips", [part.item["page"] for part in parts])
    return index


def _verdicts(items: Sequence[Mapping[str, Any]]) -> str:
    """Return how many clips each method explains, of those shown, by the verdict's first words."""
    counters: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        for method, head in item["heads"].items():
            counters[method][head] += 1
    kinds = sorted({kind for counter in counters.values() for kind in counter})
    kinds.sort(key=lambda kind: kind != "Explained")
    head = "".join(f'<th scope="col">{escape(kind)}</th>' for kind in kinds)
    rows = ""
    for method, counter in counters.items():
        cells = "".join(f"<td>{counter[kind]}</td>" for kind in kinds)
        rows += f'<tr><th scope="row">{escape(method)}</th>{cells}</tr>'
    return (
        '<section class="audiointerp scores" aria-label="Verdicts"><h2>Verdicts</h2>'
        "<p>How many of the clips shown each method explains, by their sounds: the kept part alone "
        "is still the class, and no random mask does as well.</p>"
        '<div class="scroll" tabindex="0" role="group" aria-label="Verdicts by method">'
        f'<table><thead><tr><th scope="col">method</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def scores_of(scores: PageScores) -> str:
    """Return the section of a page with the scores: forest plot, one table, all others.

    Args:
        scores: of a run.

    >>> from audiointerp.paper.example import example_rows
    >>> from audiointerp.tables import page_scores
    >>> scores_of(page_scores(example_rows(clips=3), "topK_30")).count("<h2>")
    1
    """
    heads, lines, caption = scores.lead
    all_heads, rounded, exact, names = scores.everything
    about = (
        "SPS, COMP and nCOMP of masks of zeros and ones follow from AREA and are left out; other "
        "empty cells are scores that are undefined."
    )
    return scores_section(
        Grid(tuple(heads), tuple(map(tuple, lines)), 1, caption),
        Grid(tuple(all_heads), tuple(map(tuple, rounded)), names, about),
        Grid(tuple(all_heads), tuple(map(tuple, exact)), names, ""),
        scores.differences,
        scores.beside,
    )


def _notes(source: Source, licence: str | None) -> str:
    record = source.methods[0].record
    version = record.get("versions", {}).get("audiointerp", "unknown")
    sentences = [
        licence or LICENCE.format(source=source.place.words),
        f"The scores were computed by audiointerp {version}; the sounds are made again, with the "
        f"mask {source.mask}.",
    ]
    stored = [method.name for method in source.methods if method.name not in source.explainers]
    if stored:
        names = ", ".join(METHOD_TITLES.get(name, name) for name in stored)
        sentences.append(f"The attributions of {names} are those of the run.")
    return (
        '<section class="audiointerp" aria-label="Notes and licence"><h2>Notes and licence</h2>'
        f"<p>{escape(' '.join(sentences))}</p></section>"
    )
