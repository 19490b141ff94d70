"""The page of a finished run: its clips, its scores, and notes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from ..display import METHOD_TITLES, Grid, scores_section, write_report
from ..predict import Interpretation
from ..tables import PageScores
from .run_source import Source

LICENCE = (
    "The sounds of this page are {source}, whose licence applies to them; read it before you pass "
    "this page on."
)


def write_page(source: Source, out: Path, lossless: bool, licence: str | None) -> Path:
    """Write the page, or the folder, of a run; return the path of its index.

    Args:
        source: the run.
        out: the folder.
        lossless: whether clips are FLAC, or MP3.
        licence: of the sounds, a sentence.

    Example: the command ``audiointerp report`` calls it.
    """
    heads: dict[str, Counter[str]] = {method.name: Counter() for method in source.methods}

    def clips() -> Iterator[tuple[Sequence[Interpretation], str]]:
        for loaded, results in source.explained():
            for result in results:
                if result.verdict is not None:
                    heads[result.attribution.method][result.verdict.head] += 1
            yield results, loaded.label

    experiment = source.methods[0].record["experiment"]["name"]
    title = f"{experiment}: {len(source.shown)} clips, {len(heads)} methods"
    scores = scores_of(source.scores)
    notes = _notes(source, licence)
    # The verdicts are counted while the clips are written, so their sentence comes last.
    return write_report(
        clips(), len(source.shown), out, title, lambda: [_verdicts(heads), scores, notes], lossless
    )


def _verdicts(heads: dict[str, Counter[str]]) -> str:
    """Return how many clips each method explains, of those shown, by the verdict's first words."""
    kinds = sorted({kind for counter in heads.values() for kind in counter})
    kinds.sort(key=lambda kind: kind != "Explained")
    head = "".join(f'<th scope="col">{escape(kind)}</th>' for kind in kinds)
    rows = ""
    for name, counter in heads.items():
        title = escape(METHOD_TITLES.get(name, name))
        cells = "".join(f"<td>{counter[kind]}</td>" for kind in kinds)
        rows += f'<tr><th scope="row">{title}</th>{cells}</tr>'
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
