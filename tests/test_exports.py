"""Tables in every format: the same cells, complete files, no text outside a page."""

import io
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from made_results import made_rows
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Affine2D

from audiointerp.errors import ArgumentError, AudioInterpError
from audiointerp.interpretation.masks import MASKS
from audiointerp.paper.paper_tables import notes, paper_tables
from audiointerp.paper.published import STUDY_MASKS
from audiointerp.tables.latex import as_latex
from audiointerp.tables.pdf import pages, write_pdf
from audiointerp.tables.table import Column, as_csv, as_markdown, table_as_text, table_of
from audiointerp.tables.write import FORMATS, write_tables

NASTY = "50 % & {a_b} #1 $x$ ^~ \\end{table} | *b* <i> \n[x] 漢"


def small(name="small", blocks=("a", "b"), rows=("x", "y"), title="A title", caption="A caption."):
    index = pd.MultiIndex.from_product([blocks, rows], names=["method", "mask"])
    high = np.arange(len(index), dtype=float)
    ours = pd.DataFrame({"mean": high, "low": high - 0.5, "high": high + 0.5}, index)
    theirs = pd.DataFrame({"mean": [np.nan, *-high[1:]]}, index)
    return table_of(
        name,
        title,
        caption,
        [
            (Column("FF", higher_is_better=True), ours),
            (Column("FF", "published", higher_is_better=True), theirs),
            (Column("AD", decimals=1, higher_is_better=False), ours),
            (Column("clips", decimals=0), ours[["mean"]]),
        ],
    )


def test_cells_are_the_same_in_every_format():
    table = small()
    assert table.marks["FF", ""].tolist() == ["worst", "best", "worst", "best"]
    assert table.marks["AD", ""].tolist() == ["best", "worst", "best", "worst"]
    assert table.marks["FF", "published"].tolist() == [
        "",
        "",
        "best",
        "worst",
    ]  # one value alone is neither
    shown = [cell.text for _, _, cells in table.rows() for cell in cells]
    assert shown[:4] == ["0.000 [−0.50, 0.50]", "–", "0.0 [0, 0]", "0"]
    latex = (
        as_latex(table)
        .replace("{[}", "[")
        .replace("{]}", "]")
        .replace("$-$", "−")
        .replace("--", "–")
    )
    latex = latex.replace("\\textbf", "").replace("\\textit", "").replace("{", "").replace("}", "")
    drawn = {text.get_text() for page in pages([table], "T", []) for text in page.texts}
    for text in shown:
        assert text in table_as_text(table)
        assert text in as_markdown(table).replace("\\", "")
        assert text in latex
        assert text in drawn


def test_marks_in_each_format():
    table = small()
    lines = as_markdown(table).splitlines()
    assert lines[4].startswith("| a | x | *0.000")
    assert lines[5].startswith("|  | y | **1.000")
    text = table_as_text(table).splitlines()
    assert "1.000 [0.50, 1.50]*" in text[5]
    assert "0.000 [−0.50, 0.50]†" in text[4]
    assert r"\textbf{1.000 {[}0.50, 1.50{]}}" in as_latex(table)
    *_, page = pages([table], "T", [])
    style = {text.get_text(): (text.get_weight(), text.get_style()) for text in page.texts}
    assert style["3.000 [2.50, 3.50]"] == ("bold", "normal")
    assert style["2.000 [1.50, 2.50]"] == ("normal", "italic")


def test_csv_holds_the_numbers_in_full():
    table = paper_tables(made_rows(("mel_clean",), ("lime",), on=("features",)), ["masks"], True)[0]
    # As text: some versions of pandas read the last digit of a number wrong.
    read = pd.read_csv(io.StringIO(as_csv(table)), dtype=str).set_index(["method", "mask"])
    for column in table.columns:
        name = f"{column.head} {column.sub}".strip()
        assert np.array_equal(read[name].map(float), table.numbers(column)["mean"], equal_nan=True)
        if column.higher_is_better is not None:
            assert (
                read[f"{name} mark"].fillna("").tolist()
                == table.marks[column.head, column.sub].tolist()
            )
    assert np.array_equal(read["FF low"].map(float), table.numbers(table.columns[0])["low"])


