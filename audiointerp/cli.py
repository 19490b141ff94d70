"""The command line: a thin layer over the library. A user's mistake is one line on stderr and exit 1."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .errors import ArgumentError, AudioInterpError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Show, and let people hear, why an audio classifier decided.",
)  # fmt: skip

Data = Annotated[
    Path | None, typer.Option("--data", help="A folder in the layout of ESC-50; the made set if left out.")
]
Subset = Annotated[str | None, typer.Option(help="esc10: the ten classes of ESC-10.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, …")]
Background = Annotated[
    Path | None, typer.Option(help="For shap: a folder of sound files to compare with, some training clips say.")
]


MASK_NAMES = (
    "bin, minmax, sigmoid, topK_5, topK_30, topK_50, minmax_pos, sigmoid_pos, pos_thresh_25, pos_thresh_50, pos_thresh_75, "
    "topK_5_pos, topK_30_pos or topK_50_pos."
)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Show, and let people hear, why an audio classifier decided."""
    if show:
        from importlib.metadata import version as installed

        typer.echo(installed("audiointerp"))
        raise typer.Exit


def main() -> None:
    """Run the command line; the entry point of the ``audiointerp`` command."""
    try:
        app()
    except (AudioInterpError, OSError) as error:
        typer.echo(f"audiointerp: {' '.join(str(error).split())}", err=True)
        sys.exit(1)


