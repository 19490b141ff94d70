"""The commands for the demo and for one clip: demo, interpret."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, choose
from .models import open_classifier
from .options import (
    FILL_NAMES,
    MASKS_HELP,
    METHOD_NAMES,
    Background,
    Data,
    Device,
    HuggingFace,
    Model,
    On,
    Out,
    Protocol,
    Subset,
    Weights,
    app,
    command_line,
)
from .settings_file import Settings

if TYPE_CHECKING:
    from ..predict import Interpretation


@app.command()
def demo(
    data: Data = None,
    subset: Subset = None,
    out: Out = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the network's initial weights.")] = 0,
    settings_file: Settings = None,
) -> None:
    """Train a small mel classifier, explain and score its test clips; takes a few minutes.

    Examples (in a shell):

      audiointerp demo

      audiointerp demo --data data/ESC-50 --subset esc10
    """
    from .demo import run_demo

    run_demo(data, subset, out, seed, command_line())


@app.command()
def interpret(
    clip: Annotated[
        Path, typer.Argument(help="A sound file of any length, sample rate and channels.")
    ],
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    method: Annotated[str, typer.Option(help=", ".join(METHOD_NAMES))] = "gradcam",
    mask: Annotated[str, typer.Option(help=MASKS_HELP)] = "topK_30",
    target: Annotated[
        str | None,
        typer.Option(help="The label to explain, by name or number; default: the predicted one."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Another label: explain why the label rather than this one."),
    ] = None,
    background: Background = None,
    on: On = None,
    fill: Annotated[
        str, typer.Option(help=f"What removed bins become: {', '.join(FILL_NAMES)}.")
    ] = "silence",
    protocol: Protocol = "corrected",
    inversion: Annotated[str, typer.Option(help="gain, nnls, lstsq or griffinlim.")] = "gain",
    out: Out = Path("interpretation"),
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Explain one clip: write original, kept and removed sound, a picture, a page, the scores.

    Examples (in a shell):

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --target rooster

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --against rooster

      audiointerp interpret dog.wav --model my_model:make_classifier --method integrated_gradients
    """
    from ..display import WRITTEN, write_interpretation
    from ..experiments import background_of_folder
    from ..interpretation import METHODS, resolve_mask
    from ..predict import interpret as interpret_clip

    choose("method", method, METHODS)
    resolve_mask(mask)
    _refuse_overwriting(clip, [out / name for name in WRITTEN])
    classifier = open_classifier(weights, model, hugging_face)
    clips = None if background is None else background_of_folder(background, classifier)
    result = interpret_clip(
        classifier,
        clip,
        method,
        mask,
        target=target,
        against=against,
        background=clips,
        inversion=inversion,
        protocol=protocol,
        on=on,
        fill=fill,
        device=device,
    )
    write_interpretation(replace(result, clip=clip.name), out, title=clip.name)
    _print_interpretation(result, clip.name)
    typer.echo(f"wrote {out}/ (open {out / 'index.html'} to look and listen)")


def _refuse_overwriting(clip: Path, outputs: list[Path]) -> None:
    for path in outputs:
        if clip.exists() and path.exists() and path.samefile(clip):
            raise ArgumentError(
                f"--out {path.parent}: this would overwrite {clip}; give another folder"
            )


def _print_interpretation(result: "Interpretation", clip: str) -> None:
    from ..display import additivity_notes
    from ..interpretation import surrogate_fit

    if result.arbitrary:
        typer.echo(
            "the attribution is the same everywhere (is the clip silent?): this mask is arbitrary"
        )
    typer.echo(f"{clip}: predicted {result.predicted}, explained {result.question}")
    if result.verdict:
        typer.echo(f"{result.verdict} {' '.join(result.verdict.details)}")
    for note in additivity_notes(result):
        typer.echo(note)
    # NaN for the other methods.
    fit = surrogate_fit(result.attribution)
    if fit == fit:
        typer.echo(f"LIME's surrogate: R2 = {fit:.2f}")
    for part, name in (("original", "p"), ("kept", "p_in"), ("removed", "p_out")):
        typer.echo(f"{part}: {result.p_text(name)}")
