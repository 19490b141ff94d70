"""The commands for the demo and for one clip: demo, interpret."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, choose
from ..util import importing
from .clip_sources import (
    EXAMPLE_NETWORK,
    ClipSource,
    check_sources,
    clip_sources,
    refuse_left_out,
    sound_files_of,
)
from .models import open_classifier
from .options import (
    FILL_NAMES,
    MASK_NAMES,
    MASKS_HELP,
    METHOD_NAMES,
    Background,
    Data,
    Device,
    HuggingFace,
    Model,
    Out,
    Protocol,
    Subset,
    Weights,
    app,
    command_line,
    starting_with,
)
from .settings_file import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..predict import Interpretation


@app.command()
def demo(
    data: Data = None,
    subset: Subset = None,
    out: Out = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the network's initial weights.")] = 0,
    settings_file: Settings = None,
) -> None:
    """Train a small mel classifier, and explain its test clips.

    They are scored, too; it takes a few minutes.

    Examples (in a shell):

      audiointerp demo

      audiointerp demo --data data/ESC-50 --subset esc10
    """
    from .demo import run_demo

    run_demo(data, subset, out, seed, command_line())


@app.command()
def interpret(
    clips: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CLIP...",
            help="Sound files of any length, sample rate and channels, or folders of them.",
        ),
    ] = None,
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    example: Annotated[
        str | None,
        typer.Option(
            help="A made sound instead of a file: siren, rain, whistle, …; by the network "
            "synthetic-mel, unless --weights is given.",
        ),
    ] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            autocompletion=starting_with(METHOD_NAMES),
            help=f"May be given several times: {', '.join(METHOD_NAMES)}; default: gradcam.",
        ),
    ] = None,
    mask: Annotated[
        str, typer.Option(autocompletion=starting_with(MASK_NAMES), help=MASKS_HELP)
    ] = "topK_30",
    target: Annotated[
        str | None,
        typer.Option(help="The label to explain, by name or number; default: the predicted one."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Another label: explain why the label rather than this one."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="The true label of the clips, if you know it: pages say which are wrong. Or "
            "folders: each clip's folder is named after its label.",
        ),
    ] = None,
    background: Background = None,
    windows: Annotated[
        str,
        typer.Option(
            help="Of a clip longer than the network's windows: strongest, the window with the "
            "largest p; or all, by the mean p of the windows.",
        ),
    ] = "strongest",
    on: Annotated[
        str | None,
        typer.Option(help="What is scored: features, or audio (the masked sound, classified)."),
    ] = None,
    fill: Annotated[
        str, typer.Option(help=f"What removed bins become: {', '.join(FILL_NAMES)}.")
    ] = "silence",
    protocol: Protocol = "corrected",
    inversion: Annotated[str, typer.Option(help="gain, nnls, lstsq or griffinlim.")] = "gain",
    out: Out = Path("interpretation"),
    lossless: Annotated[
        bool, typer.Option(help="Hold the sound of a page as FLAC, not as MP3.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Explain a clip: hear what is kept and what is removed.

    Writes original, kept and removed sound, a picture, a page and the scores. Of several clips, or
    a folder of them, the page alone is written; those that cannot be read are named and left out,
    and the command ends with 1. By several methods, a folder for each is written and a page with
    all.

    Examples (in a shell):

      audiointerp interpret --example siren --open

      audiointerp interpret dog.wav --weights esc10-mel --open

      audiointerp interpret dog.wav --weights esc10-mel --method gradcam --method saliency

      audiointerp interpret dog.wav --weights esc10-mel --against rooster

      audiointerp interpret dogs/ --weights esc10-mel --label dog

      audiointerp interpret dog.wav --model my_model:make_classifier --method integrated_gradients
    """
    with importing():
        from ..interpretation import METHODS, resolve_mask
        from ..predict import interpret as interpret_clip
        from ..scoring import WINDOWS, window_name
    paths = clips or []
    names = list(dict.fromkeys(methods or ["gradcam"]))
    check_sources(paths, example, label)
    for name in names:
        _check_method(name, METHODS)
    choose("windows", windows, WINDOWS)
    resolve_mask(mask)
    files = sound_files_of(paths)
    for file in files:
        for folder in (out, *(out / name for name in names)):
            _refuse_overwriting(file, folder)
    if example is not None and (weights, model, hugging_face) == (None, None, None):
        weights = EXAMPLE_NETWORK
    classifier = open_classifier(weights, model, hugging_face)
    sources = clip_sources(files, example, classifier, label)
    # An example is no file.
    count = max(len(files), 1)
    background_clips = None
    if background is not None:
        # Only here, since it takes a second to import what is for runs.
        from ..experiments import background_of_folder

        background_clips = background_of_folder(background, classifier)

    def explained(source: ClipSource) -> "list[Interpretation]":
        results = []
        for name in names:
            result = interpret_clip(
                classifier,
                source.audio,
                name,
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
            shown = window_name(source.name, result.limits) or source.name
            _print_interpretation(result, shown, name if len(names) > 1 else "", source.label)
            results.append(replace(result, clip=shown))
        return results

    _write(sources, count, explained, out, lossless)
    index = out / "index.html"
    typer.echo(f"wrote {out}/ (open {index} to look and listen)")
    if open_page:
        typer.launch(index.absolute().as_uri())
    refuse_left_out(count - len(sources), count)


def _check_method(name: str, known: "Iterable[str]") -> None:
    each = [part.strip() for part in name.split(",") if part.strip()]
    if len(each) > 1:
        options = " ".join(f"--method {part}" for part in each)
        raise ArgumentError(f"--method {name}: give each method by itself: {options}")
    choose("method", name, known)


def _write(
    sources: list[ClipSource],
    count: int,
    explained: "Callable[[ClipSource], list[Interpretation]]",
    out: Path,
    lossless: bool,
) -> None:
    """Write the folder of one clip, with one for each of several methods; or a page of ``count``.

    So many were given, readable or not: what is written must not depend on that.
    """
    from ..display import WRITTEN, interpretation_page, write_interpretation, write_report
    from ..util import write_text

    if count > 1:
        number = f"{count}" if len(sources) == count else f"{len(sources)} of {count}"
        title = f"{number} clips explained"
        clips = ((explained(source), source.label) for source in sources)
        write_report(clips, len(sources), out, title, lossless=lossless)
        left = [name for name in WRITTEN[:-1] if (out / name).exists()]
        if left:
            typer.echo(f"{out}: of an earlier explanation: {', '.join(left)}", err=True)
        return
    (source,) = sources
    results = explained(source)
    if len(results) == 1:
        title = results[0].clip or source.name
        write_interpretation(results[0], out, title, lossless, source.label)
        return
    for result in results:
        method = result.attribution.method
        title = f"{source.name}, {method}"
        write_interpretation(result, out / method, title, lossless, source.label)
    page = interpretation_page(source.name, [results], lossless, [source.label])
    write_text(out / "index.html", page)


def _refuse_overwriting(clip: Path, out: Path) -> None:
    inside = out.iterdir() if out.is_dir() and clip.exists() else ()
    same = [path.name for path in inside if path.exists() and path.samefile(clip)]
    if not same:
        # Nearly always: what draws takes long to import, and is not needed yet.
        return
    from ..display import WRITTEN

    if not set(WRITTEN).isdisjoint(same):
        raise ArgumentError(f"--out {out}: this would overwrite {clip}; give another folder")


def _print_interpretation(
    result: "Interpretation", clip: str, method: str = "", label: str | None = None
) -> None:
    from ..display import method_notes

    if result.arbitrary:
        typer.echo(
            "the attribution is the same everywhere (is the clip silent?): this mask is arbitrary"
        )
    if note := result.window_note("--windows all"):
        typer.echo(note)
    if note := result.rate_note():
        typer.echo(note)
    by = f" by {method}" if method else ""
    wrong = f" (wrong: it is {label})" if label not in (None, result.predicted) else ""
    typer.echo(f"{clip}: predicted {result.predicted}{wrong}, explained {result.question}{by}")
    if result.verdict:
        typer.echo(f"{result.verdict} {' '.join(result.verdict.details)}")
    for note in method_notes(result):
        typer.echo(note)
    for part, name in (("original", "p"), ("kept", "p_in"), ("removed", "p_out")):
        typer.echo(f"{part}: {result.p_text(name)}")
    if note := result.file_note():
        typer.echo(note)