def test_equal_as_shown_is_marked_alike():
    index = pd.MultiIndex.from_product([["a"], ["x", "y", "z"]])
    column = Column("FF", decimals=2, higher_is_better=True)
    table = table_of("t", "T", "", [(column, pd.DataFrame({"mean": [0.501, 0.499, 0.1]}, index))])
    assert table.marks["FF", ""].tolist() == ["best", "best", "worst"]
    assert column.text(-0.001) == "0.00"


def test_latex_is_whole_whatever_a_name_holds():
    table = small(blocks=(NASTY, "b"), rows=("x_1", "*y"), title=NASTY, caption=NASTY)
    made = as_latex(table)
    for word in ("table", "tabular"):
        assert made.count(rf"\begin{{{word}}}") == made.count(rf"\end{{{word}}}") == 1
    assert "longtable" not in made
    lines = made.splitlines()
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    rows = [line for line in body if line != r"\addlinespace"]
    assert all(line.endswith(r"\\") for line in rows)
    assert [len(re.findall(r"(?<!\\)&", line)) for line in rows] == [5] * 4
    assert r"x\_1" in made
    assert not re.search(r"(?<!\\)[%#_]", made.replace("{tabular}", ""))
    assert made.count(r"\toprule") == made.count(r"\midrule") == made.count(r"\bottomrule") == 1
    depth = 0
    for letter in re.sub(r"\\[{}]", "", made):
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    long = as_latex(small(rows=tuple(MASKS) + tuple(f"m{number}" for number in range(20))))
    assert long.count(r"\begin{longtable}") == long.count(r"\end{longtable}") == 1
    assert r"\endhead" in long
    assert as_latex(
        small(blocks=("漢字",))
    ).isascii()  # pdflatex stops at a letter that its fonts lack


def test_markdown_has_one_cell_a_column_whatever_a_name_holds():
    lines = as_markdown(small(blocks=(NASTY, "b"))).splitlines()[2:]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}
    assert small()._repr_markdown_() == as_markdown(small())


def outside(page, margin=30):
    """The texts of a page outside its margins (in points), and pairs that overlap in a line."""
    canvas = FigureCanvasAgg(page)
    page.set_dpi(720)  # at few dots an inch letters stand on whole dots, which a PDF does not have
    width, height = page.get_size_inches() * 72
    renderer = canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).transformed(Affine2D().scale(0.1)))
        for text in page.texts
    ]
    wrong = [
        text
        for text, box in boxes
        if box.x0 < margin or box.x1 > width - margin or box.y0 < margin or box.y1 > height - margin
    ]
    ordered = sorted(boxes, key=lambda one: (round(one[1].y0 / 3), one[1].x0))
    touching = [
        (left[0], right[0])
        for left, right in pairwise(ordered)
        if abs(left[1].y0 - right[1].y0) < 2 and right[1].x0 < left[1].x1 - 0.5
    ]
    return wrong + touching


def test_pages_are_a4_and_nothing_leaves_them():
    rows = made_rows(("mel_clean",), ("saliency",))
    tables = [paper_tables(rows, ["masks"], published=True)[0], paper_tables(rows, ["heard"])[2]]
    odd = small("odd", (NASTY * 3, "b"), ("m" * 300, "y"), title=NASTY * 8, caption="word " * 400)
    made = list(pages([*tables, odd], NASTY, [*notes(rows), "w" * 900]))
    for number, page in enumerate(made, 1):
        assert (page.get_size_inches() * 25.4).tolist() == pytest.approx([297, 210])
        assert outside(page) == []
        assert f"page {number} of {len(made)}" in [text.get_text() for text in page.texts]
    texts = [text.get_text() for page in made for text in page.texts]
    for mask in STUDY_MASKS:
        assert texts.count(mask) == 2
    starts = {
        text.get_text(): number
        for number, page in enumerate(made, 1)
        for text in page.texts
        if text.get_size() == 11
    }
    listed = [text.get_text() for text in made[1].texts]
    assert str(starts[tables[0].title]) in listed


def test_a_block_longer_than_a_page_goes_on():
    table = small(blocks=("a",), rows=tuple(f"row{number}" for number in range(130)))
    made = list(pages([table], "T", []))
    words = [text.get_text() for page in made for text in page.texts]
    assert all(words.count(f"row{number}") == 1 for number in range(130))
    assert len(made) == 2 + 4
    assert words.count("A title (continued)") == words.count("a (continued)") == 3
    assert all(outside(page) == [] for page in made)


