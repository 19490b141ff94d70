"""The commands that make what is committed beside the code: noises, results, supplementary."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import AudioInterpError
from .options import Device, Resume, Subset, Workers, app, names_in


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


@app.command("results")
def study(
    data: Annotated[
        Path | None,
        typer.Option(help="A folder like ESC-50's; else AUDIOINTERP_DATA, else data/ESC-50, else the made set."),
    ] = None,
    subset: Subset = None,
    methods: Annotated[str, typer.Option(help="Comma-separated; see run.")] = "saliency,gradcam,shap,lime,random",
    out: Annotated[Path | None, typer.Option(help="The folder of results; what suits the data if left out.")] = None,
    resume: Resume = True,
    device: Device = "cpu",
    workers: Workers = 1,
) -> None:
    """Run the five experiments of the study on the data that is there, as the notebooks do.

    Stopped, the same command goes on where it was; a second call changes nothing.

    Example:
      audiointerp results --data data/ESC-50 --subset esc10 --workers 4
    """
    from ..setting import choose_setting, run_study

    for features in ("stft", "mel"):
        typer.echo(choose_setting(features, data, subset).told)
    found = run_study(data, subset, methods=names_in(methods), out=out, resume=resume, device=device, workers=workers)
    errors = {name: int((rows["status"] == "error").sum()) for name, rows in found.items()}
    typer.echo("\n".join(f"{name}: {len(rows)} rows, {errors[name]} of them errors" for name, rows in found.items()))
    if any(errors.values()):
        raise AudioInterpError(
            "some clips failed: see the columns stage and error of metrics.csv; the same command tries again"
        )


@app.command()
def supplementary(
    weights: Annotated[Path, typer.Option(help="A classifier of the made set.")] = Path(
        "weights/made_mel_cnn10.safetensors"
    ),
    results: Annotated[Path, typer.Option(help="The folder of results, for the tables.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="The folder of all of it.")] = Path("supplementary"),
) -> None:
    """Illustrate four methods on made sounds, make a page to listen to, and print every table of the paper as one PDF.

    The same bytes each time, on one machine.

    Example:
      audiointerp supplementary --out supplementary
    """
    from ..paper import paper_of
    from ..supplementary import write_supplementary

    paper = paper_of(results, published=True)  # told before the minutes of the pictures, if there is nothing
    for path in (*write_supplementary(weights, out), *paper.write(out, ["pdf"])):
        typer.echo(f"wrote {path}")
