"""Classifiers that code of the user makes: ``"module:function"``."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import ArgumentError, AudioInterpError
from ..util import one_line
from .decider import Decider

LONGEST_REASON = 300
Factory = str | Callable[[], Decider]
"""A function without arguments that makes a classifier, or its name ``"module:function"``."""


def made_by(factory: Factory) -> Decider:
    """Call a function that makes a classifier.

    A module is looked for in the current folder, too. Its code is run, so name only modules that
    you trust.

    Args:
        factory: the function, or its name ``"module:function"``.

    Raises:
        ArgumentError: there is no such module or function, or it does not return a classifier.

    >>> made_by("no_such_module:make")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: no_such_module:make: no module no_such_module: ...
    """
    name = factory if isinstance(factory, str) else getattr(factory, "__qualname__", repr(factory))
    function = _imported(factory) if isinstance(factory, str) else factory
    # The user's code can raise any error.
    try:
        classifier = function()
    except Exception as error:
        if isinstance(error, AudioInterpError):
            raise
        raise ArgumentError(f"{name}: {_reason(error)}") from error
    if not isinstance(classifier, Decider):
        raise ArgumentError(
            f"{name}: must return a Classifier, e.g. of Classifier.from_waveform, "
            f"not a {type(classifier).__name__}"
        )
    return classifier


def _imported(name: str) -> Callable[[], Decider]:
    module_name, separator, function_name = name.partition(":")
    if not separator or not module_name or not function_name:
        raise ArgumentError(f"{name!r}: a model's code is named module:function, e.g. my_net:make")
    # As `python -m` does; console scripts do not have the current folder on their path.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ArgumentError(
            f"{name}: no module {error.name}: {_where(module_name, function_name)}"
        ) from error
    except Exception as error:
        raise ArgumentError(
            f"{name}: {module_name} cannot be imported: {_reason(error)}"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        names = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise ArgumentError(
            f"{name}: {module_name} has no function {function_name}; "
            f"it has {', '.join(names) or 'none'}"
        )
    return function  # type: ignore[no-any-return]


def _where(module_name: str, function_name: str) -> str:
    if module_name.endswith(".py"):
        return f"a module is named without its suffix: {Path(module_name).stem}:{function_name}"
    return f"run from the folder of {module_name}.py, or install it"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {one_line(error, LONGEST_REASON)}"
