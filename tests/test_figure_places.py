"""Each decimal of README and docs/ is found in a file of results, or told to be something else."""

import re

import figure_places
import pytest
from figure_places import (
    OF_A_MACHINE,
    SOURCES,
    TOLD,
    WRITTEN_BY_COMMAND,
    decimals,
    not_found,
    text_of,
    told,
)
from page_sentence import ROOT
from printed import COMMANDS, FOLDER

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/**/*.md",
        "results/README.md",
        "weights/README.md",
    )
    for path in ROOT.glob(pattern)
)
COMPARED = [page for page in PAGES if page not in {*WRITTEN_BY_COMMAND, *OF_A_MACHINE}]


@pytest.mark.parametrize("page", COMPARED)
def test_each_decimal_of_a_page_comes_from_somewhere(page):
    missing = not_found(page)
    assert sorted(set(missing) - told(page)) == [], "in no file of results; see figure_places.py"


@pytest.mark.parametrize("page", TOLD)
def test_what_is_told_is_on_the_page(page):
    assert sorted(told(page) - set(decimals(text_of(page)))) == []


def test_pages_that_are_left_out_are_there():
    assert {*WRITTEN_BY_COMMAND, *OF_A_MACHINE, *SOURCES, *TOLD} <= {
        *PAGES,
        "benchmarks/RESULTS.md",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_what_was_printed_stands_below_its_commands(name):
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    data = re.search(r"\S*ESC-10", text)
    commands = [each.replace("DATA", data[0] if data else "") for each in COMMANDS[name]]
    assert re.findall(r"^\$ (.*)$", text, re.M) == commands
    assert decimals(text.rsplit("$ ", 1)[1].split("\n", 1)[1])


def test_each_printed_file_is_quoted():
    kept = {path.stem for path in FOLDER.glob("*.txt")}
    assert kept == set(COMMANDS)
    patterns = [pattern for each in SOURCES.values() for pattern in each]
    quoted = {path.stem for pattern in patterns for path in FOLDER.glob(pattern)}
    assert quoted == kept


def test_a_figure_that_is_not_printed_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(figure_places, "ROOT", tmp_path)
    monkeypatch.setattr(figure_places, "SOURCES", {"page.md": ["made.txt"]})
    (tmp_path / "results" / "printed").mkdir(parents=True)
    (tmp_path / "results" / "printed" / "made.txt").write_text("$ made 9.9\na 0.50 -0.25\nb 0.75\n")
    page = tmp_path / "page.md"
    page.write_text("Half (.50), `x = 7.7`, and\n\n| a | **0.50** | −0.25 |\n")
    assert not_found("page.md") == []
    page.write_text("Now 0.51, and 9.9.\n\n| a | 0.50 | 0.25 |\n| b | 0.50 | 0.75 |\n")
    assert not_found("page.md") == ["0.51", "9.9", "0.50", "0.25", "0.50", "0.75"]
