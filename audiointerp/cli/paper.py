"""The commands that write what is committed beside the code: noises, results, supplementary."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import AudioInterpError
from .options import (
    FILL_NAMES,
    Device,
    Out,
    Results,
    Resume,
    Subset,
    Workers,
    app,
    check_folder,
    names_in,
    shard_in,
)


@app.command()
def noises(out: Out = Path("noises")) -> None:
    """Write the three synthetic background noises, 5 s each.

    The same bytes each time.

    Example (in a shell):

      audiointerp noises --out noises
    """
    from ..dataset import write_noises

    for path in write_noises(out):
        typer.echo(f"wrote {path}")


@app.command("results")
def study(
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder like ESC-50; default: AUDIOINTERP_DATA, data/ESC-50, or synthetic clips."
        ),
    ] = None,
    subset: Subset = None,
    experiments: Annotated[
        str | None,
        typer.Option(help="Comma-separated, e.g. mel_horse,mel_horse_noise_trained; default: all."),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Comma-separated, see run; default: ten of them.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of results; the default depends on the data.")
    ] = None,
    resume: Resume = True,
    device: Device = "cpu",
    workers: Workers = 1,
    shard: Annotated[
        str, typer.Option(help="2/4: only the second of four parts of the clips, in order.")
    ] = "1/1",
) -> None:
    """Run the experiments of the study.

    Four are on mel features, one on STFT, with ten methods each. If there is a network that heard
    the noises in training (its name ends in _noise), the four run on it as well. If it is
    interrupted, the same command resumes it; once complete, it changes nothing.

    Example (in a shell):

      audiointerp results --data data/ESC-50 --subset esc10 --workers 4

      audiointerp results --data data/ESC-50 --subset esc10 --experiments mel_horse
    """
    from ..paper import COMPARED_METHODS, run_study, settings_of_study

    if out is not None:
        check_folder(out)
    part = shard_in(shard)
    chosen = None if experiments is None else names_in(experiments, "--experiments")
    for setting in settings_of_study(data, subset, chosen):
        typer.echo(setting.description)
    rows_by_experiment = run_study(
        data,
        subset,
        experiments=chosen,
        methods=COMPARED_METHODS if methods is None else names_in(methods, "--methods"),
        out=out,
        resume=resume,
        device=device,
        workers=workers,
        shard=part,
    )
    failed = 0
    for name, rows in rows_by_experiment.items():
        errors = int((rows["status"] == "error").sum())
        failed += errors
        typer.echo(f"{name}: {len(rows)} rows, {errors} of them errors")
    _refuse_failed(failed)


def _refuse_failed(failed: int) -> None:
    if failed:
        raise AudioInterpError(
            "some clips failed: see the columns stage and error of metrics.csv; "
            "the same command retries them"
        )


@app.command()
def pack(
    source: Annotated[Path, typer.Argument(help="A folder of finished results.")],
    out: Annotated[Path, typer.Argument(help="The folder to write to.")],
    fill: Annotated[
        str | None, typer.Option(help=f"Only rows of this fill: {', '.join(FILL_NAMES)}.")
    ] = None,
) -> None:
    """Write finished results once more, as small Parquet files.

    Each number has four digits. Everything that reads results reads them. What is there already is
    left as it is.

    Examples (in a shell):

      audiointerp pack results_esc10 results

      audiointerp pack results_esc10/crossval_mel_clean folds --fill background
    """
    from ..paper import pack_results

    paths = pack_results(source, out, fill)
    size = sum(path.stat().st_size for path in paths)
    typer.echo(f"packed {len(paths)} methods into {out}: {size / 1e6:.1f} MB")


@app.command()
def supplementary(
    weights: Annotated[Path, typer.Option(help="A classifier of the synthetic clips.")] = Path(
        "weights/synthetic_mel_cnn10.safetensors"
    ),
    results: Results = Path("results"),
    out: Out = Path("supplementary"),
) -> None:
    """Illustrate four methods on synthetic clips.

    Writes pictures, a page, and the tables as one PDF. The same bytes each time on one machine.

    Example (in a shell):

      audiointerp supplementary --out supplementary
    """
    from ..paper import paper_of, write_supplementary

    # First, since missing results are an error and the pictures take minutes.
    paper = paper_of(results, published=True)
    for path in (*write_supplementary(weights, out), *paper.leading().write(out, ["pdf"])):
        typer.echo(f"wrote {path}")
