"""The command that tests the published conclusions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, AudioInterpError
from .options import Data, Device, Results, Resume, Subset, Workers, app, command_line
from .runs import open_for, reference_of_folds, training_background_of
from .settings_file import Settings

if TYPE_CHECKING:
    from ..display import Difference

NO_PAGES = (".csv", ".json", ".jsonl", ".parquet", ".png", ".safetensors", ".wav")
"""What no page ends in: pictures and rows stand beside it with the same name."""


@app.command()
def validate(
    weights: Annotated[
        str, typer.Option(help="A mel classifier written by train, with its card beside it.")
    ],
    data: Data = None,
    subset: Subset = None,
    results: Results = Path("results"),
    rows_from: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            help="A folder with finished results of this network and these clips: nothing is run, "
            "only the faults are measured.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/validity.md"),
    card: Annotated[
        Path | None,
        typer.Option(
            help="A card written by train (JSON), whose accuracies at the last and at the best "
            "epoch show the third fault; default: the one beside the weights."
        ),
    ] = None,
    check_clips: Annotated[
        int,
        typer.Option(
            min=0, help="Test clips of each class for the checks that need no truth; 0: no checks."
        ),
    ] = 2,
    resume: Resume = True,
    device: Device = "cpu",
    workers: Workers = 1,
    settings_file: Settings = None,
) -> None:
    """Test the published conclusions beside nulls, on audio.

    Writes a page about it. With --rows it takes minutes, since the clips were scored before. A
    cross-validation in that folder, crossval_mel_clean, is in the page's answer.

    Examples (in a shell):

      audiointerp validate --weights weights/synthetic_mel_cnn10.safetensors --workers 4

      audiointerp validate --weights mel.safetensors --data data/ESC-50 --rows results
    """
    from ..experiments import TEST_FOLDS, check_network, find_experiment
    from ..experiments import run as run_experiment
    from ..model import Classifier, weights_path
    from ..paper import (
        STUDY_MASKS,
        STUDY_METHODS,
        failures,
        faults,
        finished_rows,
        fold_rows,
        kept_accuracies,
        report,
        study_sanity,
    )
    from ..tables import best_null_differences
    from ..util import write_text

    setting = find_experiment("mel_clean")
    file = weights_path(weights)
    classifier = Classifier.load(file, device)
    check_network(setting, classifier)
    dataset = open_for(classifier, data, list(TEST_FOLDS), subset)
    background = training_background_of(classifier, data, subset)
    accuracies = kept_accuracies(card or file.with_suffix(".json"))
    check_page(out)
    folds = None if rows_from is None else fold_rows(rows_from, setting.name)
    if rows_from is None:
        rows = run_experiment(
            setting,
            classifier,
            dataset,
            STUDY_METHODS,
            results,
            masks=STUDY_MASKS,
            background=background,
            reference=reference_of_folds(classifier, data, subset, TEST_FOLDS),
            device=device,
            attributions=False,
            resume=resume,
            workers=workers,
        )
    else:
        rows = finished_rows(rows_from, classifier, dataset)
    figures = faults(classifier, dataset, background, accuracies)
    checks = None
    if check_clips:
        checks = study_sanity(classifier, dataset, background, check_clips)
    origin = "" if rows_from is None else _origin_of(rows_from)
    picture = out.with_suffix(".png")
    _write_forest_plot(best_null_differences(rows), picture)
    labels = classifier.labels
    text = report(rows, figures, command_line(), file, labels, picture.name, origin, checks, folds)
    write_text(out, text)
    typer.echo(f"wrote {out} and {picture}")
    _refuse_failures(failures(rows))


def _write_forest_plot(differences: "Sequence[Difference]", path: Path) -> None:
    import matplotlib.pyplot as plt

    from ..display import forest_plot
    from ..util import atomic_write

    figure = forest_plot(differences, "Each method minus its best null: right of 0 is better")
    with atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=110)
    plt.close(figure)


def _origin_of(folder: Path) -> str:
    """Say which version computed the rows of a folder."""
    from ..tables import versions_of

    versions = ", ".join(versions_of(folder)) or "of an unknown version"
    return (
        f"The scores are those of `{folder}`, computed by audiointerp {versions}; the faults were "
        f"measured by the command."
    )


def check_page(out: Path) -> None:
    """Refuse, before the long run, a page that could not be written after it.

    Raises:
        ArgumentError: its name is that of a folder, or of a file that is no page.

    >>> check_page(Path("."))
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: --out .: is a folder; give a file, e.g. validity.md
    """
    from ..util import make_folder

    if out.is_dir():
        raise ArgumentError(f"--out {out}: is a folder; give a file, e.g. {out / 'validity.md'}")
    if out.suffix.lower() in NO_PAGES:
        raise ArgumentError(
            f"--out {out}: a page of Markdown is written there, and pictures and rows beside it "
            f"have other endings; give a file that ends in .md, e.g. {out.with_suffix('.md')}"
        )
    make_folder(out.parent)


def _refuse_failures(summary: str) -> None:
    if summary:
        raise AudioInterpError(
            f"{summary} See the columns stage and error of metrics.csv; "
            "the same command retries them"
        )
