"""The command that trains a classifier: train."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, choose
from .options import (
    Clips,
    Data,
    Device,
    Out,
    Subset,
    app,
    command_line,
    names_in,
    numbers_in,
)
from .own_clips import (
    Bands,
    Duration,
    Highest,
    HopLength,
    Lowest,
    SampleRate,
    Share,
    WindowLength,
    open_for_training,
    transform_for,
)
from .recorded_split import split_record
from .settings_file import Settings

if TYPE_CHECKING:
    from ..dataset import ClipDataset

    Datasets = tuple[ClipDataset, ClipDataset, ClipDataset]


Features = Annotated[
    str, typer.Option("--transform", "--features", help="mel or stft (--features: old name).")
]
OwnFeatures = Annotated[
    str | None,
    typer.Option(
        "--transform",
        "--features",
        help="mel or stft, of an experiment of your own; default: mel (--features: old name).",
    ),
]
Network = Annotated[str, typer.Option(help="Cnn6, Cnn10 or Cnn14.")]
BaseChannels = Annotated[
    int, typer.Option(min=1, help="Channels of the first block; the official networks have 64.")
]
Epochs = Annotated[int, typer.Option(min=1)]
BatchSize = Annotated[int, typer.Option(min=1, help="Clips per step.")]
LearningRate = Annotated[float, typer.Option(help="The highest rate of the one-cycle schedule.")]
Dropout = Annotated[float, typer.Option(min=0, max=0.9, help="After each block.")]
HeadDropout = Annotated[float, typer.Option(min=0, max=0.9, help="Before and after the embedding.")]
FrequencyMask = Annotated[
    int, typer.Option(min=0, help="SpecAugment: the widest frequency mask, in bins.")
]
TimeMask = Annotated[int, typer.Option(min=0, help="SpecAugment: the widest time mask, in frames.")]
Mixup = Annotated[
    float, typer.Option(min=0, help="The parameter of mixup's beta distribution; 0: none.")
]
Gain = Annotated[
    float, typer.Option(min=0, help="Each training clip becomes quieter by up to this many dB.")
]
Removal = Annotated[
    float,
    typer.Option(min=0, max=1, help="The probability that bins of a training clip are removed."),
]
LevelRange = Annotated[
    float | None,
    typer.Option(
        help="The network sees levels relative to the clip's loudest part, down to so many dB "
        "below it, so that a gain changes nothing; default: absolute levels."
    ),
]
Averaging = Annotated[
    float,
    typer.Option(
        min=0, max=0.9999, help="The share that each step keeps of a running mean of the weights."
    ),
]
Precision = Annotated[
    str, typer.Option(help="float32; or bfloat16, faster on processors that have it.")
]
Noises = Annotated[
    str | None,
    typer.Option(
        help="Train, select and test on the clean clips and on all of them under each of these "
        "noises; comma-separated: horse, room, white."
    ),
]
Seeds = Annotated[
    str, typer.Option(help="Comma-separated; the best on the validation fold is saved.")
]


@app.command()
def train(
    out: Out = Path("weights"),
    data: Data = None,
    clips: Clips = None,
    subset: Subset = None,
    validation: Share = None,
    test: Share = None,
    duration: Duration = None,
    transform: Features = "mel",
    sample_rate: SampleRate = None,
    n_fft: WindowLength = None,
    hop_length: HopLength = None,
    n_mels: Bands = None,
    f_min: Lowest = None,
    f_max: Highest = None,
    network: Network = "Cnn10",
    base_channels: BaseChannels = 16,
    epochs: Epochs = 60,
    batch_size: BatchSize = 16,
    learning_rate: LearningRate = 3e-3,
    dropout: Dropout = 0.1,
    head_dropout: HeadDropout = 0.2,
    level_range: LevelRange = None,
    frequency_mask: FrequencyMask = 10,
    time_mask: TimeMask = 40,
    mixup: Mixup = 0.3,
    gain: Gain = 0.0,
    removal: Removal = 0.0,
    averaging: Averaging = 0.0,
    precision: Precision = "float32",
    noises: Noises = None,
    seeds: Seeds = "0",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the files; default: from the data, transform and network."),
    ] = None,
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Train a network, and write its weights and a card.

    It is trained on folds 1-3, selected on fold 4 and tested on fold 5. Clips of your own (--clips)
    are divided by recording, or by the folds of their table: the last is for test, the one before
    for selection. Networks for clips of less than a second, or of a low rate, need a transform of
    their own, as in the last example.

    Examples (in a shell):

      audiointerp train --transform mel

      audiointerp train --data data/ESC-50 --subset esc10 --transform stft --seeds 0,1,2

      audiointerp train --data data/ESC-50 --subset esc10 --level-range 60 --removal 0.2

      audiointerp train --data data/ESC-50 --subset esc10 --noises horse,room,white --epochs 20

      audiointerp train --clips digits --sample-rate 8000 --n-mels 32 --network Cnn6
    """
    from ..display import write_card
    from ..experiments import TRANSFORMS
    from ..fit import FitSettings, train_classifier

    preset = transform_for(
        TRANSFORMS[choose("transform", transform, TRANSFORMS)],
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        f_min=f_min,
        f_max=f_max,
    )
    _check_train_source(data, clips, subset, validation, test)
    data_name = subset or ("synthetic" if data is None else "esc50")
    if clips is not None:
        data_name = clips.resolve().stem
    # Apart from the network of clean clips, which the study takes by its name.
    ending = "" if noises is None else "_noise"
    name = name or f"{data_name}_{transform}_{network.lower()}{ending}"
    settings = FitSettings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        frequency_mask=frequency_mask,
        time_mask=time_mask,
        mixup=mixup,
        gain=gain,
        removal=removal,
        averaging=averaging,
        precision=precision,
    )
    _check_train_output(name, out)
    record: dict[str, Any] = {}
    datasets: Datasets
    if clips is not None:
        split = open_for_training(clips, preset, duration, validation, test)
        datasets = (split.train, split.validation, split.test)
        record["split"] = split_record(split, validation, test)
    else:
        seconds = 5.0 if duration is None else duration
        datasets = _open_folds(data, subset, preset.sample_rate, seconds)
    if noises is not None:
        record["noises"] = names_in(noises, "--noises")
        datasets = _under_noise(datasets, names_in(noises, "--noises"))
    outcomes = train_classifier(
        datasets,
        preset,
        network,
        base_channels=base_channels,
        dropout=dropout,
        head_dropout=head_dropout,
        level_range=level_range,
        settings=settings,
        seeds=numbers_in(seeds, "--seeds"),
        device=device,
    )
    for outcome in outcomes:
        outcome.classifier.training.update(record)
    weights = write_card(outcomes, out, name, command_line())
    for outcome in outcomes:
        best = outcome.history.best_epoch
        typer.echo(
            f"seed {outcome.seed}: "
            f"validation {best.valid_accuracy:.4f} (epoch {outcome.history.best}), "
            f"test {outcome.test_accuracy:.4f}, {outcome.seconds / 60:.1f} min"
        )
    typer.echo(f"wrote {weights}")


