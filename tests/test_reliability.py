"""The page of what make torture measured."""

from xml.sax.saxutils import quoteattr

import pytest
from reliability import main


def junit(*cases):
    """A junit XML as pytest writes it: of each case its name, its outcome and what it told."""
    made = []
    for name, outcome, told in cases:
        said = "".join(
            f'<property name="fault" value={quoteattr(fault)} /><property name="figure" value={quoteattr(text)} />'
            for fault, text in told
        )
        made.append(
            f'<testcase classname="tests.test_a" name="{name}"><properties>{said}</properties>{outcome}</testcase>'
        )
    return f'<?xml version="1.0"?><testsuites><testsuite name="pytest">{"".join(made)}</testsuite></testsuites>'


def written(tmp_path, text):
    source, out = tmp_path / "torture.xml", tmp_path / "page.md"
    source.write_text(text, encoding="utf-8")
    return main(str(source), str(out)), out


def test_one_row_for_each_fault_in_order(tmp_path):
    law = ("hypothesis on masks", "2,000 examples")
    status, out = written(
        tmp_path,
        junit(
            ("test_b", "", [law, ("zip bomb", "0 of 9 | refused")]),
            ("test_a", "", [law]),
            ("test_c", "", [("hypothesis on masks", "64 examples"), ("Disk full", "≤ 1 s")]),
            ("test_d[gpu]", '<skipped message="no GPU" />', []),
            ("test_e", "", []),
        ),
    )
    text = out.read_text(encoding="utf-8")
    assert status == 0
    assert [line for line in text.splitlines() if line.startswith("| ")] == [
        "| fault | figure |",
        "| Disk full | ≤ 1 s |",
        "| hypothesis on masks | 2 × 2,000 examples; 64 examples |",
        "| zip bomb | 0 of 9 / refused |",
    ]
    assert "\n4 tests, on " in text
    assert "Not tried there: test_d[gpu]." in text
    assert (
        written(tmp_path, (tmp_path / "torture.xml").read_text(encoding="utf-8"))[1].read_text(encoding="utf-8") == text
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (junit(("test_a", "", [("a", "1")]), ("test_b", '<failure message="no">x</failure>', [])), "test_b first"),
        (junit(("test_a", "", [("a", "1")]), ("test_b", '<error message="no">x</error>', [])), "1 of 2 tests failed"),
        (junit(("test_a", "", [])), "no test told a figure"),
        (junit(), "no test told a figure"),
        ("<testsuites><testsuite>", "no junit XML"),
    ],
)
def test_what_failed_or_told_nothing_makes_no_page(tmp_path, capsys, text, word):
    status, out = written(tmp_path, text)
    said = capsys.readouterr().err
    assert status == 1
    assert not out.exists()
    assert said.count("\n") == 1
    assert word in said
    assert main(str(tmp_path / "absent.xml"), str(out)) == 1
    assert "absent.xml" in capsys.readouterr().err


def test_a_page_that_stands_is_not_lost(tmp_path):
    (tmp_path / "page.md").write_text("of before", encoding="utf-8")
    status, out = written(tmp_path, junit(("test_a", "<failure />", [("a", "1")])))
    assert (status, out.read_text(encoding="utf-8")) == (1, "of before")


def test_pytest_writes_what_a_test_tells(pytestconfig):
    """In the family xunit2, pytest's default, a test has no properties, and telling one is an error here."""
    assert pytestconfig.getini("junit_family") in ("xunit1", "legacy")
