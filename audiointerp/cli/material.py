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


@app.command()
def supplementary(
    weights: Annotated[Path, typer.Option(help="A classifier of the made set.")] = Path(
        "weights/made_mel_cnn10.safetensors"
    ),
    out: Annotated[Path, typer.Option(help="The folder of pictures and page.")] = Path("supplementary"),
) -> None:
    """Illustrate four methods on made sounds, and make a page to listen to; the same bytes each time.

    Example:
      audiointerp supplementary --out supplementary
    """
    from ..supplementary import write_supplementary

    for path in write_supplementary(weights, out):
        typer.echo(f"wrote {path}")
