"""Options from a file: ``--settings FILE`` replaces the defaults of a command."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from ..errors import ArgumentError, AudioInterpError

LARGEST = 2**20
"""Bytes that a settings file may have."""
READERS = {".toml": tomllib.loads, ".json": json.loads}
ACCEPTED_TYPES = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    Path: ((str,), "text"),
}
"""Type of an option, to the types that a file may give for it, and their description."""


def read_settings(path: Path) -> dict[str, Any]:
    """Read the keys and values of a TOML or JSON file; its suffix says which.

    Raises:
        ArgumentError: the file is missing, too large, damaged, of another kind, or does not hold
            keys and values.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "settings.toml")
    ...     _ = path.write_text("epochs = 60")
    ...     read_settings(path)
    {'epochs': 60}
    """
    if path.suffix not in READERS:
        raise ArgumentError(f"--settings {path}: a settings file ends in .toml or .json")
    if not path.is_file():
        raise ArgumentError(f"--settings {path}: no such file")
    size = path.stat().st_size
    if size > LARGEST:
        raise ArgumentError(f"--settings {path}: {size} bytes are too many, the limit is {LARGEST}")
    try:
        content = READERS[path.suffix](path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"--settings {path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise ArgumentError(f"--settings {path}: has no keys and values")
    return content


def _apply(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a settings file the defaults of the command that runs."""
    if path is None:
        return None
    types = get_type_hints(context.command.callback)
    options = _options_by_key(context)
    defaults = {}
    for key, value in read_settings(path).items():
        if key not in options:
            raise ArgumentError(
                f"--settings {path}: unknown key {key!r:.80}; "
                f"this command knows: {', '.join(options)}"
            )
        name = str(options[key].name)
        # An option that may be given several times, given once.
        if getattr(options[key], "multiple", False) and isinstance(value, str):
            value = [value]
        _check_type(f"--settings {path}: {key}", value, types[name])
        try:
            options[key].process_value(context, value)
        except AudioInterpError:
            raise
        # A value out of range; each kind of option raises an error of its own.
        except Exception as error:
            raise ArgumentError(f"--settings {path}: {key} = {value!r:.80}: {error}") from error
        defaults[name] = value
    context.default_map = defaults
    return path


def _options_by_key(context: typer.Context) -> dict[str, Any]:
    """List the options of the command by their long names, without the dashes."""
    options = {}
    for option in context.command.params:
        for name in option.opts:
            if name.startswith("--") and name not in ("--help", "--settings"):
                options[name.removeprefix("--")] = option
    return dict(sorted(options.items()))


def _check_type(place: str, value: Any, annotation: Any) -> None:
    """Raise an error if a value from a file does not have the type of its option."""
    option_types = set(get_args(annotation) or (annotation,)) - {type(None)}
    for option_type in option_types & ACCEPTED_TYPES.keys():
        accepted, description = ACCEPTED_TYPES[option_type]
        # True is an int in Python.
        is_wrong_bool = isinstance(value, bool) and option_type is not bool
        if is_wrong_bool or not isinstance(value, accepted):
            raise ArgumentError(f"{place} must be {description}, not {value!r:.80}")
    if value == "" and Path in option_types:
        raise ArgumentError(f"{place} is an empty path; give one, or . for the current folder")


Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        is_eager=True,
        callback=_apply,
        help="A TOML or JSON file of options by their long names (epochs = 60); "
        "options on the command line win.",
    ),
]