def _open_folds(data: Path | None, subset: str | None, rate: int, seconds: float) -> "Datasets":
    """Open the folds of the study for training, validation and test."""
    from ..experiments import TEST_FOLDS, TRAIN_FOLDS, VALID_FOLDS, open_data

    train, valid, test = (
        open_data(data, folds, subset, sample_rate=rate, duration=seconds)
        for folds in (TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS)
    )
    return train, valid, test


def _under_noise(datasets: "Datasets", noises: Sequence[str]) -> "Datasets":
    """Add the clips under noise to each data set; the test has the study's noises, of seed 0."""
    from ..dataset import clean_and_noisy

    train, valid, test = (
        clean_and_noisy(dataset, noises, seed=seed)
        for dataset, seed in zip(datasets, (1, 2, 0), strict=True)
    )
    return train, valid, test


def _check_train_source(
    data: Path | None,
    clips: Path | None,
    subset: str | None,
    validation: float | None,
    test: float | None,
) -> None:
    """Refuse options of --data beside --clips, and the other way round."""
    if clips is not None and not (data is None and subset is None):
        raise ArgumentError("--clips replaces --data and --subset; give one or the other")
    if clips is None and not (validation is None and test is None):
        raise ArgumentError("--validation and --test are of --clips; --data is divided by folds")


def _check_train_output(name: str, out: Path) -> None:
    """Refuse, before the training, what could not be written after it."""
    if Path(name).name != name:
        raise ArgumentError(f"--name {name}: give a name without a folder, and the folder by --out")
    if out.exists() and not out.is_dir():
        raise ArgumentError(f"--out {out}: a file stands in place of this folder")
