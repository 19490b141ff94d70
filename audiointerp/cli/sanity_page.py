"""The command that checks methods without a truth: sanity."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, AudioInterpError, choose
from .models import open_classifier
from .options import (
    METHOD_NAMES,
    Data,
    Device,
    HuggingFace,
    Model,
    Subset,
    Weights,
    app,
    command_line,
    names_in,
)
from .runs import open_for, training_background_of
from .settings_file import Settings
from .validation import check_page

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from ..interpretation import Explainer
    from ..model import Classifier

CHEAP_METHODS = (
    "saliency",
    "gradcam",
    "layercam",
    "guided_gradcam",
    "integrated_gradients",
    "smoothgrad",
    "random",
)
"""The methods that take seconds per clip at most."""


@app.command()
def sanity(
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    data: Data = None,
    subset: Subset = None,
    methods: Annotated[
        str, typer.Option(help=f"Comma-separated: {', '.join(METHOD_NAMES)}.")
    ] = ",".join(CHEAP_METHODS),
    per_class: Annotated[int, typer.Option(min=1, help="Test clips per class.")] = 2,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="The budget of methods that sample: versions of the clip, points of a path."
        ),
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(
            "--others",
            help="Weights of other seeds, comma-separated, for the agreement between networks.",
        ),
    ] = None,
    rows_from: Annotated[
        str | None,
        typer.Option(
            "--rows",
            help="CSV files that this command wrote beside its pages, comma-separated. Nothing is "
            "computed: the page is made of these.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("sanity.md"),
    device: Device = "cpu",
    settings_file: Settings = None,
) -> None:
    """Check what maps must do, whatever the truth is.

    They must follow the weights, a shift in time, the class. The clips are of fold 5. A page with
    figures, intervals and verdicts is written, and beside it a CSV file with the figure of each
    clip.

    Examples (in a shell):

      audiointerp sanity --weights weights/synthetic_mel_cnn10.safetensors --per-class 1

      audiointerp sanity --weights mel.safetensors --data data/ESC-50 --methods gradcam,rise
    """
    from ..tables import sanity_page
    from ..util import write_text

    check_page(out)
    if rows_from is not None:
        rows = _read_sanity_rows([Path(name) for name in names_in(rows_from, "--rows")])
    else:
        names = names_in(methods, "--methods")
        classifier = open_classifier(weights, model, hugging_face).to(device)
        networks = [] if others is None else names_in(others, "--others")
        rows = _sanity_rows(classifier, names, data, subset, per_class, samples, networks)
        rows["command"] = command_line()
        write_text(out.with_suffix(".csv"), rows.to_csv(index=False, lineterminator="\n"))
    write_text(out, sanity_page(rows))
    typer.echo(f"wrote {out}")


def _sanity_rows(
    classifier: "Classifier",
    methods: list[str],
    data: Path | None,
    subset: str | None,
    per_class: int,
    samples: int | None,
    others: list[str],
) -> "pd.DataFrame":
    """Compute the rows of the checks."""
    from ..dataset import some_per_class
    from ..experiments import TEST_FOLDS, sha256_of_state
    from ..interpretation import METHODS
    from ..model import Classifier, weights_path
    from ..scoring import sanity as check_methods

    names = [choose("method", name, METHODS) for name in methods]
    networks = [Classifier.load(weights_path(name), classifier.device) for name in others]
    digests = [sha256_of_state(network.network) for network in (classifier, *networks)]
    if len(set(digests)) < len(digests):
        raise ArgumentError(
            f"--others {','.join(others)}: two of the networks have the same weights, and agree "
            "whatever the method; give those of other seeds"
        )
    test = open_for(classifier, data, list(TEST_FOLDS), subset)
    needs_background = any(METHODS[name].needs_background for name in names)
    background = training_background_of(classifier, data, subset) if needs_background else None
    explainers = [_with_budget(name, classifier, background, samples) for name in names]
    clips = some_per_class(test, per_class)
    return check_methods(classifier, clips, explainers, others=networks, background=background)


def _read_sanity_rows(paths: list[Path]) -> "pd.DataFrame":
    """Read the CSV files that ``sanity`` wrote.

    Raises:
        ArgumentError: a file has other columns, or two have rows of one method.
    """
    import pandas as pd

    frames = [_read_sanity_file(path) for path in paths]
    methods = [method for frame in frames for method in frame["method"].unique()]
    if len(set(methods)) < len(methods):
        raise ArgumentError(f"--rows: two files have rows of one method ({', '.join(methods)})")
    return pd.concat(frames, ignore_index=True)


def _read_sanity_file(path: Path) -> "pd.DataFrame":
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    from ..scoring import SANITY_COLUMNS
    from ..util import one_line

    texts = dict.fromkeys(("clip", "recording", "layer", "reason"), str)
    numbers = ("figure", "share")
    try:
        frame = pd.read_csv(
            path, dtype=texts, keep_default_na=False, na_values=dict.fromkeys(numbers, "")
        )
    except (OSError, ValueError) as error:
        raise ArgumentError(f"--rows {path}: cannot be read ({one_line(error)})") from error
    missing = [name for name in (*SANITY_COLUMNS, "command") if name not in frame]
    if missing:
        raise ArgumentError(f"--rows {path}: has no column {missing[0]}; sanity did not write it")
    if frame.empty or not all(is_numeric_dtype(frame[name]) for name in numbers):
        raise ArgumentError(
            f"--rows {path}: has no rows, or a text where a number belongs; it was truncated or "
            "edited: run the checks again"
        )
    return frame


def _with_budget(
    name: str, classifier: "Classifier", background: "Tensor | None", samples: int | None
) -> "Explainer | str":
    """Return a method with a budget, or its name if it has none or cannot be built."""
    from ..interpretation import METHODS

    kind = METHODS[name]
    parameters = inspect.signature(kind).parameters
    budget = next((word for word in ("samples", "steps") if word in parameters), None)
    # The steps of the optimal mask are no versions of the clip: with few, it is another mask.
    if samples is None or budget is None or kind is METHODS["optimal"]:
        return name
    given = {"background": background} if kind.needs_background else {}
    try:
        return kind(classifier.network, **given, **{budget: samples})
    except AudioInterpError:
        # The name is refused with the same words, which the page shows.
        return name
