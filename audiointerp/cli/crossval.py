"""The command that trains and scores each fold: crossval."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, choose
from .options import (
    ALL_NULLS,
    METHOD_NAMES,
    Attributions,
    Curves,
    Data,
    Device,
    Fill,
    Masks,
    MaxErrors,
    Nulls,
    On,
    Protocol,
    Results,
    Resume,
    Subset,
    Workers,
    app,
    command_line,
    names_in,
    numbers_in,
)
from .run_summary import refuse_failures
from .settings_file import Settings
from .training import (
    Averaging,
    BaseChannels,
    BatchSize,
    Dropout,
    Epochs,
    FrequencyMask,
    Gain,
    HeadDropout,
    LearningRate,
    LevelRange,
    Mixup,
    Network,
    OwnFeatures,
    Precision,
    Removal,
    Seeds,
    TimeMask,
)

if TYPE_CHECKING:
    import pandas as pd

    from ..dataset import ClipDataset
    from ..experiments import Experiment
    from ..fit import Trained

DURATION = 5.0
"""The seconds of each clip."""


@app.command()
def crossval(
    experiment: Annotated[
        str,
        typer.Argument(
            help="stft_clean, mel_clean, mel_horse, mel_room, mel_white, or a name of your own, "
            "with --transform."
        ),
    ],
    data: Data = None,
    subset: Subset = None,
    folds: Annotated[str, typer.Option(help="The folds, comma-separated.")] = "1,2,3,4,5",
    transform: OwnFeatures = None,
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
    seeds: Seeds = "0",
    methods: Annotated[
        str, typer.Option(help=f"Comma-separated: {', '.join(METHOD_NAMES)}.")
    ] = "saliency,gradcam,shap,random",
    masks: Masks = None,
    on: On = None,
    fill: Fill = None,
    protocol: Protocol = "corrected",
    nulls: Nulls = ALL_NULLS,
    curves: Curves = False,
    attributions: Attributions = False,
    resume: Resume = True,
    max_errors: MaxErrors = 0,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the folder in --out; default: crossval_ and the experiment."),
    ] = None,
    out: Results = Path("results"),
    device: Device = "cpu",
    workers: Workers = 1,
    settings_file: Settings = None,
) -> None:
    """Score each fold by a network of the other folds.

    So every clip counts once. The next fold chooses the epoch (and the seed). OUT/NAME/ gets a
    folder per fold, with its weights, card and results; `audiointerp tables OUT/NAME` reads them as
    one result. If it is interrupted, the same command resumes: finished folds are not trained
    again.

    Examples (in a shell):

      audiointerp crossval mel_clean --data data/ESC-50 --subset esc10 --gain 30 --removal 0.3

      audiointerp tables results/crossval_mel_clean
    """
    from ..experiments import TRANSFORMS, cross_validate, open_data
    from ..fit import FitSettings
    from ..interpretation import METHODS, NULLS, resolve_mask, usable_name
    from ..scoring import Plan, fills_of

    method_names = [choose("method", method, METHODS) for method in names_in(methods, "--methods")]
    mask_names = None
    if masks is not None:
        mask_names = [resolve_mask(mask)[0] for mask in names_in(masks, "--masks")]
    chosen_nulls = [] if nulls == "none" else names_in(nulls, "--nulls")
    if transform is not None:
        choose("transform", transform, TRANSFORMS)
    setting = _experiment_of(experiment, transform)
    fills = None if fill is None else names_in(fill, "--fill")
    scored = None if on is None else names_in(on, "--on")
    # Refuses, before the first training, what the first run would refuse.
    Plan(
        mask_names,
        protocol,
        scored or ["audio"],
        [choose("null", null, NULLS) for null in chosen_nulls],
        fills=fills_of(fills, protocol, default=["background"]),
    )
    preset = TRANSFORMS[setting.transform]
    seed_numbers = numbers_in(seeds, "--seeds")
    plan = FitSettings(
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
    architecture = {
        "base_channels": base_channels,
        "dropout": dropout,
        "head_dropout": head_dropout,
        "level_range": level_range,
    }
    file_name = f"{subset or ('synthetic' if data is None else 'esc50')}_{setting.transform}"

    def open_folds(numbers: Sequence[int]) -> "ClipDataset":
        rate = preset.sample_rate
        return open_data(data, numbers, subset, sample_rate=rate, duration=DURATION)

    def train(sets: tuple["ClipDataset", "ClipDataset", "ClipDataset"], folder: Path) -> Path:
        from ..display import write_card
        from ..fit import train_classifier

        outcomes = train_classifier(
            sets,
            preset,
            network,
            settings=plan,
            seeds=seed_numbers,
            device=device,
            **architecture,  # type: ignore[arg-type]
        )
        _print_training(folder.parent.name, outcomes)
        return write_card(outcomes, folder, f"{file_name}_{network.lower()}", command_line())

    folder = out / usable_name(name or f"crossval_{setting.name}")
    rows = cross_validate(
        setting,
        open_folds,
        train,
        {
            "network": network,
            **architecture,
            "transform": preset.to_dict(),
            "duration": DURATION,
            "fit": _without_seed(asdict(plan)),
            "seeds": seed_numbers,
        },
        method_names,
        folder,
        folds=numbers_in(folds, "--folds"),
        resume=resume,
        masks=mask_names,
        on=scored,
        fill=fills,
        protocol=protocol,
        nulls=chosen_nulls,
        curves=curves,
        attributions=attributions,
        device=device,
        workers=workers,
    )
    _print_scores(rows, folder, max_errors)


def _experiment_of(name: str, transform: str | None) -> "Experiment":
    """Return the study's experiment of a name, or one of that name on clean clips."""
    from ..experiments import EXPERIMENTS, NOISE_TRAINED, Experiment
    from ..interpretation import usable_name

    if name in NOISE_TRAINED:
        raise ArgumentError(
            f"{name} is for a network that heard noise in training, and crossval trains on clean "
            f"clips; give another name"
        )
    known = EXPERIMENTS.get(name)
    if known is None:
        return Experiment(usable_name(name), transform or "mel")
    if transform not in (None, known.transform):
        raise ArgumentError(
            f"--transform {transform}: {name} is on {known.transform} features; leave it out, or "
            "give the experiment another name"
        )
    return known


