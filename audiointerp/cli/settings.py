"""Options from a file: ``--settings FILE`` puts its values in the place of a command's defaults."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from ..errors import ArgumentError

LARGEST = 2**20  # bytes


def read_settings(path: Path) -> dict[str, Any]:
    """The keys and values of a TOML or JSON file, told apart by its ending.

    Raises:
        ArgumentError: it is missing, too large, of another ending, broken, or no table of keys.
    """
    readers = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in readers:
        raise ArgumentError(f"--settings {path}: a settings file ends in .toml or .json")
    if not path.is_file():
        raise ArgumentError(f"--settings {path}: no such file")
    if path.stat().st_size > LARGEST:
        raise ArgumentError(f"--settings {path}: {path.stat().st_size} bytes are too many, the limit is {LARGEST}")
    try:
        content = readers[path.suffix](path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"--settings {path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise ArgumentError(f"--settings {path}: is no table of keys and values")
    return content


def _apply(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a file the defaults of the command that is called."""
    if path is None:
        return None
    command = context.command
    types = get_type_hints(command.callback)
    options = {name: option for option in command.params for name in option.opts if name.startswith("--")}
    known = {name.removeprefix("--"): options[name] for name in sorted(options) if name not in ("--help", "--settings")}
    defaults = {}
    for key, value in read_settings(path).items():
        if key not in known:
            raise ArgumentError(f"--settings {path}: unknown key {key!r:.80}; this command knows: {', '.join(known)}")
        name = str(known[key].name)
        _check(f"--settings {path}: {key}", value, types[name])
        try:
            known[key].process_value(context, value)
        except Exception as error:  # out of its range; each kind of option says so in its own way
            raise ArgumentError(f"--settings {path}: {key} = {value!r:.80}: {error}") from error
        defaults[name] = value
    context.default_map = defaults
    return path


def _check(place: str, value: Any, kind: Any) -> None:
    """Raise an ArgumentError where a value is not of an option's own type, or of one that a file writes it in."""
    kinds = {each for each in get_args(kind) or (kind,) if each is not type(None)}
    for wanted, accepted, words in (
        (bool, (bool,), "true or false"), (int, (int,), "a whole number"), (float, (int, float), "a number"),
        (str, (str,), "text"), (Path, (str,), "text"),
    ):  # fmt: skip
        if wanted in kinds and (not isinstance(value, accepted) or (isinstance(value, bool) and wanted is not bool)):
            raise ArgumentError(f"{place} must be {words}, not {value!r:.80}")


Settings = Annotated[
    Path | None,
    typer.Option(
        "--settings", is_eager=True, callback=_apply,
        help="A TOML or JSON file of options by their long names (epochs = 60); the command line wins.",
    ),
]  # fmt: skip
