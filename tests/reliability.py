"""Writes docs/reliability.md from what ``make torture`` measured: python tests/reliability.py JUNIT_XML OUT_MD.

The tests tell their figures by the fixture ``figure`` of conftest.py, as the properties ``fault`` and ``figure`` of pytest's
junit XML. Nothing is written where a test has failed.
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
from audiointerp.files import write_text

PAGE = """# What was done to it, and what it did

Two promises. **A run survives**: what was computed before a fault is whole and is not computed again, and each clip ends as
rows. **A file cannot hurt**: audio, weights, tables and archives from elsewhere are read or refused, by an error of one line
that says what and where; they run nothing, write nothing outside their place and take bounded time and memory.

Each fault below was really brought about, and its test fails if the promise is broken. `make test` tries a little of each on
every change; `make torture` tried what stands here, and writes this page only if every test has passed.

| fault | figure |
|---|---|
{rows}

{tests} tests, on {machine}.{skipped}

## Not covered

- What a file makes the decoder or torch itself do inside their own code is tried, not proved: the figures count tries.
- A machine that loses power with a disk that lies about what it has written; file systems over a network.
- Operating systems and library versions other than those of the line above.
- Weights that load and fit, and are wrong: a network may have been trained to mislead. Nor is a sound made to mislead a
  network an error here.
- Faults that are not in the table.
"""


def cases(path: Path) -> list[ElementTree.Element]:
    """The test cases of a junit XML.

    Raises:
        AudioInterpError: there is none, or one did not pass.
    """
    try:
        found = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        raise AudioInterpError(f"{path}: no junit XML of pytest ({error}); run make torture") from error
    failed = [
        case.get("name", "?") for case in found if case.find("failure") is not None or case.find("error") is not None
    ]
    if failed:
        raise AudioInterpError(
            f"{path}: {len(failed)} of {len(found)} tests failed, {failed[0]} first; no page is made of it"
        )
    return found


def figures(found: list[ElementTree.Element]) -> dict[str, str]:
    """What was measured by fault; what several tests told of one fault is counted where it is the same, and else listed.

    >>> told = "<properties><property name='fault' value='a'/><property name='figure' value='9 of 9'/></properties>"
    >>> figures([ElementTree.fromstring(f"<testcase>{told}</testcase>")] * 2)
    {'a': '2 × 9 of 9'}
    """
    told: dict[str, Counter[str]] = {}
    for case in found:
        for fault, figure in _pairs(case):
            told.setdefault(fault, Counter())[figure] += 1
    return {
        fault: "; ".join(f"{count} × {text}" if count > 1 else text for text, count in told[fault].most_common())
        for fault in sorted(told, key=str.casefold)
    }


def _pairs(case: ElementTree.Element) -> Iterator[tuple[str, str]]:
    values: dict[str, list[str]] = {"fault": [], "figure": []}
    for entry in case.iter("property"):
        if entry.get("name") in values:
            values[entry.get("name", "")].append(" ".join(entry.get("value", "").replace("|", "/").split()))
    return zip(values["fault"], values["figure"], strict=True)


def page(found: list[ElementTree.Element]) -> str:
    """The page in Markdown.

    Raises:
        AudioInterpError: no test told a figure.
    """
    measured = figures(found)
    if not measured:
        raise AudioInterpError("no test told a figure; run make torture")
    skipped = [case.get("name", "?") for case in found if case.find("skipped") is not None]
    return PAGE.format(
        rows="\n".join(f"| {fault} | {figure} |" for fault, figure in measured.items()),
        tests=len(found) - len(skipped),
        machine=f"{os.cpu_count()} CPUs, Python {platform.python_version()}, torch {version('torch')}, {platform.system()}",
        skipped=f" Not tried there: {', '.join(skipped)}." if skipped else "",
    )


def main(source: str, out: str) -> int:
    """0, or 1 and one line on stderr."""
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
