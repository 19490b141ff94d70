"""The order of the house: who may import whom, what stands in one place, how fast the door opens."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import audiointerp

PACKAGE = Path(audiointerp.__file__).parent
LAYERS = [
    {"errors"},
    {"files", "devices", "conventions", "memory", "signals", "connection", "bootstrap"},
    {"processing", "interpretation", "metrics", "archives", "transfer"},
    {"model", "dataset", "protocols"},
    {"fit", "explain", "downloads", "fingerprint"},
    {"curves"},
    {"rows"},
    {"predict", "store"},
    {"work"},
    {"experiments", "plot", "faults"},
    {"report", "tables", "training", "exports"},
    {"demo", "supplementary", "validity", "paper", "setting"},
    {"cli"},
]
SHOWN = {("predict", "report"), ("predict", "plot")}  # a record may draw itself when it is shown, imported there


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(path):
    """The first parts below audiointerp of what a module imports."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("audiointerp."):
            yield node.module.split(".")[1]


def test_each_module_imports_only_from_below():
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    for path in modules():
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in imports(path):
            below = level[name] < level[own] or name == own or (own, name) in SHOWN
            typing_only = own == "plot" and name in {"fit", "predict"}
            assert below or typing_only, f"{path.name} imports {name}"


def test_siblings_do_not_know_each_other():
    for own in ("interpretation", "processing", "metrics"):
        for path in modules():
            if path.relative_to(PACKAGE).parts[0].removesuffix(".py") == own:
                assert set(imports(path)) <= {"errors", "files", "conventions", "memory", own}
    for path in (PACKAGE / "model").glob("*.py"):
        assert set(imports(path)) <= {"errors", "files", "devices", "conventions", "processing"}


def test_torchaudio_is_imported_in_one_module():
    using = [path.name for path in modules() if "import torchaudio" in path.read_text(encoding="utf-8")]
    assert using == ["resampling.py"]


def test_no_file_is_long():
    assert [path.name for path in modules() if len(path.read_text(encoding="utf-8").splitlines()) > 300] == []


def test_public_names_are_there_and_lazy():
    code = (
        "import sys, audiointerp; assert 'torch' not in sys.modules; "
        "print(audiointerp.GradCAM.name, audiointerp.fit.fit.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "gradcam fit\n"
    for name in audiointerp.__all__:
        assert getattr(audiointerp, name).__doc__ or isinstance(getattr(audiointerp, name), dict)
    assert set(audiointerp.__all__) <= set(dir(audiointerp))
    with pytest.raises(AttributeError, match="sing"):
        _ = audiointerp.sing


@pytest.mark.parametrize(
    "name", ["requirements.txt", "README.md", "Makefile", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"]
)
def test_the_project_around_it(name):
    if not (PACKAGE.parent / "pyproject.toml").exists():
        pytest.skip("installed without its sources")
    assert (PACKAGE.parent / name).stat().st_size > 0
