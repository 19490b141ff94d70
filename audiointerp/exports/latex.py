"""Tables as LaTeX: booktabs, and longtable where a page is not enough."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from .record import BEST, WORST, Cell, Table, one_line

LARGEST = 6.5
"""Points of a table's letters; less where its columns need it."""
PAGE_WIDTH, COLUMN_GAP, LETTER = 755.0, 6.0, 0.68
"""Points of a line of the document, points between two columns, and the width of a letter in its size (of Latin Modern at 5
points; at 10 it is half its size)."""
LONGEST = 30
"""Rows of a table that does not break over pages."""
LATIN = 0x180
"""The letters from here on stop pdflatex, but for those that are written as commands."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$",
    "*": "{*}", "–": "--", "×": r"$\times$", "·": r"$\cdot$", "†": r"$\dagger$", "…": r"\ldots{}", "[": "{[}", "]": "{]}",
}  # fmt: skip
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
    r"""A text in which nothing is a command.

    >>> print(escaped("topK_5 & 3 %"))
    topK\_5 \& 3 \%
    """
    known = "".join(letter if ord(letter) < LATIN or letter in _SPECIAL else "?" for letter in one_line(text))
    return "".join(_SPECIAL.get(letter, letter) for letter in known)


def as_latex(table: Table) -> str:
    r"""A table to ``\input``: the best bold, the worst italic, a block's name above its rows.

    The document needs the packages booktabs and longtable; a page in landscape suits the widest.
    """
    caption = rf"\caption[{escaped(table.title)}]{{{escaped(f'{table.title}. {table.caption}')}}}"
    label = rf"\label{{tab:{table.name}}}"
    width = 1 + len(table.columns)
    size = f"\\fontsize{{{_size(table):.1f}}}{{{1.25 * _size(table):.1f}}}\\selectfont"
    form = "l" + "r" * (width - 1)
    head = "\n".join([r"\toprule", *_head(table), r"\midrule"])
    body = "\n".join(_body(table, width))
    if len(table.frame) > LONGEST:
        again = rf"\multicolumn{{{width}}}{{l}}{{(continued)}}\\"
        inner = (
            f"\\begin{{longtable}}{{{form}}}\n{caption}{label}\\\\\n{head}\n\\endfirsthead\n{again}\n{head}\n\\endhead\n"
            f"\\bottomrule\n\\endfoot\n{body}\n\\end{{longtable}}"
        )
    else:
        inner = (
            f"\\begin{{table}}[htbp]\n\\centering{size}\n{caption}{label}\n"
            f"\\begin{{tabular}}{{{form}}}\n{head}\n{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}"
        )
    return f"{{{size}\n{inner}\n}}\n"


def _size(table: Table) -> float:
    """The size of letters with which the widest lines fit the page, as far as the number of letters tells."""
    lines = [[row, *(cell.text for cell in cells)] for _, row, cells in table.rows()]
    lines.append(["", *(column.sub or column.head for column in table.columns)])
    letters = sum(max(map(len, column)) for column in zip(*lines, strict=True))
    return min(LARGEST, (PAGE_WIDTH - COLUMN_GAP * len(lines[0])) / (LETTER * letters))


def document(title: str, notes: Sequence[str], names: Sequence[str]) -> str:
    """A document that shows the tables of these names, whose files stand beside it."""
    told = "\n\n".join(escaped(note) for note in notes)
    return _DOCUMENT % (escaped(title), told, "\n".join(rf"\input{{{name}}}" for name in names))


def _head(table: Table) -> Iterator[str]:
    """One line of heads, each over the columns that it is of, and one of what stands below them, if anything does."""
    spans = [(head, len(list(columns))) for head, columns in groupby(table.columns, lambda column: column.head)]
    named = [escaped(table.frame.index.names[1] or "")]
    if not any(column.sub for column in table.columns):
        yield " & ".join([*named, *(escaped(head) for head, _ in spans)]) + r"\\"
        return
    yield " & ".join(["", *(rf"\multicolumn{{{count}}}{{r}}{{{escaped(head)}}}" for head, count in spans)]) + r"\\"
    yield " & ".join([*named, *(escaped(column.sub) for column in table.columns)]) + r"\\"


def _body(table: Table, width: int) -> Iterator[str]:
    before = None
    for block, row, cells in table.rows():
        if block != before:
            if before is not None:
                yield r"\addlinespace"
            yield rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{escaped(block)}}}}}\\*"
        yield " & ".join([escaped(row), *(_cell(cell) for cell in cells)]) + r"\\"
        before = block


def _cell(cell: Cell) -> str:
    command = {BEST: r"\textbf", WORST: r"\textit"}.get(cell.mark)
    return f"{command}{{{escaped(cell.text)}}}" if command else escaped(cell.text)
