"""Tables as LaTeX, by pandas' Styler: booktabs, and longtable for tables longer than a page."""

from collections.abc import Sequence

import pandas as pd

from ..util import one_line
from .cells import BEST, WORST, Cell
from .table import Table

LARGEST = 6.5
"""Largest font size of a table, in points; smaller if its columns need it."""
PAGE_WIDTH, COLUMN_GAP = 755.0, 6.0
"""Width of a line of the document, and the gap between two columns, in points."""
LETTER = 0.68
"""Width of a letter relative to its size: Latin Modern at 5 points (at 10 points it is 0.5)."""
LONGEST = 30
"""Most rows of a table that is kept on one page."""
LATIN_END = 0x180
"""First code point that the fonts of pdflatex lack; such letters become question marks."""
_COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "†": r"$\dagger$",
    "…": r"\ldots{}",
    **{letter: f"\\{letter}" for letter in "{}&%$#_"},
    # At the start of a row these would be arguments of the line break before it.
    **{letter: f"{{{letter}}}" for letter in "*[]"},
}
_CSS = {BEST: "textbf:--rwrap", WORST: "textit:--rwrap", "": ""}
_DOCUMENT = r"""\documentclass[10pt,a4paper,landscape]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{lmodern}
\usepackage[margin=15mm]{geometry}
\usepackage{booktabs,longtable}
\setlength{\tabcolsep}{3pt}
\begin{document}
\title{%s}
\author{}\date{}
\maketitle
%s
\listoftables
\clearpage
%s
\end{document}
"""


def escaped(text: object) -> str:
    r"""Escape a text for LaTeX; letters that pdflatex cannot print become question marks.

    >>> print(escaped("topK_5 & 3 %"))
    topK\_5 \& 3 \%
    """
    letters = (
        _COMMANDS.get(letter, letter if ord(letter) < LATIN_END else "?")
        for letter in one_line(text)
    )
    return "".join(letters)


def as_latex(table: Table) -> str:
    r"""Format as LaTeX for ``\input``: best bold, worst italic, a block's name in its first row.

    The document needs the packages booktabs and longtable; wide tables need a landscape page.

    >>> from .cells import Column
    >>> from .table import table_of
    >>> index = pd.MultiIndex.from_product([["lime"], ["topK_5"]])
    >>> table = table_of("x", "X", "", [(Column("FF"), pd.DataFrame({"mean": [0.5]}, index))])
    >>> r"lime & topK\_5 & 0.500 \\" in as_latex(table)
    True
    """
    texts = [_texts(cells) for _, _, cells in table.rows()]
    shown = pd.DataFrame(texts, table.marks.index, table.marks.columns)
    styler = shown.rename_axis([escaped(name or "") for name in shown.index.names]).style
    if not any(column.sub for column in table.columns):
        styler.hide(axis="columns", level=1)
    styler.format(escaped).format_index(escaped).format_index(escaped, axis="columns")
    styler.apply(lambda _: table.marks.replace(_CSS), axis=None)
    long = len(texts) > LONGEST
    size = _font_size(table)
    font = f"\\fontsize{{{size:.1f}}}{{{1.25 * size:.1f}}}\\selectfont"
    if not long:
        # A float starts in the document's own size, so the size is set inside it too.
        styler.set_table_styles([{"selector": font[1:], "props": ":;"}])
    lines = styler.to_latex(
        environment="longtable" if long else "table",
        hrules=True,
        column_format="ll" + "r" * len(table.columns),
        multicol_align="r",
        multirow_align="naive",
        clines="skip-last;data",
        position=None if long else "htbp",
        position_float=None if long else "centering",
        caption=(escaped(f"{table.title}. {table.caption}"), escaped(table.title)),
        label=f"tab:{table.name}",
    )
    # A small gap between blocks, where Styler draws a line.
    lines = lines.replace(f"\\cline{{1-{2 + len(table.columns)}}}", r"\addlinespace")
    return f"{{{font}\n{lines}}}\n"


def _texts(cells: Sequence[Cell]) -> list[str]:
    return [cell.text for cell in cells]


def _font_size(table: Table) -> float:
    """Estimate the largest font size at which the widest lines fit the page."""
    lines = [[block, row, *_texts(cells)] for block, row, cells in table.rows()]
    names = [str(name or "") for name in table.frame.index.names]
    lines.append([*names, *(column.sub or column.head for column in table.columns)])
    letters = sum(max(map(len, column)) for column in zip(*lines, strict=True))
    return min(LARGEST, (PAGE_WIDTH - COLUMN_GAP * len(lines[0])) / (LETTER * letters))


def document(title: str, notes: Sequence[str], names: Sequence[str]) -> str:
    r"""Return a LaTeX document that inputs the tables of these names from its own folder.

    >>> r"\input{masks}" in document("All tables", [], ["masks"])
    True
    """
    paragraphs = "\n\n".join(map(escaped, notes))
    inputs = "\n".join(rf"\input{{{name}}}" for name in names)
    return _DOCUMENT % (escaped(title), paragraphs, inputs)
