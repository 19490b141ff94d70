"""The command that fetches what is too large to lie beside the code: download."""

from pathlib import Path
from typing import Annotated

import typer

from .options import app


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="cnn14, cnn10, cnn6 (PANNs checkpoints) or esc50 (the data set).")],
    out: Annotated[
        Path | None, typer.Option(help="The folder; pretrained for checkpoints, data for the data set if left out.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option("--from", help="Another address of the same file (https, or http on this machine).")
    ] = None,
) -> None:
    """Fetch a checkpoint or the data set, checked and whole or not at all; a broken download is continued.

    Examples:
      audiointerp download cnn14

      audiointerp download esc50 --out data
    """
    from tqdm import tqdm

    from ..downloads import download as download_source

    with tqdm(desc=name, unit="B", unit_scale=True, disable=None, leave=False) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = download_source(
            name, out or Path("data" if name == "esc50" else "pretrained"), url=mirror, progress=show
        )
    typer.echo(f"{path} is there, whole")
