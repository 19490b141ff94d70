"""The commands that make results and read them: run, tables, validate."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ArgumentError, AudioInterpError
from .options import (
    METHOD_NAMES,
    Background,
    Data,
    Device,
    Protocol,
    Resume,
    Subset,
    Workers,
    app,
    command_line,
    names_in,
    numbers_in,
    shard_in,
)  # fmt: skip
from .settings import Settings


@app.command()
def run(
    experiment: Annotated[str, typer.Argument(help="stft_clean, mel_clean, mel_horse, mel_room or mel_white.")],
    weights: Annotated[Path, typer.Option(help="A classifier on the experiment's features.")],
    data: Data = None,
    subset: Subset = None,
    methods: Annotated[str, typer.Option(help="Comma-separated: " + METHOD_NAMES)] = "saliency,gradcam,shap,random",
    masks: Annotated[str | None, typer.Option(help="Comma-separated; all 14 if left out.")] = None,
    on: Annotated[
        str, typer.Option(help="What is scored: features, audio (what is heard, classified again), or both.")
    ] = "features,audio",
    protocol: Protocol = "sound",
    baselines: Annotated[bool, typer.Option(help="Score random masks of the same values too.")] = True,
    curves: Annotated[bool, typer.Option(help="Areas under deletion and insertion too.")] = False,
    folds: Annotated[str, typer.Option(help="The folds to explain.")] = "5",
    background: Background = None,
    noise: Annotated[Path | None, typer.Option(help="A recording in place of the experiment's noise.")] = None,
    attributions: Annotated[bool, typer.Option(help="Keep the attributions beside the scores.")] = True,
    resume: Resume = True,
    shard: Annotated[str, typer.Option(help="2/4: the second of four parts of the clips alone.")] = "1/1",
    max_errors: Annotated[
        int, typer.Option(min=0, help="How many clips a method may fail on before the exit status is 1.")
    ] = 0,
    out: Annotated[Path, typer.Option(help="The folder of results.")] = Path("results"),
    device: Device = "cpu",
    workers: Workers = 1,
    settings_file: Settings = None,
) -> None:
    """Score methods and masks over the test clips; SHAP's background comes from the training folds, 2 clips a class.

    A run that was stopped goes on where it was when the same command is given again.

    Examples:
      audiointerp run mel_clean --data data/ESC-50 --subset esc10 --weights weights/esc10_mel_cnn10.safetensors

      audiointerp run mel_horse --data data/ESC-50 --subset esc10 --weights weights/esc10_mel_cnn10.safetensors --shard 1/4
    """
    from ..errors import choose
    from ..experiments import TRAIN_FOLDS, background_of, background_of_folder, find_experiment, open_data
    from ..experiments import run as run_experiment
    from ..files import encodable
    from ..interpretation import MASKS, METHODS
    from ..model import Classifier
    from ..tables import as_text

    setting = find_experiment(experiment)
    names = [choose("method", name, METHODS) for name in names_in(methods)]
    kinds = [choose("mask", name, MASKS) for name in (MASKS if masks is None else names_in(masks))]
    classifier = Classifier.load(weights)
    form = {"sample_rate": classifier.sample_rate, "duration": classifier.duration}
    dataset = open_data(data, numbers_in(folds), subset, **form)  # type: ignore[arg-type]  # int and float, by name
    sounds = None
    if background is not None:
        sounds = background_of_folder(background, classifier)
    elif any(METHODS[name].needs_background for name in names):
        sounds = background_of(open_data(data, TRAIN_FOLDS, subset, **form), classifier.transform)  # type: ignore[arg-type]
    rows = run_experiment(
        setting, classifier, dataset, names, out, masks=kinds, on=names_in(on), protocol=protocol, baselines=baselines,
        curves=curves, background=sounds, noise=noise, device=device, attributions=attributions, resume=resume,
        shard=shard_in(shard), workers=workers,
    )  # fmt: skip
    part = shard_in(shard)
    own = {encodable(dataset.clip_id(index)) for index in range(part[0] - 1, len(dataset), part[1])}
    errors = rows[(rows["status"] == "error") & rows["clip"].isin(own)]
    if len(errors) < len(rows):
        typer.echo(as_text(rows))
    folder = out / setting.features / setting.name
    done = rows["clip"].nunique()
    if done < len(dataset):
        typer.echo(f"{folder}/: {done} of {len(dataset)} clips are there; metrics.csv comes with the last shard")
    else:
        typer.echo(f"wrote {folder}/: {len(rows)} rows, {len(errors)} of them errors")
    worst = errors.groupby("method")["clip"].nunique()
    if len(errors) and worst.max() > max_errors:
        first = errors.iloc[0]
        raise AudioInterpError(
            f"{worst.idxmax()} failed on {worst.max()} of {len(own)} clips; see the columns stage and error of metrics.csv. "
            f"The first: {first['clip']}, {first['stage']}, {first['error_type']}: {first['error']}"
        )


@app.command()
def tables(
    results: Annotated[Path, typer.Argument(help="The folder of results.")] = Path("results"),
    by: Annotated[
        str | None, typer.Option(help="Columns to group by; features,experiment,method,mask if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the table as CSV; with --formats, the folder of the files.")
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(help="Write the tables of the paper: csv, latex, markdown, text, pdf; comma-separated."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help="Of the paper's tables: summary, masks, methods, noise, noise_differences, heard; all if left out."
        ),
    ] = None,
    on: Annotated[str | None, typer.Option(help="Of the paper's tables: features or audio; both if left out.")] = None,
    published: Annotated[bool, typer.Option("--published", help="The published means beside ours.")] = False,
) -> None:
    """Summarise results, the best marked by each score's own direction; or write every table of the paper.

    With --kinds, --on or --published and without --formats, the tables of the paper are printed.

    Examples:
      audiointerp tables results --by method,mask

      audiointerp tables results --kinds summary --published

      audiointerp tables results --out tables --formats csv,latex,pdf --published
    """
    if formats is None and kinds is None and on is None and not published:
        _summary(results, "features,experiment,method,mask" if by is None else by, out)
    elif by is not None:
        raise ArgumentError(
            f"--by {by}: the tables of the paper have their own rows; leave it out, or the options of the paper's tables"
        )
    else:
        _of_the_paper(results, formats, kinds, on, published, out)


def _summary(results: Path, by: str, out: Path | None) -> None:
    from ..errors import choose
    from ..files import replacing
    from ..tables import GROUPS, as_text, read_results, summarise

    rows = read_results(results)
    columns = [choose("column", name, GROUPS) for name in names_in(by)]
    typer.echo(as_text(rows, columns))
    if out is not None:
        with replacing(out) as part:
            summarise(rows, columns).to_csv(part)


def _of_the_paper(
    results: Path, formats: str | None, kinds: str | None, on: str | None, published: bool, out: Path | None
) -> None:
    from ..errors import choose
    from ..exports import FORMATS, as_plain_text
    from ..paper import paper_of

    chosen = [choose("format", name, FORMATS) for name in names_in(formats)] if formats is not None else []
    if bool(chosen) != (out is not None):
        raise ArgumentError("--formats and --out FOLDER go together: what is written, and where")
    paper = paper_of(results, None if kinds is None else names_in(kinds), on, published)
    if out is None:
        typer.echo("\n".join(as_plain_text(table) for table in paper.tables))
    elif paper.tables:
        for path in paper.write(out, chosen):
            typer.echo(f"wrote {path}{'/' if path.is_dir() else ''}")
    typer.echo(f"{len(paper.tables)} tables" + "".join(f"\nmissing: {sentence}" for sentence in paper.lacking))


@app.command()
def validate(
    weights: Annotated[Path, typer.Option(help="A mel classifier written by train, its card beside it.")],
    data: Data = None,
    subset: Subset = None,
    results: Annotated[Path, typer.Option(help="The folder of results.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/validity.md"),
    resume: Resume = True,
    device: Device = "cpu",
    workers: Workers = 1,
    settings_file: Settings = None,
) -> None:
    """Hold the published conclusions against random masks and against what is heard; write the page about it.

    Example:
      audiointerp validate --data data/ESC-50 --subset esc10 --weights weights/esc10_mel_cnn10.safetensors --workers 4
    """
    from ..experiments import TEST_FOLDS, TRAIN_FOLDS, background_of, check_features, find_experiment, open_data
    from ..experiments import run as run_experiment
    from ..faults import faults, kept_accuracies
    from ..files import make_folder, write_text
    from ..model import Classifier
    from ..tables import COMPARED
    from ..validity import failures, report

    setting = find_experiment("mel_clean")
    classifier = Classifier.load(weights, device)
    check_features(setting, classifier)
    form = {"sample_rate": classifier.sample_rate, "duration": classifier.duration}
    dataset = open_data(data, TEST_FOLDS, subset, **form)  # type: ignore[arg-type]  # int and float, by name
    train = open_data(data, TRAIN_FOLDS, subset, **form)  # type: ignore[arg-type]
    background = background_of(train, classifier.transform)
    accuracies = kept_accuracies(weights.with_suffix(".json"))
    make_folder(out.parent)  # what cannot be read or made is told before the long run
    if out.is_dir():
        raise ArgumentError(f"--out {out}: is a folder; give the page's file, {out / 'validity.md'} say")
    rows = run_experiment(
        setting, classifier, dataset, COMPARED, results, background=background, device=device,
        attributions=False, resume=resume, workers=workers,
    )  # fmt: skip
    found = faults(classifier, dataset, background, accuracies)
    write_text(out, report(rows, found, command_line(), weights, classifier.labels))
    typer.echo(f"wrote {out}")
    if failed := failures(rows):
        raise AudioInterpError(f"{failed} See the columns stage and error of metrics.csv; the same command tries again")
