"""Each figure of README and docs/ that comes from results is found there; others name a command."""

import re

import figures
import page_figures
import page_sentence
import pandas as pd
import pytest
from figures import SENTENCES
from fill_differences import page as fills_page
from page_figures import LOCALISATION
from page_sentence import ROOT, Sentence
from reproduce import SANITY_ROWS

from audiointerp.cli.sanity_page import _read_sanity_rows
from audiointerp.paper import localisation_page, report
from audiointerp.paper.localisation_run import BASELINE_NAMES
from audiointerp.paper.validity_page import _beyond_best_null
from audiointerp.tables import best_null_differences, read_runs, sanity_page

DOCS = ROOT / "docs"
COMMAND = re.compile(
    r"(?:python|pytest) (?:-m )?(tests/\w+\.py|benchmarks(?:\.\w+)?)|`(tests/test_\w+\.py)`"
    r"|\b(make [a-z-]+)|\b(audiointerp [a-z]+)"
)
"""What makes figures: a script or test, a benchmark, a target of make, a command."""
DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])")
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
BY_COMMAND = {
    "3.11": "a version of Python",
    "3.12": "a version of Python",
    "3.13": "a version of Python",
    "6.6": "du -sh .venv, after make test",
}
"""Decimals of README that no file of results has."""


def without_code(text):
    return re.sub(r"`[^`]*`", "", FENCED.sub("", text))


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda each: f"{each.page}: {each.text[:40]}")
def test_a_sentence_has_the_figures_of_its_results(sentence):
    assert sentence.faults() == [], "python tests/figures.py --write"


def test_the_tables_of_pages_are_those_of_the_results():
    assert figures.table_faults() == [], "python tests/figures.py --write"


def test_every_decimal_of_readme_comes_from_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rest = text
    for sentence in SENTENCES:
        if sentence.page == "README.md":
            rest = sentence.pattern.sub("", rest)
    assert set(DECIMAL.findall(without_code(rest))) <= set(BY_COMMAND)
    assert len(DECIMAL.findall(without_code(text))) > len(DECIMAL.findall(without_code(rest)))


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A page and results of our own, and the sentence between them."""
    monkeypatch.setattr(page_sentence, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text("Of all, Grad-CAM has\nthe most (+0.10\n[−0.16, +0.02]).\n")
    computed = ["Grad-CAM", "+0.10 [−0.16, +0.02]"]
    text = "Of all, {} has the most ({})."
    return Sentence("page.md", text, "rows.csv", lambda: computed, lambda: "−" not in computed[1])


def test_a_figure_that_differs_is_named_and_written(copy, tmp_path):
    assert copy.faults() == [f"page.md: no longer true by rows.csv: {copy.text!r}"]
    copy.figures()[:] = ["LIME", "+0.375"]
    assert copy.faults() == [
        "page.md: ['Grad-CAM', '+0.10 [−0.16, +0.02]'] should be ['LIME', '+0.375'], by rows.csv"
    ]
    copy.write()
    assert (tmp_path / "page.md").read_text() == "Of all, LIME has\nthe most (+0.375).\n"
    assert copy.faults() == []


def test_a_sentence_that_was_changed_is_named(copy, tmp_path):
    (tmp_path / "page.md").write_text("Of all, Grad-CAM has most.")
    with pytest.raises(ValueError, match=r"page.md: has 0 times, not once: 'Of all, \{\} has"):
        copy.faults()


def test_changed_results_change_the_figures(tmp_path, monkeypatch):
    rows = pd.read_csv(ROOT / LOCALISATION)
    best, contrast, *second = page_figures.best_contrasts(LOCALISATION)
    name = next(
        each for each in page_figures.METHOD_TITLES if page_figures.METHOD_TITLES[each] == best
    )
    of_best = (rows["method"] == name) & (rows["weight"] == "none")
    path = tmp_path / LOCALISATION
    path.parent.mkdir(parents=True)
    rows.assign(contrast=rows["contrast"].where(~of_best, 0.8)).to_csv(path, index=False)
    monkeypatch.setattr(page_figures, "ROOT", tmp_path)
    page_figures.contrasts.cache_clear()
    assert (
        page_figures.best_contrasts(LOCALISATION)
        == [best, "0.80", *second]
        != [best, contrast, *second]
    )
    page_figures.contrasts.cache_clear()


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("−0.10 [−0.16, +0.02]", (-0.16, 0.02)),
        ("+0.30 [+0.20, +0.44]", (0.20, 0.44)),
        ("−27.0 [−43.2, −15.7]", (-43.2, -15.7)),
    ],
)
def test_the_ends_of_a_printed_interval(interval, expected):
    assert page_figures.ends(interval) == expected


@pytest.mark.parametrize("name", ["localisation", "localisation-clean"])
def test_the_page_of_localisation_is_that_of_its_rows(name):
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    path = ROOT / "results" / name.replace("-", "_") / "localisation.csv"
    rows = pd.read_csv(path, dtype={"recording": str})
    methods = dict.fromkeys(rows.loc[~rows["method"].isin(BASELINE_NAMES), "method"].dropna())
    command = re.search(r"^    (audiointerp localise .*)$", text, re.M)[1]
    weights = re.search(r"wrote this page, with (\S+)\. ", text)[1]
    caption, picture = re.search(r"^!\[(.*)\]\((.*)\)$", text, re.M).groups()
    assert localisation_page(rows, methods, command, weights, picture, caption) == text


def section(text, title):
    """The text below a heading, up to the next one."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.fixture(scope="module")
