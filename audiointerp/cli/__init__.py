"""The command line: a thin layer over the library. A user's mistake is one line on stderr and exit 1."""

import sys
from typing import Annotated

import typer

from ..errors import AudioInterpError
from . import making, material, results  # their import makes the commands
from .options import app

__all__ = ["app", "main", "making", "material", "results"]


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Show, and let people hear, why an audio classifier decided."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(installed("audiointerp"))
        raise typer.Exit


def main() -> None:
    """Run the command line; the entry point of the ``audiointerp`` command."""
    from ..devices import keep_memory

    keep_memory()
    try:
        app()
    except (AudioInterpError, OSError) as error:
        typer.echo(f"audiointerp: {' '.join(str(error).split())}", err=True)
        sys.exit(1)
