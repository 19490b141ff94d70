"""The commands that make something of one data set or one clip: demo, train, interpret."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError
from .options import MASK_NAMES, METHOD_NAMES, Background, Data, Device, Protocol, Subset, app, command_line, numbers_in
from .settings import Settings


@app.command()
def demo(
    data: Data = None,
    subset: Subset = None,
    out: Annotated[Path, typer.Option(help="Where the pictures, sounds and tables go.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Of the network.")] = 0,
    settings_file: Settings = None,
) -> None:
    """The whole road in a few minutes: train a small mel classifier, explain, score, listen.

    Examples:
      audiointerp demo

      audiointerp demo --data data/ESC-50 --subset esc10
    """
    from ..demo import run_demo

    run_demo(data, subset, out, seed, command_line())


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The folder of the weights and their card.")] = Path("weights"),
    data: Data = None,
    subset: Subset = None,
    features: Annotated[str, typer.Option(help="mel or stft.")] = "mel",
    network: Annotated[str, typer.Option(help="Cnn6, Cnn10 or Cnn14.")] = "Cnn10",
    base_channels: Annotated[
        int, typer.Option(min=1, help="Channels of the first block; 64 is the official size.")
    ] = 16,
    epochs: Annotated[int, typer.Option(min=1)] = 60,
    learning_rate: Annotated[float, typer.Option(help="The largest of the one-cycle schedule.")] = 3e-3,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="After each block.")] = 0.1,
    head_dropout: Annotated[float, typer.Option(min=0, max=0.9, help="Around the embedding.")] = 0.2,
    frequency_mask: Annotated[int, typer.Option(min=0, help="SpecAugment's widest band, in bins.")] = 10,
    time_mask: Annotated[int, typer.Option(min=0, help="SpecAugment's widest stretch, in frames.")] = 40,
    seeds: Annotated[str, typer.Option(help="Comma-separated; the best on the validation fold is saved.")] = "0",
    name: Annotated[
        str | None, typer.Option(help="Of the files; made of the data, features and network if left out.")
    ] = None,
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Train on folds 1-3, choose on fold 4, test on fold 5; write the weights and their card.

    Examples:
      audiointerp train --features mel

      audiointerp train --data data/ESC-50 --subset esc10 --features stft --seeds 0,1,2
    """
    from ..errors import choose
    from ..experiments import TEST_FOLDS, TRAIN_FOLDS, TRANSFORMS, VALID_FOLDS, open_data
    from ..fit import FitSettings
    from ..training import train_classifier, write_card

    transform = TRANSFORMS[choose("features", features, TRANSFORMS)]
    source = subset or ("made" if data is None else "esc50")
    name = name or f"{source}_{features}_{network.lower()}"
    if Path(name).name != name:
        raise ArgumentError(f"--name {name}: a name of files has no folder in it; --out says where they go")
    settings = FitSettings(
        epochs=epochs, learning_rate=learning_rate, frequency_mask=frequency_mask, time_mask=time_mask
    )
    folds = (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    train_set, valid_set, test_set = (
        open_data(data, fold, subset, sample_rate=transform.sample_rate) for fold in folds
    )
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out}: a file stands where the folder should be")
    outcomes = train_classifier(
        (train_set, valid_set, test_set), transform, network, base_channels=base_channels, dropout=dropout,
        head_dropout=head_dropout, settings=settings, seeds=numbers_in(seeds), device=device,
    )  # fmt: skip
    weights = write_card(outcomes, out, name, command_line())
    for outcome in outcomes:
        best = outcome.history.best_epoch
        typer.echo(
            f"seed {outcome.seed}: validation {best.valid_accuracy:.4f} (epoch {outcome.history.best}), "
            f"test {outcome.test_accuracy:.4f}, {outcome.seconds / 60:.1f} min"
        )
    typer.echo(f"wrote {weights}")


@app.command()
def interpret(
    clip: Annotated[Path, typer.Argument(help="A sound file of any length, rate and number of channels.")],
    weights: Annotated[Path, typer.Option(help="A classifier written by train.")],
    method: Annotated[str, typer.Option(help=METHOD_NAMES)] = "gradcam",
    mask: Annotated[str, typer.Option(help=MASK_NAMES)] = "topK_30",
    target: Annotated[
        str | None, typer.Option(help="The label to explain, by name or number; the predicted one if left out.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Another label: why the one rather than this one?")] = None,
    background: Background = None,
    on: Annotated[
        str, typer.Option(help="What is scored: features, or audio (what is heard, classified again).")
    ] = "features",
    protocol: Protocol = "sound",
    inversion: Annotated[str, typer.Option(help="gain, nnls, lstsq or griffinlim.")] = "gain",
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("interpretation"),
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Explain one clip: original, kept and removed sound, a picture, a page with players, the scores as JSON.

    Examples:
      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --target rooster --out why_not_rooster

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --against rooster
    """
    from ..errors import choose
    from ..experiments import background_of_folder
    from ..explain import additivity_gap, surrogate_fit
    from ..interpretation import MASKS, METHODS
    from ..model import Classifier
    from ..predict import interpret as interpret_clip
    from ..processing import load_audio
    from ..report import WRITTEN, write_interpretation

    choose("method", method, METHODS)
    choose("mask", mask, MASKS)
    if any(clip.exists() and (out / name).exists() and (out / name).samefile(clip) for name in WRITTEN):
        raise ArgumentError(f"--out {out}: this would overwrite {clip}; give another folder")
    classifier = Classifier.load(weights)
    wav = load_audio(clip, classifier.sample_rate)
    sounds = None if background is None else background_of_folder(background, classifier)
    result = interpret_clip(
        classifier, wav, method, mask, target=target, against=against, background=sounds, inversion=inversion,
        protocol=protocol, on=on, device=device,
    )  # fmt: skip
    write_interpretation(result, out, title=clip.name)
    if result.arbitrary:
        typer.echo("the attribution is the same everywhere (is the clip silent?): this mask is arbitrary")
    probability = result.scores["p"]
    typer.echo(f"{clip.name}: predicted {result.predicted}, explained {result.question} (p = {probability:.3f})")
    gap = additivity_gap(result.attribution)
    if gap == gap:
        typer.echo(f"SHAP's additivity gap {gap:.1e}")
    fit = surrogate_fit(result.attribution)
    if fit == fit:
        typer.echo(f"LIME's surrogate fits with R2 = {fit:.2f}")
    typer.echo(f"kept part p = {result.scores['p_in']:.3f}, removed part p = {result.scores['p_out']:.3f}")
    typer.echo(f"wrote {out}/ (open {out / 'index.html'} to look and listen)")
