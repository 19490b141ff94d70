"""The commands for the demo and for one clip: demo, interpret."""

import warnings
from collections import Counter
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
    from collections.abc import Callable

    from ..model import Classifier
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
    clips: Annotated[
        list[Path],
        typer.Argument(
            metavar="CLIP...",
            help="Sound files of any length, sample rate and channels, or folders of them.",
        ),
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
    windows: Annotated[
        str, typer.Option(help="Of a long clip: all, or strongest: the window of the largest p.")
    ] = "all",
    on: On = None,
    fill: Annotated[
        str, typer.Option(help=f"What removed bins become: {', '.join(FILL_NAMES)}.")
    ] = "silence",
    protocol: Protocol = "corrected",
    inversion: Annotated[str, typer.Option(help="gain, nnls, lstsq or griffinlim.")] = "gain",
    out: Out = Path("interpretation"),
    lossless: Annotated[
        bool, typer.Option(help="Of several clips: hold them as FLAC, not as MP3.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Explain a clip: write original, kept and removed sound, a picture, a page, the scores.

    Of several clips, or a folder of them, the page alone is written.

    Examples (in a shell):

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --target rooster

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --against rooster

      audiointerp interpret recordings/ --weights weights/esc10_mel_cnn10.safetensors --open

      audiointerp interpret dog.wav --model my_model:make_classifier --method integrated_gradients
    """
    from ..experiments import background_of_folder
    from ..interpretation import METHODS, resolve_mask
    from ..predict import interpret as interpret_clip
    from ..scoring import WINDOWS, window_name

    choose("method", method, METHODS)
    choose("windows", windows, WINDOWS)
    resolve_mask(mask)
    paths = _sound_files(clips)
    for path in paths:
        _refuse_overwriting(path, out)
    names = _names(paths)
    classifier = open_classifier(weights, model, hugging_face)
    if len(paths) > 1:
        _refuse_unreadable(paths, classifier)
    background_clips = None if background is None else background_of_folder(background, classifier)

    def explained(path: Path) -> "Interpretation":
        result = interpret_clip(
            classifier,
            path,
            method,
            mask,
            target=target,
            against=against,
            background=background_clips,
            windows=windows,
            inversion=inversion,
            protocol=protocol,
            on=on,
            fill=fill,
            device=device,
        )
        name = window_name(names[path], result.limits)
        _print_interpretation(result, name or path.name)
        return replace(result, clip=name)

    _write(paths, explained, out, lossless)
    index = out / "index.html"
    typer.echo(f"wrote {out}/ (open {index} to look and listen)")
    if open_page:
        typer.launch(index.absolute().as_uri())


def _write(
    paths: list[Path], explained: "Callable[[Path], Interpretation]", out: Path, lossless: bool
) -> None:
    """Write the folder of one clip, or the page of several."""
    from ..display import write_clips, write_interpretation

    if len(paths) == 1:
        result = explained(paths[0])
        write_interpretation(result, out, title=result.clip or paths[0].name)
    else:
        title = f"{len(paths)} clips explained"
        write_clips(map(explained, paths), len(paths), out, title, lossless)


def _sound_files(paths: list[Path]) -> list[Path]:
    """Return the files that are given, and those of the folders that are given, each once.

    Folders below these are not entered, which a line says.

    Raises:
        ArgumentError: a folder has no sound file.
    """
    from ..dataset import sound_files

    files: list[Path] = []
    for path in paths:
        inside = sound_files(path) if path.is_dir() else [path]
        if not inside:
            raise ArgumentError(
                f"{path}: this folder has no sound file; give files, or folders that have some"
            )
        files += inside
        below = _folders_with_sounds(path) if path.is_dir() else []
        if below:
            typer.echo(f"{path}: the folders below are left out, e.g. {below[0]}", err=True)
    return list(dict.fromkeys(files))


def _folders_with_sounds(path: Path) -> list[Path]:
    from ..dataset import AUDIO_ENDINGS

    files = path.glob("*/*")
    return sorted({file.parent for file in files if file.suffix.lower() in AUDIO_ENDINGS})


def _names(paths: list[Path]) -> dict[Path, str]:
    """Return the names of files, with their folders where two have the same name."""
    counts = Counter(path.name for path in paths)
    return {path: path.name if counts[path.name] == 1 else str(path) for path in paths}


def _refuse_unreadable(paths: list[Path], classifier: "Classifier") -> None:
    """Read all clips before the first is explained, which takes far longer.

    Raises:
        AudioError: a clip cannot be read.
    """
    from ..scoring import clip_of

    with warnings.catch_warnings():
        # They are shown when the clip is explained.
        warnings.simplefilter("ignore")
        for path in paths:
            clip_of(path, classifier)


def _refuse_overwriting(clip: Path, out: Path) -> None:
    from ..display import WRITTEN

    for path in (out / name for name in WRITTEN):
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