def clean_rows():
    """The rows of the clean mel experiment."""
    return read_runs(
        [path.parent for path in sorted(ROOT.glob("results/mel/mel_clean/*/run.json"))]
    )


def test_what_survives_in_the_page_of_validity_is_that_of_its_rows(clean_rows):
    text = (DOCS / "validity.md").read_text(encoding="utf-8")
    list_of_methods = _beyond_best_null(best_null_differences(clean_rows))
    assert list_of_methods in section(text, "What survives")


@pytest.mark.whole
def test_the_page_of_validity_is_that_of_its_rows(clean_rows):
    """But for the faults and the sanity checks, which the command measures anew."""
    text = (DOCS / "validity.md").read_text(encoding="utf-8")
    page = report(clean_rows, [], "", "", [], "validity.png")
    for title in (
        "What was published",
        "What survives",
        "Details: the published conclusions",
        "Details: does a method beat chance?",
        "Details: the table",
    ):
        assert section(page, title) == section(text, title), title


def test_the_page_of_fills_is_that_of_its_rows():
    path = ROOT / "results" / "fills" / "fills.csv"
    if not path.is_file():
        pytest.skip("results/fills/fills.csv is not there: make reproduce writes it")
    text = (DOCS / "fills.md").read_text(encoding="utf-8")
    mixtures = int(re.search(r"at 0 dB: (\d+) mixtures", text)[1])
    rows = pd.read_csv(path, dtype={"recording": str})
    assert fills_page(rows, mixtures, "fills.png") == text


def test_the_page_of_sanity_is_that_of_its_rows():
    rows = _read_sanity_rows([ROOT / path for path in SANITY_ROWS.values()])
    assert sanity_page(rows) == (DOCS / "sanity.md").read_text(encoding="utf-8")


PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*/README.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_with_figures_names_the_commands_that_print_them(path):
    text = path.read_text(encoding="utf-8")
    found = [next(filter(None, groups)) for groups in COMMAND.findall(text)]
    if DECIMAL.search(without_code(text)):
        assert found
    targets = re.findall(r"^([a-z-]+(?: [a-z-]+)*):", (ROOT / "Makefile").read_text(), re.M)
    known_targets = {name for line in targets for name in line.split()}
    for command in found:
        if command.startswith("tests/"):
            assert (ROOT / command).is_file(), command
        elif command.startswith("benchmarks"):
            module = ROOT / command.replace(".", "/")
            assert module.is_dir() or module.with_suffix(".py").is_file(), command
    in_code = re.findall(r"`make ([a-z-]+)`", text)
    assert set(in_code) <= known_targets
