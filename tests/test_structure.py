"""The structure of the package: which room may import which, and what is in one place only."""

import ast
import json
import subprocess
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import audiointerp
from audiointerp.util.moved import MOVED

PACKAGE = Path(audiointerp.__file__).parent
TESTS = Path(__file__).parent
FLOORS = [
    {"errors", "metrics"},
    {"util"},
    {"processing", "interpretation"},
    {"model", "dataset"},
    {"fit", "scoring", "downloads"},
    {"events", "tables", "display", "experiments"},
    {"predict"},
    {"paper"},
    {"cli"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MOST_ARROWS = 90


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    # It is where Python looks for the command line, and does nothing but call it.
    return "cli" if room == "__main__" else room


@cache
def imported_modules(path):
    """The files of this package that a module imports, at its top or inside a function."""
    return list(files_imported_by(path))


def files_imported_by(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            # `import audiointerp.x` would escape this test; `from` imports are all that is used.
            assert not any(alias.name.split(".")[0] == "audiointerp" for alias in node.names), path
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            folder = path.parents[node.level - 1]
            base = folder.joinpath(*(node.module or "").split(".")) if node.module else folder
        elif (node.module or "").split(".")[0] == "audiointerp":
            base = PACKAGE.parent.joinpath(*node.module.split("."))
        else:
            continue
        for alias in node.names:
            candidates = (base / alias.name / "__init__.py", base / f"{alias.name}.py")
            own_file = [base / "__init__.py", base.with_suffix(".py")]
            yield next(file for file in (*candidates, *own_file) if file.is_file())


ARROWS = {
    (room_of(path), room_of(file))
    for path in modules()
    for file in imported_modules(path)
    if room_of(file) != room_of(path)
}


def test_every_room_has_a_floor_and_there_are_few():
    assert {room_of(path) for path in modules()} == set(FLOOR_OF)
    assert len(FLOOR_OF) <= 17
    assert len(ARROWS) <= MOST_ARROWS


@pytest.mark.parametrize(("room", "imported"), sorted(ARROWS))
def test_a_room_imports_from_lower_floors_only(room, imported):
    assert FLOOR_OF[imported] < FLOOR_OF[room], f"{room} imports {imported}"


def test_rooms_are_entered_through_their_init():
    for path in modules():
        for file in imported_modules(path):
            if room_of(file) != room_of(path) and file.parent != PACKAGE:
                assert file.name == "__init__.py", f"{path} imports {file}"


def test_modules_of_a_room_do_not_import_in_a_circle():
    imports = {path: set(imported_modules(path)) - {path} for path in modules()}
    # Inside a room, an import of the room's own __init__ is the import of a sibling by its name.
    finished = set()

    def visit(path, above):
        assert path not in above, f"circle through {[str(module) for module in (*above, path)]}"
        if path not in finished:
            for other in imports.get(path, ()):
                visit(other, (*above, path))
            finished.add(path)

    for path in imports:
        visit(path, ())


def names_bound_at_the_top(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name) for alias in node.names)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (name.id for name in ast.walk(node) if isinstance(name, ast.Name))


def is_there(module, name):
    """Whether a module of the package or of the tests has a name; others are not looked at."""
    beside = TESTS / f"{module}.py"
    if beside.is_file():
        return name in names_bound_at_the_top(beside)
    if module.split(".")[0] == "audiointerp":
        return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
    return True


def test_scripts_of_this_folder_import_what_is_there():
    """Not by importing them, since some need packages whose import takes seconds."""
    missing = []
    for path in sorted(TESTS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not path.name.startswith("test_"):
                names = [
                    alias.name for alias in node.names if not is_there(node.module, alias.name)
                ]
                missing += [f"{path.name}: {node.module}.{name}" for name in names]
    assert missing == []


def test_the_core_passes_tensors_only():
    for room in ("interpretation", "processing", "metrics"):
        assert {other for own, other in ARROWS if own == room} <= {"errors", "util"}
    assert {other for own, other in ARROWS if own == "model"} <= {"errors", "util", "processing"}


def test_each_room_says_what_it_is_for():
    for room in FLOOR_OF:
        path = PACKAGE / room / "__init__.py"
        if path.is_file():
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_torchaudio_is_imported_in_one_module():
    using = [path.name for path in modules() if "import torchaudio" in path.read_text("utf-8")]
    assert using == ["resampling.py"]


def test_no_file_is_long():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: length for path, length in lengths.items() if length > 300} == {}


def test_public_names_are_there_and_lazy():
    code = (
        "import sys, audiointerp; assert 'torch' not in sys.modules; "
        "print(audiointerp.GradCAM.name, audiointerp.fit.fit.__name__, audiointerp.run.__name__); "
        "import torch; audiointerp.LogMel()(torch.zeros(1, 1, 32000)); "
        # What writes the page of a clip.
        "audiointerp.interpret, audiointerp.report.write_interpretation; "
        # Each worker does this; captum, pictures and librosa would take seconds more.
        "assert not {'captum', 'matplotlib', 'shap', 'librosa'} & {*sys.modules}"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "gradcam fit run\n"
    for name in audiointerp.__all__:
        assert getattr(audiointerp, name) is not None
    assert set(audiointerp.__all__) <= set(dir(audiointerp))
    with pytest.raises(AttributeError, match="sing"):
        _ = audiointerp.sing


def test_importing_the_package_takes_no_time_and_nothing_heavy():
    code = (
        "import sys, time; before, began = set(sys.modules), time.process_time(); "
        "import audiointerp; print(time.process_time() - began); "
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(*sorted(loaded - sys.stdlib_module_names))"
    )
    seconds, names = [], []
    # Of a first import, Python may compile the sources.
    for _ in range(2):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        seconds.append(float(lines[0]))
        names.append(lines[1])
    assert set(names) == {"audiointerp lazy_loader"}
    # CPU seconds, since a busy machine takes longer by the clock.
    assert min(seconds) < 0.1


@pytest.fixture(scope="module")
def told_by_old_names():
    """What each old module name says when it is imported: its docstring and its warnings."""
    code = (
        "import importlib, json, sys, warnings\n"
        "told = {}\n"
        "for name in sys.argv[1:]:\n"
        "    with warnings.catch_warnings(record=True) as caught:\n"
        "        warnings.simplefilter('always')\n"
        "        doc = importlib.import_module(f'audiointerp.{name}').__doc__\n"
        "    told[name] = doc, [warning.category.__name__ for warning in caught]\n"
        "print(json.dumps(told))"
    )
    # One process for all.
    command = [sys.executable, "-c", code, *MOVED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", sorted(MOVED))
def test_old_module_names_still_import_with_a_deprecation_note(name, told_by_old_names):
    doc, warned = told_by_old_names[name]
    assert doc.startswith("Deprecated alias of audiointerp.")
    assert "DeprecationWarning" in warned
    for target in MOVED[name]:
        assert PACKAGE.joinpath(*target.split(".")).exists() or (
            PACKAGE.joinpath(*target.split(".")).with_suffix(".py").is_file()
        )


def test_an_old_module_name_gives_the_definitions():
    sys.modules.pop("audiointerp.training", None)
    with pytest.warns(DeprecationWarning, match=r"audiointerp\.fit"):
        from audiointerp.training import train_classifier, write_card
    assert train_classifier is audiointerp.fit.train_classifier
    assert write_card is audiointerp.display.write_card


@pytest.mark.parametrize(
    "name",
    ["requirements.txt", "README.md", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"],
)
def test_the_project_around_it(name):
    if not (PACKAGE.parent / "pyproject.toml").exists():
        pytest.skip("installed without its sources")
    assert (PACKAGE.parent / name).stat().st_size > 0
