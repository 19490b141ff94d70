"""What the wheel holds: the package whole, its networks, and nothing else.

That it works in an empty environment is shown by ``python tests/built_wheel.py``, which
``make torture`` runs.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import built_wheel as script
import pytest

import audiointerp
from audiointerp.model import SHIPPED

ROOT = Path(audiointerp.__file__).parents[1]
BUILD = """
import sys
from setuptools import build_meta

# Building changes sys.argv.
folder = sys.argv[1]
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution, built without a network."""
    pytest.importorskip("setuptools", "77", reason="needs setuptools 77 (the extra test)")
    folder = tmp_path_factory.mktemp("built")
    sources = script.copy_sources(tmp_path_factory.mktemp("sources"))
    command = [sys.executable, "-c", BUILD, folder]
    subprocess.run(command, cwd=sources, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def version():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.search(r'^version = "(.+)"', text, re.M)[1]


def test_the_version_is_the_same_everywhere(version):
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.M)[1] == version


def test_the_wheel_holds_the_package_and_its_networks_and_nothing_else(built, version):
    wheel, _ = built
    assert wheel.name == f"audiointerp-{version}-py3-none-any.whl"
    assert script.names_in(wheel) == script.expected_names(version)


def test_what_is_expected_of_it(version):
    """The list that the wheel is compared with has what no wheel may lack."""
    names = script.expected_names(version)
    assert {"audiointerp/py.typed", "audiointerp/__init__.pyi"} <= names
    assert {"audiointerp/display/page/page.css", "audiointerp/display/page/start.js"} <= names
    assert "audiointerp/paper/published_tables.csv" in names
    kept = {name.rpartition("/")[2] for name in names if name.endswith(".safetensors")}
    assert kept == set(SHIPPED.values())
    folders = {name.partition("/")[0] for name in names}
    info = f"audiointerp-{version}"
    assert folders == {"audiointerp", f"{info}.data", f"{info}.dist-info"}
    assert not [name for name in names if name.endswith((".wav", ".pyc", ".ipynb"))]


def test_its_metadata_state_the_licence_the_command_and_the_extras(built, version):
    wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        info = f"audiointerp-{version}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        commands = archive.read(f"{info}/entry_points.txt").decode()
    assert metadata["License-Expression"] == "MIT"
    assert "audiointerp = audiointerp.cli:main" in commands
    extras = {"notebooks", "docs", "explore", "hf", "scale", "ray", "test"}
    assert set(metadata.get_all("Provides-Extra")) == extras
    python = [line for line in metadata.get_all("Classifier") if "Python :: 3." in line]
    lowest = metadata["Requires-Python"].split(",")
    assert f">={python[0].rpartition(' ')[2]}" in lowest


def test_a_wheel_can_be_built_from_the_source_distribution(built, version):
    _, sdist = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    shared = f"audiointerp-{version}.data/data/share/audiointerp/"
    expected = {name.removeprefix(shared) for name in script.expected_names(version)}
    needed = {name for name in expected if not name.startswith("audiointerp-")}
    assert needed | {"pyproject.toml", "README.md", "LICENSE"} <= names
    assert not [name for name in names if name.startswith(("results", "docs", "noises"))]
