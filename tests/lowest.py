"""Runs the tests with the lowest versions that pyproject.toml allows, in an environment of its own.

python tests/lowest.py [--python PYTHON] [--keep FOLDER] [ARGUMENTS OF PYTEST …]

The packages that the library and its extras need are installed at their lowest versions, everything
else as pip chooses it to fit; the tools of the tests are at those of tests/requirements.txt. That
takes several GB and minutes. Without arguments, pytest runs all tests with one process per core.
With --keep, the environment stays, and the next call with the same folder uses it as it is.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("explore", "hf", "notebooks", "scale")
"""The extras that the tests use; Ray, which is large, has tests of its own."""
NOT_NEEDED = ("mkdocs", "mkdocs-material", "mkdocstrings-python", "mypy", "pandas-stubs", "ruff")
"""Tools that do not depend on what is tested here; tests that use them are skipped or fail."""
OLD = ("click<8.5",)
"""With click 8.5, typer before 0.26 leaves out what its help says of arguments."""
OF_PINNED_VERSIONS = (
    # Needs all tools, of which mkdocs-material asks for a later requests.
    "tests/test_dependencies.py::test_every_copyleft_licence_that_is_installed_is_named",
    # torch 2.6 imports sympy by itself when a network is built without its weights' memory.
    "tests/test_shell_interpret.py::test_one_clip_is_explained_without_what_is_slow_to_import",
    # With transformers 5.0 the untrained weights are others: SEW's p differ by 5e-4 from sound to
    # sound (the test asks for 1e-3), and a difference of the Conformer's score is near the rounding
    # of float32.
    "tests/test_transformers.py::test_a_folder_decides_as_its_owners_pipeline[SEW]",
    (
        "tests/test_transformers.py::"
        "test_gradients_of_the_score_equal_finite_differences_by_the_levels[Wav2Vec2Conformer]"
    ),
)
"""Tests of what is true of the pinned versions alone."""


def lowest(requirements):
    """The requirements at their lowest versions.

    Raises:
        ValueError: a requirement has no lowest version.
    """
    pins = []
    for requirement in requirements:
        found = re.match(r"([\w-]+)(?:\[[^]]*\])?>=([\w.]+)", requirement)
        if not found:
            raise ValueError(f"{requirement}: has no lowest version")
        pins.append(f"{found[1]}=={found[2]}")
    return pins


def packages():
    """What is installed beside the library: its requirements at their lowest, and the tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = list(project["dependencies"])
    for extra in EXTRAS:
        needed += project["optional-dependencies"][extra]
    pins = sorted(set(lowest(needed)))
    names = {pin.partition("==")[0] for pin in pins} | set(NOT_NEEDED)
    lines = (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    tools = [line for line in lines if "==" in line and line.partition("==")[0] not in names]
    return pins, tools


def make(python, folder):
    """Make the environment, and install the library and its tests' needs into it."""
    pins, tools = packages()
    print("\n".join(pins), flush=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    # In one call, so that pip looks for versions that fit all of them.
    subprocess.run([*pip, "install", "--quiet", *pins, *OLD, *tools], check=True)
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "-e", ROOT], check=True)
    subprocess.run([*pip, "check"], check=True)


def test(folder, arguments):
    """Run pytest there; return its exit status."""
    command = [folder / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider"]
    # Old packages use what newer ones of theirs deprecate.
    command += ["-W", "ignore::DeprecationWarning"]
    for name in OF_PINNED_VERSIONS:
        command += ["--deselect", name]
    command += arguments or ["-n", "auto"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("AUDIOINTERP_TORTURE", None)
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--keep", type=Path)
    given, arguments = parser.parse_known_args(words)
    if given.keep is None:
        with tempfile.TemporaryDirectory() as folder:
            make(given.python, Path(folder))
            return test(Path(folder), arguments)
    kept = given.keep.resolve()
    if not (kept / "bin" / "pytest").exists():
        make(given.python, kept)
    return test(kept, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
