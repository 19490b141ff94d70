"""Builds the wheel, installs it into an empty environment, and uses it from an empty folder.

python tests/built_wheel.py [PYTHON …]

for each interpreter (by default, the one that runs this) makes an environment in a temporary
folder, lets pip install the wheel there with everything that it asks for (several GB, minutes),
and runs ``audiointerp --version``, ``audiointerp interpret --example siren`` and an import of every
module. Prints what it took; ends with an error if anything fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("audiointerp", "weights", "pyproject.toml", "README.md", "LICENSE")
"""What a wheel is built from."""
BUILT = shutil.ignore_patterns("__pycache__")
DIST_INFO = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt")
EVERY_MODULE = """
import importlib, pkgutil, warnings
import audiointerp
warnings.simplefilter("ignore", DeprecationWarning)
names = [each.name for each in pkgutil.walk_packages(audiointerp.__path__, "audiointerp.")]
for name in names:
    importlib.import_module(name)
print(len(names), audiointerp.__file__)
"""


def run(*command, cwd=None):
    """Return what a command prints, and its seconds.

    Raises:
        SystemExit: it failed; its output is shown.
    """
    # A path or a user's packages would add to the environment what the wheel does not ask for.
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    environment |= {"PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    began = time.monotonic()
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        shown = " ".join(map(str, command))
        raise SystemExit(f"{shown}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout, time.monotonic() - began


def copy_sources(folder):
    """Copy what the wheel is built from, since building writes beside it."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=BUILT)
        else:
            shutil.copy2(ROOT / name, folder / name)
    return folder


def expected_names(version):
    """The names in the wheel: the package, the networks that it knows by name, what pip needs."""
    package = (path for path in (ROOT / "audiointerp").rglob("*") if path.is_file())
    names = {
        path.relative_to(ROOT).as_posix() for path in package if path.parent.name != "__pycache__"
    }
    networks = (ROOT / "weights").glob("*_cnn10*.*")
    shared = f"audiointerp-{version}.data/data/share/audiointerp/weights"
    names |= {
        f"{shared}/{path.name}" for path in networks if path.suffix in (".safetensors", ".json")
    }
    return names | {f"audiointerp-{version}.dist-info/{name}" for name in DIST_INFO}


def names_in(wheel):
    """The names in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def build(python, folder):
    """Build the wheel from a copy of the sources; return its path.

    Raises:
        SystemExit: it holds too little or too much.
    """
    sources = copy_sources(folder / "sources")
    run(python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder / "wheels", sources)
    (wheel,) = (folder / "wheels").glob("*.whl")
    version = wheel.name.split("-")[1]
    differing = names_in(wheel) ^ expected_names(version)
    if differing:
        raise SystemExit(f"{wheel.name}: differs in {', '.join(sorted(differing))}")
    return wheel


def use(python, wheel, folder):
    """Install the wheel with what it asks for, and use it; print what it took."""
    run(python, "-m", "venv", folder / "venv")
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    of_venv, command = scripts / "python", scripts / "audiointerp"
    _, seconds = run(of_venv, "-m", "pip", "install", "--quiet", wheel)
    run(of_venv, "-m", "pip", "check")
    empty = folder / "empty"
    empty.mkdir()
    label = run(of_venv, "--version")[0].strip()
    print(f"{label}: installed in {seconds:.0f} s", flush=True)
    version, seconds = run(command, "--version", cwd=empty)
    print(f"  audiointerp --version: {version.strip()}, {seconds:.2f} s", flush=True)
    modules, _ = run(of_venv, "-c", EVERY_MODULE, cwd=empty)
    count, place = modules.strip().splitlines()[-1].split()
    if Path(place).resolve().is_relative_to(ROOT):
        raise SystemExit(f"imported from {place}, not from the wheel")
    print(f"  {count} modules imported", flush=True)
    _, seconds = run(command, "interpret", "--example", "siren", cwd=empty)
    pages = sorted(empty.rglob("*.html"))
    if not pages or "siren" not in pages[0].read_text(encoding="utf-8"):
        raise SystemExit("audiointerp interpret --example siren: wrote no page of a siren")
    size = pages[0].stat().st_size
    print(f"  interpret --example siren: {size / 1e6:.1f} MB page, {seconds:.1f} s", flush=True)


def main(pythons):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sources").mkdir()
        wheel = build(sys.executable, Path(folder))
        print(f"{wheel.name}: {len(names_in(wheel))} files, {wheel.stat().st_size / 1e6:.1f} MB")
        for number, python in enumerate(pythons):
            place = Path(folder) / str(number)
            place.mkdir()
            use(python, wheel, place)
            shutil.rmtree(place)


if __name__ == "__main__":
    main(sys.argv[1:] or [sys.executable])
