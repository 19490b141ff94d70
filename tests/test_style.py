"""The style that a program can hold: line length, comprehensions, names, comments, docstrings."""

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

import pytest

import audiointerp

pytestmark = pytest.mark.no_cover
PACKAGE = Path(audiointerp.__file__).parent
TESTS = Path(__file__).parent
LONGEST_LINE = 100
RIDDLES = {"told", "found", "made", "own", "one", "ones", "said", "heard", "theirs", "mine"}
"""Names of locals that do not say what they hold."""
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
PRAGMAS = ("noqa", "type:", "fmt:", "pragma:")

MODULES = sorted(PACKAGE.rglob("*.py"))
STUBS = sorted(PACKAGE.rglob("*.pyi"))
TEST_FILES = sorted(TESTS.glob("*.py"))


def name_of(path):
    return str(path.relative_to(PACKAGE.parent if PACKAGE in path.parents else TESTS.parent))


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def in_each(paths, faults_of):
    """The faults of each file that has some."""
    by_file = {name_of(path): list(faults_of(path)) for path in paths}
    return {name: faults for name, faults in by_file.items() if faults}


def test_lines_are_short():
    def long_lines(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if len(line) > LONGEST_LINE]

    assert in_each([*MODULES, *STUBS, *TEST_FILES], long_lines) == {}


def test_no_comprehension_inside_another():
    def nested(path):
        for outer in ast.walk(parsed(path)):
            if isinstance(outer, COMPREHENSIONS):
                inner = [node for node in ast.walk(outer) if isinstance(node, COMPREHENSIONS)]
                if len(inner) > 1:
                    yield ast.unparse(outer)

    assert in_each([*MODULES, *TEST_FILES], nested) == {}


def assigned_names(node):
    """The names that one node binds: assignments, loops, ``with``, comprehensions."""
    targets = {
        ast.Assign: lambda: node.targets,
        ast.AnnAssign: lambda: [node.target],
        ast.For: lambda: [node.target],
        ast.comprehension: lambda: [node.target],
        ast.NamedExpr: lambda: [node.target],
        ast.withitem: lambda: [node.optional_vars] if node.optional_vars else [],
    }.get(type(node), list)()
    for target in targets:
        for name in ast.walk(target):
            if isinstance(name, ast.Name):
                yield name.id


def test_locals_have_names_that_say_what_they_hold():
    def riddles(path):
        names = [name for node in ast.walk(parsed(path)) for name in assigned_names(node)]
        return [name for name in names if name in RIDDLES]

    assert in_each(MODULES, riddles) == {}


def test_comments_stand_on_lines_of_their_own():
    def beside(path):
        text = path.read_text(encoding="utf-8")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            is_text = not token.string.lstrip("# ").startswith(PRAGMAS)
            before = token.line[: token.start[1]].strip()
            if token.type == tokenize.COMMENT and is_text and before:
                yield token.string

    assert in_each(MODULES, beside) == {}


def public_definitions(path):
    """The public functions and classes of a module, and the public methods of the classes."""
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                        yield member


def raises_by_itself(function):
    """Whether a function has a ``raise`` of its own that names an error."""
    return any(isinstance(node, ast.Raise) and node.exc for node in ast.walk(function))


def test_public_functions_and_classes_have_an_example():
    def without(path):
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                docstring = ast.get_docstring(node) or ""
                if ">>>" not in docstring and "Example" not in docstring:
                    yield node.name

    assert in_each(MODULES, without) == {}


def test_public_functions_name_the_errors_they_raise():
    def without(path):
        for node in public_definitions(path):
            is_silent = "Raises:" not in (ast.get_docstring(node) or "")
            if isinstance(node, ast.FunctionDef) and raises_by_itself(node) and is_silent:
                yield node.name

    assert in_each(MODULES, without) == {}


def test_docstrings_are_full_phrases():
    def genitives(path):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                docstring = ast.get_docstring(node) or ""
                if docstring.startswith(("Of ", "To ", "By ")):
                    yield docstring

    assert in_each(MODULES, genitives) == {}