def _without_seed(fit_settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out the seed, which each network replaces by its own."""
    return {name: value for name, value in fit_settings.items() if name != "seed"}


def _print_training(fold: str, outcomes: Sequence["Trained"]) -> None:
    for outcome in outcomes:
        best = outcome.history.best_epoch
        typer.echo(
            f"{fold}, seed {outcome.seed}: validation {best.valid_accuracy:.4f} "
            f"(epoch {outcome.history.best}), test {outcome.test_accuracy:.4f}, "
            f"{outcome.seconds / 60:.1f} min"
        )


def _print_scores(rows: "pd.DataFrame", folder: Path, max_errors: int) -> None:
    """Print the table and the accuracy; raise an error if too many clips have failed."""
    from ..tables import lead_text

    errors = rows[rows["status"] == "error"]
    if len(errors) < len(rows):
        typer.echo(lead_text(rows))
    typer.echo(accuracy_text(rows))
    typer.echo(f"wrote {folder}/: {len(rows)} rows, {len(errors)} of them errors")
    refuse_failures(errors, max_errors)


def accuracy_text(rows: "pd.DataFrame") -> str:
    """Say how many clips of all folds are classified correctly, with an interval over recordings.

    Args:
        rows: of all folds, with a column ``fold``.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"clip": ["a", "a", "b"], "correct": [True, True, False],
    ...                      "fold": [1, 1, 2]})
    >>> accuracy_text(rows)
    'accuracy 0.5000 (2 clips of 2 recordings, each counted once); by fold: 1.0000, 0.0000'
    """
    from ..tables import bootstrap_interval, recording_column

    # A clip that cannot be read is in no class.
    known = rows[rows["correct"].notna()].drop_duplicates("clip")
    recordings = recording_column(known)
    correct = known["correct"].astype(bool).to_numpy(float)
    (low,), (high,) = bootstrap_interval(correct[:, None], recordings.tolist())
    interval = f" [{low:.4f}, {high:.4f}]" if low == low else ""
    by_fold = known.assign(correct=correct).groupby("fold")["correct"].mean()
    return (
        f"accuracy {correct.mean():.4f}{interval} ({len(known)} clips of "
        f"{recordings.nunique()} recordings, each counted once); by fold: "
        + ", ".join(f"{accuracy:.4f}" for accuracy in by_fold)
    )
