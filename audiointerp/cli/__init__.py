"""The command line: a thin layer over the library.

A user's mistake is one line on stderr and exit status 1. Nothing here imports torch until a
command runs, so ``--help`` is quick.
"""

import sys
import warnings
from typing import Annotated

import typer

from ..errors import AudioInterpError, Stopped
from ..util import keep_memory, one_line

# Importing these modules registers their commands.
from . import (
    crossval,
    download,
    localise,
    one_clip,
    paper,
    report,
    runs,
    sanity_page,
    scan,
    tables,
    training,
    validation,
)
from .command import Command
from .options import app

for _command in app.registered_commands:
    _command.cls = Command

INTERRUPTED = 130
"""The exit status after Ctrl-C, as in shells: 128 + SIGINT."""
__all__ = [
    "app",
    "crossval",
    "download",
    "localise",
    "main",
    "one_clip",
    "paper",
    "report",
    "runs",
    "sanity_page",
    "scan",
    "tables",
    "training",
    "validation",
]


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(version("audiointerp"))
        raise typer.Exit


@app.callback()
def _common_options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Show, and let people hear, why an audio classifier decided."""


def _warning_line(message: object, *_: object, **__: object) -> str:
    """Return what a warning says, without the place in the code, which says nothing to users."""
    return f"audiointerp: warning: {one_line(message)}\n"


def main() -> None:
    """Run the command line; the entry point of the command ``audiointerp``.

    Example:
      audiointerp --help
    """
    warnings.formatwarning = _warning_line
    try:
        keep_memory()
        app()
    # Typer handles Ctrl-C in a command; this one comes while the command is imported.
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (AudioInterpError, OSError) as error:
        typer.echo(f"audiointerp: {one_line(error)}", err=True)
        sys.exit(INTERRUPTED if isinstance(error, Stopped) else 1)
