"""docs/dependencies.md says what the library stands on, and nothing else."""

import ast
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import audiointerp

ROOT = Path(audiointerp.__file__).parents[1]
IMPORTED_AS = {"scikit-image": "skimage"}
COPYLEFT = re.compile(r"GPL|MPL|General Public|Mozilla|EUPL|CDDL|EPL")


@pytest.fixture(scope="module")
def text():
    path = ROOT / "docs" / "dependencies.md"
    if not path.exists():
        pytest.skip("installed without its sources")
    return path.read_text(encoding="utf-8")


def tables(text):
    """The cells of each table, row by row without the head; a row is told by its first cell."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.M)
    rows = [
        [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()[2:]] for block in blocks
    ]
    return [{name: cells for name, *cells in table} for table in rows]


def pinned(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


@cache
def imported():
    """The packages that each module imports, modules named as on the page."""
    found = {}
    for path in sorted((ROOT / "audiointerp").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
        module = ".".join(path.relative_to(ROOT / "audiointerp").with_suffix("").parts).removesuffix(".__init__")
        found[module] = {name.split(".")[0] for name in names}
    return found


def importers(package):
    return [module for module, packages in imported().items() if package in packages]


def test_every_requirement_stands_in_its_table_and_no_other(text):
    core, tests = tables(text)
    assert {name: cells[0] for name, cells in core.items()} == pinned(ROOT / "requirements.txt")
    assert list(tests) == list(pinned(ROOT / "tests" / "requirements.txt"))
    declared = re.findall(r'^    "([a-z-]+)>=', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert set(declared) == (core.keys() | tests.keys()) - {"jupyter"}


def test_where_each_is_imported(text):
    for name, (_, _, where, *_) in tables(text)[0].items():
        using = importers(IMPORTED_AS.get(name, name))
        if where == "everywhere":
            assert len(using) > 20, name
        else:
            assert re.findall(r"`([\w.]+)`", where) == using, f"docs/dependencies.md, where {name} is imported"


def closure(names):
    """The installed distributions that these need, with themselves."""
    known, ahead = set(), list(names)
    while ahead:
        name = ahead.pop().lower().replace("_", "-")
        if name in known:
            continue
        try:
            needed = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue
        known.add(name)
        ahead += [each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    return known


def test_every_copyleft_licence_that_is_installed_is_named(text):
    core, tests = tables(text)
    for name in sorted(closure(core.keys() - {"jupyter"}) | tests.keys()):
        said = metadata(name)
        licence = [said["License-Expression"] or "", (said["License"] or "").split("\n")[0]]
        licence += [line for line in said.get_all("Classifier") or [] if line.startswith("License")]
        if any(COPYLEFT.search(line) for line in licence):
            assert f"**{name}**" in text or COPYLEFT.search(" ".join(tests.get(name, []))), f"{name}: {licence}"