@app.command()
def demo(
    data: Data = None,
    subset: Subset = None,
    out: Annotated[Path, typer.Option(help="Where the pictures, sounds and tables go.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Of the network.")] = 0,
) -> None:
    """The whole road in a few minutes: train a small mel classifier, explain, score, listen.

    Examples:
      audiointerp demo

      audiointerp demo --data data/ESC-50 --subset esc10
    """
    from .demo import run_demo

    run_demo(data, subset, out, seed, _command())


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
) -> None:
    """Train on folds 1-3, choose on fold 4, test on fold 5; write the weights and their card.

    Examples:
      audiointerp train --features mel

      audiointerp train --data data/ESC-50 --subset esc10 --features stft --seeds 0,1,2
    """
    from .errors import choose
    from .experiments import TEST_FOLDS, TRAIN_FOLDS, TRANSFORMS, VALID_FOLDS, open_data
    from .fit import FitSettings
    from .training import train_classifier, write_card

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
        head_dropout=head_dropout, settings=settings, seeds=_numbers(seeds), device=device,
    )  # fmt: skip
    weights = write_card(outcomes, out, name, _command())
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
    method: Annotated[str, typer.Option(help="saliency, gradcam, shap or random.")] = "gradcam",
    mask: Annotated[str, typer.Option(help=MASK_NAMES)] = "topK_30",
    target: Annotated[
        str | None, typer.Option(help="The label to explain, by name or number; the predicted one if left out.")
    ] = None,
    background: Background = None,
    inversion: Annotated[str, typer.Option(help="gain, nnls, lstsq or griffinlim.")] = "gain",
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("interpretation"),
    device: Device = "cpu",
) -> None:
    """Explain one clip: original, kept and removed sound, a picture, a page with players, the scores as JSON.

    Examples:
      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors

      audiointerp interpret dog.wav --weights weights/esc10_mel_cnn10.safetensors --target rooster --out why_not_rooster
    """
    from .errors import choose
    from .experiments import background_of_folder
    from .explain import additivity_gap
    from .interpretation import MASKS, METHODS
    from .model import Classifier
    from .predict import interpret as interpret_clip
    from .processing import load_audio
    from .report import WRITTEN, write_interpretation

    choose("method", method, METHODS)
    choose("mask", mask, MASKS)
    if any(clip.exists() and (out / name).exists() and (out / name).samefile(clip) for name in WRITTEN):
        raise ArgumentError(f"--out {out}: this would overwrite {clip}; give another folder")
    classifier = Classifier.load(weights)
    wav = load_audio(clip, classifier.sample_rate)
    sounds = None if background is None else background_of_folder(background, classifier)
    result = interpret_clip(
        classifier, wav, method, mask, target=target, background=sounds, inversion=inversion, device=device
    )
    write_interpretation(result, out, title=clip.name)
    probability = result.scores["p"]
    typer.echo(f"{clip.name}: predicted {result.predicted}, explained {result.explained} (p = {probability:.3f})")
    gap = additivity_gap(result.attribution)
    if gap == gap:
        typer.echo(f"SHAP's additivity gap {gap:.1e}")
    typer.echo(f"kept part p = {result.scores['p_in']:.3f}, removed part p = {result.scores['p_out']:.3f}")
    typer.echo(f"wrote {out}/ (open {out / 'index.html'} to look and listen)")


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="stft_clean, mel_clean, mel_horse, mel_room or mel_white.")],
    weights: Annotated[Path, typer.Option(help="A classifier on the experiment's features.")],
    data: Data = None,
    subset: Subset = None,
    methods: Annotated[str, typer.Option(help="Comma-separated.")] = "saliency,gradcam,shap,random",
    masks: Annotated[str | None, typer.Option(help="Comma-separated; all 14 if left out.")] = None,
    folds: Annotated[str, typer.Option(help="The folds to explain.")] = "5",
    background: Background = None,
    noise: Annotated[Path | None, typer.Option(help="A recording in place of the experiment's noise.")] = None,
    attributions: Annotated[bool, typer.Option(help="Keep the attributions beside the scores.")] = True,
    out: Annotated[Path, typer.Option(help="The folder of results.")] = Path("results"),
    device: Device = "cpu",
) -> None:
    """Score methods and masks over the test clips; SHAP's background comes from the training folds, 2 clips a class.

    Example:
      audiointerp run mel_clean --data data/ESC-50 --subset esc10 --weights weights/esc10_mel_cnn10.safetensors
    """
    from .errors import choose
    from .experiments import EXPERIMENTS, TRAIN_FOLDS, background_of, background_of_folder, open_data
    from .experiments import run as run_experiment
    from .interpretation import MASKS, METHODS
    from .model import Classifier
    from .tables import as_text, summarise

    setting = EXPERIMENTS[choose("experiment", experiment, EXPERIMENTS)]
    names = [choose("method", name, METHODS) for name in _names(methods)]
    kinds = [choose("mask", name, MASKS) for name in (_names(masks) if masks else MASKS)]
    classifier = Classifier.load(weights)
    form = {"sample_rate": classifier.sample_rate, "duration": classifier.duration}
    dataset = open_data(data, _numbers(folds), subset, **form)  # type: ignore[arg-type]  # int and float, by name
    sounds = None
    if background is not None:
        sounds = background_of_folder(background, classifier)
    elif "shap" in names:
        sounds = background_of(open_data(data, TRAIN_FOLDS, subset, **form), classifier.transform)  # type: ignore[arg-type]
    rows = run_experiment(
        setting, classifier, dataset, names, out, masks=kinds, background=sounds, noise=noise, device=device,
        attributions=attributions,
    )  # fmt: skip
    errors = rows[rows["status"] == "error"]
    if len(errors) < len(rows):
        typer.echo(as_text(summarise(rows)))
    typer.echo(f"wrote {out / setting.features / setting.name}/: {len(rows)} rows, {len(errors)} of them errors")
    if len(errors):
        count = errors["clip"].nunique()
        raise AudioInterpError(
            f"{count} of {len(dataset)} clips could not be explained; see the column error of metrics.csv"
        )


@app.command()
def tables(
    results: Annotated[Path, typer.Argument(help="The folder of results.")] = Path("results"),
    by: Annotated[str, typer.Option(help="Columns to group by.")] = "features,experiment,method,mask",
    out: Annotated[Path | None, typer.Option(help="Also write the table as CSV.")] = None,
) -> None:
    """Summarise results: the mean of each score, the best marked by its own direction.

    Example:
      audiointerp tables results --by method,mask
    """
    from .errors import choose
    from .files import replacing
    from .tables import GROUPS, as_text, read_results, summarise

    rows = read_results(results)
    columns = [choose("column", name, GROUPS) for name in _names(by)]
    table = summarise(rows, columns)
    typer.echo(as_text(table))
    if out is not None:
        with replacing(out) as part:
            table.to_csv(part)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"{text!r}: give one or more different names, separated by commas")
    return names


def _numbers(text: str) -> list[int]:
    names = _names(text)
    try:
        return [int(name) for name in names]
    except ValueError:
        raise ArgumentError(f"{text!r}: give whole numbers separated by commas, 0,1,2 say") from None


def _command() -> str:
    """The command line that is running, as one would type it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
