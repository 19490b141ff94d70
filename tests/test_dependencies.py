"""docs/dependencies.md lists the dependencies, where they are imported, and their licences."""

import ast
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import lowest
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import audiointerp

ROOT = Path(audiointerp.__file__).parents[1]
IMPORTED_AS = {
    "lazy-loader": "lazy_loader",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
COPYLEFT = re.compile(r"GPL|MPL|General Public|Mozilla|EUPL|CDDL|EPL")


@pytest.fixture(scope="module")
def text():
    path = ROOT / "docs" / "dependencies.md"
    if not path.exists():
        pytest.skip("installed without its sources")
    return path.read_text(encoding="utf-8")


def cells_of(line):
    return [cell.strip() for cell in line.strip("|\n").split("|")]


def tables(text):
    """The rows of each table without its head: the first cell, to the other cells."""
    parsed = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = [cells_of(line) for line in block.splitlines()[2:]]
        parsed.append({name: cells for name, *cells in rows})
    return parsed


def pinned(path):
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    return dict(line.split("==") for line in lines)


def imported_names(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@cache
def imported():
    """The packages that each module imports; modules are named as on the page."""
    packages = {}
    for path in sorted((ROOT / "audiointerp").rglob("*.py")):
        parts = path.relative_to(ROOT / "audiointerp").with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        packages[module] = {name.split(".")[0] for name in imported_names(path)}
    return packages


def importers(package):
    return [module for module, packages in imported().items() if package in packages]


def test_each_requirement_is_in_its_table_and_no_other(text):
    core, tests = tables(text)
    assert {name: cells[0] for name, cells in core.items()} == pinned(ROOT / "requirements.txt")
    assert list(tests) == list(pinned(ROOT / "tests" / "requirements.txt"))
    for name, pin in pinned(ROOT / "tests" / "requirements-scale.txt").items():
        assert f"{name.partition('[')[0]} {pin}" in text, name
    declared = re.findall(
        r'^    "([a-z0-9-]+)>=', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )
    assert set(declared) == (core.keys() | tests.keys()) - {"jupyter"}


def test_each_requirement_has_a_lowest_version_that_the_pinned_one_is_not_below():
    pins, tools = lowest.packages()
    lowest_versions = dict(pin.split("==") for pin in pins)
    versions = pinned(ROOT / "requirements.txt") | pinned(ROOT / "tests" / "requirements.txt")
    assert set(pinned(ROOT / "requirements.txt")) <= set(lowest_versions)
    for name, version in lowest_versions.items():
        if name in versions:
            assert Version(version) <= Version(versions[name]), name
    assert not lowest_versions.keys() & {tool.partition("==")[0] for tool in tools}
    with pytest.raises(ValueError, match="tqdm: has no lowest version"):
        lowest.lowest(["tqdm"])


def test_where_each_is_imported(text):
    for name, (_, _, where, *_) in tables(text)[0].items():
        using = importers(IMPORTED_AS.get(name, name))
        if where == "everywhere":
            assert len(using) > 20, name
        else:
            expected = ", ".join(f"`{module}`" for module in using)
            assert where == expected, f"docs/dependencies.md, row {name}, column imported in"


def closure(names):
    """The installed distributions that these need, including themselves."""
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
        ahead += [
            each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})
        ]
    return known


def test_every_copyleft_licence_that_is_installed_is_named(text):
    core, tests = tables(text)
    for name in sorted(closure(core.keys() - {"jupyter"}) | tests.keys()):
        fields = metadata(name)
        licence = [fields["License-Expression"] or "", (fields["License"] or "").split("\n")[0]]
        classifiers = fields.get_all("Classifier") or []
        licence += [line for line in classifiers if line.startswith("License")]
        if any(COPYLEFT.search(line) for line in licence):
            assert f"**{name}**" in text or COPYLEFT.search(" ".join(tests.get(name, []))), (
                f"{name}: {licence}"
            )
