"""The commands for one data set or one clip: demo, train, interpret."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, choose
from .options import (
    MASKS_HELP,
    METHOD_NAMES,
    Background,
    Data,
    Device,
    Out,
    Protocol,
    Subset,
    app,
    command_line,
    numbers_in,
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
def train(
    out: Out = Path("weights"),
    data: Data = None,
    subset: Subset = None,
    transform: Annotated[
        str, typer.Option("--transform", "--features", help="mel or stft (--features: old name).")
    ] = "mel",
    network: Annotated[str, typer.Option(help="Cnn6, Cnn10 or Cnn14.")] = "Cnn10",
    base_channels: Annotated[
        int, typer.Option(min=1, help="Channels of the first block; the official networks have 64.")
    ] = 16,
    epochs: Annotated[int, typer.Option(min=1)] = 60,
    learning_rate: Annotated[
        float, typer.Option(help="The highest rate of the one-cycle schedule.")
    ] = 3e-3,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="After each block.")] = 0.1,
    head_dropout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Before and after the embedding.")
    ] = 0.2,
    frequency_mask: Annotated[
        int, typer.Option(min=0, help="SpecAugment: the widest frequency mask, in bins.")
    ] = 10,
    time_mask: Annotated[
        int, typer.Option(min=0, help="SpecAugment: the widest time mask, in frames.")
    ] = 40,
    seeds: Annotated[
        str, typer.Option(help="Comma-separated; the best on the validation fold is saved.")
    ] = "0",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the files; default: from the data, transform and network."),
    ] = None,
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Train on folds 1-3, select on fold 4, test on fold 5; write the weights and a card.

    Examples (in a shell):

      audiointerp train --transform mel

      audiointerp train --data data/ESC-50 --subset esc10 --transform stft --seeds 0,1,2
    """
    from ..display import write_card
    from ..experiments import TEST_FOLDS, TRAIN_FOLDS, TRANSFORMS, VALID_FOLDS, open_data
    from ..fit import FitSettings, train_classifier

    preset = TRANSFORMS[choose("transform", transform, TRANSFORMS)]
    data_name = subset or ("synthetic" if data is None else "esc50")
    name = name or f"{data_name}_{transform}_{network.lower()}"
    settings = FitSettings(
        epochs=epochs,
        learning_rate=learning_rate,
        frequency_mask=frequency_mask,
        time_mask=time_mask,
    )
    train_set, valid_set, test_set = (
        open_data(data, folds, subset, sample_rate=preset.sample_rate)
        for folds in (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    )
    _check_train_output(name, out)
    outcomes = train_classifier(
        (train_set, valid_set, test_set),
        preset,
        network,
        base_channels=base_channels,
        dropout=dropout,
        head_dropout=head_dropout,
        settings=settings,
        seeds=numbers_in(seeds),
        device=device,
    )
    weights = write_card(outcomes, out, name, command_line())
    for outcome in outcomes:
        best = outcome.history.best_epoch
        typer.echo(
            f"seed {outcome.seed}: "
            f"validation {best.valid_accuracy:.4f} (epoch {outcome.history.best}), "
            f"test {outcome.test_accuracy:.4f}, {outcome.seconds / 60:.1f} min"
        )
    typer.echo(f"wrote {weights}")


def _check_train_output(name: str, out: Path) -> None:
    """Refuse, before the training, what could not be written after it."""
    if Path(name).name != name:
        raise ArgumentError(f"--name {name}: give a name without a folder, and the folder by --out")
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out}: a file stands in place of this folder")


@app.command()
def interpret(
    clip: Annotated[
        Path, typer.Argument(help="A sound file of any length, sample rate and channels.")
    ],
    weights: Annotated[Path, typer.Option(help="A classifier written by train.")],
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
    on: Annotated[
        str,
        typer.Option(help="What is scored: features, or audio (the masked sound, classified)."),
    ] = "features",
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
    """
    from ..display import WRITTEN, write_interpretation
    from ..experiments import background_of_folder
    from ..interpretation import METHODS, resolve_mask
    from ..model import Classifier
    from ..predict import interpret as interpret_clip
    from ..processing import load_audio

    choose("method", method, METHODS)
    resolve_mask(mask)
    _refuse_overwriting(clip, [out / name for name in WRITTEN])
    classifier = Classifier.load(weights)
    wav = load_audio(clip, classifier.sample_rate)
    clips = None if background is None else background_of_folder(background, classifier)
    result = interpret_clip(
        classifier,
        wav,
        method,
        mask,
        target=target,
        against=against,
        background=clips,
        inversion=inversion,
        protocol=protocol,
        on=on,
        device=device,
    )
    write_interpretation(result, out, title=clip.name)
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
    for note in additivity_notes(result):
        typer.echo(note)
    # NaN for the other methods.
    fit = surrogate_fit(result.attribution)
    if fit == fit:
        typer.echo(f"LIME's surrogate: R2 = {fit:.2f}")
    for part, name in (("original", "p"), ("kept", "p_in"), ("removed", "p_out")):
        typer.echo(f"{part}: {result.p_text(name)}")
