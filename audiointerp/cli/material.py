"""The commands that make what is committed beside the code: noises, supplementary."""

from pathlib import Path
from typing import Annotated

import typer

from .options import app


@app.command()
def noises(
    out: Annotated[Path, typer.Option(help="The folder of the sound files.")] = Path("noises"),
) -> None:
    """Write the three made background noises, 5 s each, to listen to; the same bytes each time.

    Example:
      audiointerp noises --out noises
    """
    from ..dataset import write_noises

    for path in write_noises(out):
        typer.echo(f"wrote {path}")
