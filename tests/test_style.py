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


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=name_of)


@each([*MODULES, *STUBS, *TEST_FILES])
def test_lines_are_short(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE] == []


@each([*MODULES, *TEST_FILES])
def test_no_comprehension_inside_another(path):
    nested = []
    for outer in ast.walk(parsed(path)):
        if isinstance(outer, COMPREHENSIONS):
            inner = [node for node in ast.walk(outer) if isinstance(node, COMPREHENSIONS)]
            nested += [ast.unparse(outer)] * (len(inner) > 1)
    assert nested == []


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


@each(MODULES)
def test_locals_have_names_that_say_what_they_hold(path):
    names = [name for node in ast.walk(parsed(path)) for name in assigned_names(node)]
    assert [name for name in names if name in RIDDLES] == []


@each(MODULES)
def test_comments_stand_on_lines_of_their_own(path):
    text = path.read_text(encoding="utf-8")
    beside = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        comment = token.string.lstrip("# ")
        if token.type == tokenize.COMMENT and not comment.startswith(PRAGMAS):
            beside += [token.string] * bool(token.line[: token.start[1]].strip())
    assert beside == []


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


@each(MODULES)
def test_public_functions_and_classes_have_an_example(path):
    without = []
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            docstring = ast.get_docstring(node) or ""
            if ">>>" not in docstring and "Example" not in docstring:
                without.append(node.name)
    assert without == []


@each(MODULES)
def test_public_functions_name_the_errors_they_raise(path):
    without = []
    for node in public_definitions(path):
        docstring = ast.get_docstring(node) or ""
        if isinstance(node, ast.FunctionDef) and raises_by_itself(node):
            without += [node.name] * ("Raises:" not in docstring)
    assert without == []


@each(MODULES)
def test_docstrings_are_full_phrases(path):
    genitives = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            docstring = ast.get_docstring(node) or ""
            genitives += [docstring] * docstring.startswith(("Of ", "To ", "By "))
    assert genitives == []