def objects_of(path):
    """The objects of a PDF by number, as text; of two with one number the one in the table."""
    data = path.read_bytes()
    start = int(re.findall(rb"startxref\n(\d+)", data)[-1])
    places = re.findall(rb"(\d{10}) \d{5} n", data[start:])
    found = {}
    for place in map(int, places):
        number = int(re.match(rb"(\d+) 0 obj", data[place:])[1])
        found[number] = data[place : data.index(b"endobj", place)].decode("latin-1")
    return found


def link(text, key):
    return int(match[1]) if (match := re.search(rf"/{key} \[? ?(\d+) 0 R", text)) else None


def bookmarks_of(objects, parent, pages):
    """The entries below one: title, page from 1, and what is below it."""
    entries, number, before = [], link(objects[parent], "First"), None
    while number is not None:
        entry = objects[number]
        assert (link(entry, "Parent"), link(entry, "Prev")) == (parent, before)
        title = re.search(r"/Title \((.*?)\)", entry, re.S)[1].replace("\n", " ")
        page = pages.index(link(entry, "Dest")) + 1
        entries.append((title, page, bookmarks_of(objects, number, pages)))
        number, before = link(entry, "Next"), number
    assert link(objects[parent], "Last") == before
    return entries


def test_bookmarks_lead_to_the_pages_of_the_tables(tmp_path):
    titles = ["Masks: clean", "Masks: noisy", "Noise: clean", "Summary"]
    rows = tuple(f"row{number}" for number in range(60))
    tables = [small(title, ("a",), rows, title) for title in titles]
    path = tmp_path / "tables.pdf"
    count = write_pdf(path, tables, "T", ["Note."])
    objects = objects_of(path)
    root = link(path.read_bytes().decode("latin-1"), "Root")
    kids = re.search(r"/Kids \[(.*?)\]", objects[link(objects[root], "Pages")], re.S)[1]
    page_objects = [int(number) for number in re.findall(r"(\d+) 0 R", kids)]
    assert len(page_objects) == count
    starts = {}
    for number, page in enumerate(pages(tables, "T", ["Note."]), 1):
        for text in page.texts:
            if text.get_size() == 11:
                starts.setdefault(text.get_text(), number)
    first, second, third, fourth = (starts[title] for title in titles)
    assert len({first, second, third, fourth}) == 4
    below = [("clean", first, []), ("noisy", second, [])]
    assert bookmarks_of(objects, link(objects[root], "Outlines"), page_objects) == [
        ("Masks", first, below),
        ("Noise: clean", third, []),
        ("Summary", fourth, []),
    ]


def test_files_are_whole_and_the_same_again(tmp_path):
    tables = [small(), small("other")]
    written = write_tables(tables, tmp_path / "new" / "folder", FORMATS, "T", ["Note."])
    before = {path: path.read_bytes() for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert [path.name for path in written] == [
        "csv",
        "latex",
        "tables.md",
        "tables.txt",
        "tables.pdf",
    ]
    single = ["tables.tex", "tables.md", "tables.txt", "tables.pdf", "contents.csv"]
    each = [f"{name}.{ending}" for name in ("small", "other") for ending in ("csv", "tex")]
    assert sorted(path.name for path in before) == sorted([*single, *each])
    assert written[-1].read_bytes().startswith(b"%PDF")
    assert r"\input{other}" in (tmp_path / "new" / "folder" / "latex" / "tables.tex").read_text()
    write_tables(tables, tmp_path / "new" / "folder", FORMATS, "T", ["Note."])
    assert {path: path.read_bytes() for path in before} == before
    for wrong in ([], [small(), small()]):
        with pytest.raises(ArgumentError, match="different names"):
            write_tables(wrong, tmp_path / "x", ["csv"], "T")
    with pytest.raises(ArgumentError, match="unknown format 'doc'"):
        write_tables(tables, tmp_path / "x", ["csv", "doc"], "T")
    assert not (tmp_path / "x").exists()
    with pytest.raises(AudioInterpError, match="does not exist"):
        write_pdf(tmp_path / "none" / "x.pdf", tables, "T", [])


def test_a_block_is_a_table():
    block = small().block("b")
    assert [row for _, row, _ in block.rows()] == ["x", "y"]
    assert block.marks["FF", ""].tolist() == ["worst", "best"]
    with pytest.raises(KeyError):
        small().block("c")
