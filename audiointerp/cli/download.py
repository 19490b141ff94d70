"""The command ``download``."""

from pathlib import Path
from typing import Annotated

import typer

from .options import app


@app.command()
def download(
    name: Annotated[
        str, typer.Argument(help="cnn14, cnn10, cnn6 (PANNs checkpoints) or esc50 (the data set).")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The folder; default: pretrained for checkpoints, data for esc50."),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            "--from", help="Another address of the same file (https, or http on this machine)."
        ),
    ] = None,
) -> None:
    """Download a checkpoint or the data set, and check it.

    Examples (in a shell):

      audiointerp download cnn14

      audiointerp download esc50 --out data
    """
    from ..downloads import download as download_source

    folder = out or Path("data" if name == "esc50" else "pretrained")
    path = download_source(name, folder, url=mirror)
    typer.echo(f"{path} is complete")
