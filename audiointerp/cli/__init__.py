"""The command line: a thin layer over the library. A user's mistake is one line on stderr and exit 1."""

import sys
from typing import Annotated

import typer

from ..errors import AudioInterpError, Stopped
from . import fetching, making, material, results  # their import makes the commands
from .options import app

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
__all__ = ["app", "fetching", "main", "making", "material", "results"]


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Show, and let people hear, why an audio classifier decided."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(installed("audiointerp"))
        raise typer.Exit


def main() -> None:
    """Run the command line; the entry point of the ``audiointerp`` command."""
    try:
        from ..devices import keep_memory

        keep_memory()
        app()
    except KeyboardInterrupt:  # while torch was imported
        sys.exit(INTERRUPTED)
    except (AudioInterpError, OSError) as error:
        said = " ".join(str(error).split())  # one line, and no code that a terminal would obey
        typer.echo(f"audiointerp: {''.join(sign if sign.isprintable() else '?' for sign in said)}", err=True)
        sys.exit(INTERRUPTED if isinstance(error, Stopped) else 1)
