"""Writes docs/reliability.md from the figures of ``make torture``.

Usage: python tests/reliability.py JUNIT_XML OUT_MD

Tests report a figure through the fixture ``figure`` of conftest.py, which writes the properties
``fault`` and ``figure`` to pytest's junit XML. No page is written if a test failed.
"""

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from audiointerp.errors import AudioInterpError
from audiointerp.util.files import write_text

PAGE = """# What was tested, and what happened

The library makes two promises. **Runs are resumable**: after a fault, everything computed before
it is intact and is not computed again, and every clip ends as rows of scores or as an error row.
**Input files are harmless**: audio, weights, tables and archives from elsewhere are read or
refused with a one-line error that says what is wrong and where. They execute nothing, write
nothing outside their folder, and take bounded time and memory.

Each fault below was actually caused, and its test fails if the promise is broken. `make test`
runs a short version of each test on every change; `make torture` runs the full versions, and
writes this page only if all of them pass.

| fault | figure |
|---|---|
{rows}

{tests} tests, on {machine}.{skipped}

## Not covered

- Bugs inside the audio decoder or torch that a file may trigger: they are tested for, not ruled
  out; the figures count the attempts.
- Power loss on a disk that reports data as written before it is; network file systems.
- Operating systems and library versions other than those in the line above.
- Weights that load and fit but were trained to mislead, and audio made to mislead a network
  (adversarial examples).
- Faults that are not in the table.
"""


def cases(path: Path) -> list[ElementTree.Element]:
    """The test cases of a junit XML file.

    Raises:
        AudioInterpError: the file is not a junit XML file, or a test failed.
    """
    try:
        test_cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        raise AudioInterpError(
            f"{path}: no junit XML of pytest ({error}); run make torture"
        ) from error
    failed = [case.get("name", "?") for case in test_cases if _failed(case)]
    if failed:
        raise AudioInterpError(
            f"{path}: {len(failed)} of {len(test_cases)} tests failed, {failed[0]} first; "
            f"no page is written"
        )
    return test_cases


def _failed(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def figures(test_cases: list[ElementTree.Element]) -> dict[str, str]:
    """The figures by fault; equal figures of several tests are counted, others are listed.

    >>> properties = "<property name='fault' value='a'/><property name='figure' value='9 of 9'/>"
    >>> case = f"<testcase><properties>{properties}</properties></testcase>"
    >>> figures([ElementTree.fromstring(case)] * 2)
    {'a': '2 × 9 of 9'}
    """
    counts: dict[str, Counter[str]] = {}
    for case in test_cases:
        for fault, figure in _pairs(case):
            counts.setdefault(fault, Counter())[figure] += 1
    return {fault: _listed(counts[fault]) for fault in sorted(counts, key=str.casefold)}


def _listed(counts: Counter[str]) -> str:
    return "; ".join(
        f"{count} × {text}" if count > 1 else text for text, count in counts.most_common()
    )


def _pairs(case: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """The faults and figures that one test reported."""
    values: dict[str, list[str]] = {"fault": [], "figure": []}
    for entry in case.iter("property"):
        name, text = entry.get("name", ""), entry.get("value", "")
        if name in values:
            values[name].append(" ".join(text.replace("|", "/").split()))
    return zip(values["fault"], values["figure"], strict=True)


def page(test_cases: list[ElementTree.Element]) -> str:
    """The page in Markdown.

    Raises:
        AudioInterpError: no test reported a figure.
    """
    figure_of = figures(test_cases)
    if not figure_of:
        raise AudioInterpError("no test reported a figure; run make torture")
    skipped = [case.get("name", "?") for case in test_cases if case.find("skipped") is not None]
    software = f"Python {platform.python_version()}, torch {version('torch')}, {platform.system()}"
    return PAGE.format(
        rows="\n".join(f"| {fault} | {figure} |" for fault, figure in figure_of.items()),
        tests=len(test_cases) - len(skipped),
        machine=f"{os.cpu_count()} CPUs, {software}",
        skipped=f" Skipped there: {', '.join(skipped)}." if skipped else "",
    )


def main(source: str, out: str) -> int:
    """Write the page; 0, or 1 and one line on stderr."""
    try:
        write_text(Path(out), page(cases(Path(source))))
    except (AudioInterpError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tests/reliability.py JUNIT_XML OUT_MD")
    sys.exit(main(*sys.argv[1:]))
