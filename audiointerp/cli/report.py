"""The command that shows a finished run: report."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError
from .in_shards import Manifest
from .models import open_classifier
from .options import (
    MASKS_HELP,
    Background,
    Clips,
    Data,
    Device,
    HuggingFace,
    Model,
    Out,
    Subset,
    Weights,
    Workers,
    app,
    names_in,
)
from .own_clips import Part


@app.command()
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN...",
            help="Folders of one experiment, e.g. results/mel/mel_clean, or of its methods.",
        ),
    ] = None,
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    data: Data = None,
    clips: Clips = None,
    manifest: Manifest = None,
    part: Part = None,
    subset: Subset = None,
    folds: Annotated[
        str | None, typer.Option(help="The folds of the run; default: 5 of --data.")
    ] = None,
    noise: Annotated[
        Path | None, typer.Option(help="The sound file that replaced the experiment's noise.")
    ] = None,
    background: Background = None,
    mask: Annotated[str, typer.Option(help=MASKS_HELP)] = "topK_30",
    most: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Show so many clips, evenly spaced; default: all; of more than 1000, 20.",
        ),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(help="Show clips with these names, or patterns with *, comma-separated."),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Show clips with these true labels, comma-separated.")
    ] = None,
    out: Out = Path("report"),
    lossless: Annotated[bool, typer.Option(help="Hold clips as FLAC, not as MP3.")] = False,
    licence: Annotated[
        str | None, typer.Option(help="Of the sounds, for the page; a sentence.")
    ] = None,
    blind: Annotated[
        Path | None,
        typer.Option(help="Write a listening test to this folder instead of a page."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Where the key of the listening test is kept; default: beside its folder."
        ),
    ] = None,
    answers: Annotated[
        list[Path] | None,
        typer.Option(help="Filled answer sheets of a listening test: print what they say."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order in the listening test.")] = 0,
    workers: Workers = 1,
    resume: Annotated[
        bool,
        typer.Option(help="Keep the clips' pages of an earlier, e.g. interrupted, call."),
    ] = True,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    device: Device = "cpu",
) -> None:
    """Show a finished run as a page, to see and hear its clips.

    Each clip is shown by each method, and the scores below. The weights and the data are those of
    the run, which is checked. Attributions that the run kept are shown as they are; others are
    computed again. Above 20 clips, a folder is written. The scores are always those of all clips.

    With --blind, a listening test: kept parts of the methods and of random masks in random order,
    as loud as each other, with an answer sheet. The key is kept outside its folder. With --answers,
    filled sheets are read: the share that was named right, and how clear, by method.

    Raises:
        ArgumentError: no run is given, or two options do not go together.

    Examples (in a shell):

      audiointerp report results/mel/mel_clean --weights weights/synthetic_mel_cnn10.safetensors

      audiointerp report results/mel/mel_clean --weights mel.safetensors --data data/ESC-50 --open

      audiointerp report results/mel/birds --weights birds.safetensors --manifest birds.parquet

      audiointerp report results/mel/mel_clean --weights mel.safetensors --workers 4

      audiointerp report results/mel/mel_clean --weights mel.safetensors --blind test --most 20

      audiointerp report --answers test/answers.csv --key test_key.csv
    """
    if answers:
        if runs or blind is not None or key is None:
            raise ArgumentError(
                "--answers goes with --key FILE, which --blind wrote beside its folder, and "
                "without runs"
            )
        from .listening import print_answers

        print_answers(answers, key)
        return
    if workers > 1 and blind is not None:
        raise ArgumentError(
            f"--workers {workers} with --blind: one process makes a listening test; leave out "
            "--workers"
        )
    if not runs:
        raise ArgumentError("give the folder of a run, e.g. results/mel/mel_clean")
    if workers > 1 and device != "cpu":
        raise ArgumentError(
            f"--workers {workers} with --device {device}: several processes need a CPU; give "
            "--workers 1"
        )
    from .run_source import Place, open_source

    classifier = open_classifier(weights, model, hugging_face).to(device)
    source = open_source(
        runs,
        classifier,
        Place(data, clips, part, subset, folds, manifest),
        noise=noise,
        background=background,
        mask=mask,
        most=most,
        names=None if names is None else names_in(names, "--names"),
        labels=None if labels is None else names_in(labels, "--labels"),
    )
    if blind is not None:
        from .listening import write_test

        write_test(source, blind, key, seed)
        return
    from .report_page import write_page

    index = write_page(source, out, lossless, licence, workers, resume=resume)
    typer.echo(f"wrote {out}/ (open {index} to look and listen)")
    if open_page:
        typer.launch(index.absolute().as_uri())
