"""The page of the figures of make torture."""

from xml.sax.saxutils import quoteattr

import pytest
from reliability import main


def properties_of(reports):
    names_and_values = []
    for fault, figure in reports:
        names_and_values += [("fault", fault), ("figure", figure)]
    return "".join(
        f'<property name="{name}" value={quoteattr(value)} />' for name, value in names_and_values
    )


def junit(*cases):
    """A junit XML as pytest writes it: for each case its name, its outcome and its reports."""
    elements = "".join(
        f'<testcase classname="tests.test_a" name="{name}">'
        f"<properties>{properties_of(reports)}</properties>{outcome}</testcase>"
        for name, outcome, reports in cases
    )
    suite = f'<testsuite name="pytest">{elements}</testsuite>'
    return f'<?xml version="1.0"?><testsuites>{suite}</testsuites>'


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
    assert "Skipped there: test_d[gpu]." in text
    assert (
        written(tmp_path, (tmp_path / "torture.xml").read_text(encoding="utf-8"))[1].read_text(
            encoding="utf-8"
        )
        == text
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (
            junit(
                ("test_a", "", [("a", "1")]), ("test_b", '<failure message="no">x</failure>', [])
            ),
            "test_b first",
        ),
        (
            junit(("test_a", "", [("a", "1")]), ("test_b", '<error message="no">x</error>', [])),
            "1 of 2 tests failed",
        ),
        (junit(("test_a", "", [])), "no test reported a figure"),
        (junit(), "no test reported a figure"),
        ("<testsuites><testsuite>", "no junit XML"),
    ],
)
def test_a_failed_test_or_no_figure_writes_no_page(tmp_path, capsys, text, word):
    status, out = written(tmp_path, text)
    said = capsys.readouterr().err
    assert status == 1
    assert not out.exists()
    assert said.count("\n") == 1
    assert word in said
    assert main(str(tmp_path / "absent.xml"), str(out)) == 1
    assert "absent.xml" in capsys.readouterr().err


def test_an_earlier_page_is_kept(tmp_path):
    (tmp_path / "page.md").write_text("of before", encoding="utf-8")
    status, out = written(tmp_path, junit(("test_a", "<failure />", [("a", "1")])))
    assert (status, out.read_text(encoding="utf-8")) == (1, "of before")


def test_pytest_writes_the_properties_of_a_test(pytestconfig):
    """The family xunit2, pytest's default, has no properties of tests."""
    assert pytestconfig.getini("junit_family") in ("xunit1", "legacy")
