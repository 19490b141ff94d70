"""The command that compares maps with where the explained sound is."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Data, Device, Subset, app, command_line, names_in
from .runs import open_for, training_background_of
from .validation import check_page

METHODS = (
    "saliency,gradcam,layercam,layercam@conv_block1,integrated_gradients,shap,occlusion,lime,rise,"
    "rise_logit,mask_gradient,optimal"
)


@app.command()
def localise(
    weights: Annotated[
        str, typer.Option(help="A classifier written by train, with its card beside it.")
    ],
    data: Data = None,
    subset: Subset = None,
    number: Annotated[int, typer.Option(min=1, help="The number of mixtures at each ratio.")] = 60,
    ratios: Annotated[
        str,
        typer.Option(
            help="The energy of the first sound over that of the second, in dB, comma-separated; "
            "each may have its own number of mixtures, 5:24."
        ),
    ] = "0,-5,5,10",
    methods: Annotated[
        str,
        typer.Option(
            help="Comma-separated; METHOD@LAYER is on a layer. The level and random maps are "
            "always added."
        ),
    ] = METHODS,
    slow_at: Annotated[
        str,
        typer.Option(
            help="The ratios at which methods are measured that run the network dozens of times."
        ),
    ] = "0",
    folds: Annotated[str, typer.Option(help="The folds whose clips are mixed.")] = "5",
    min_p: Annotated[
        float, typer.Option(help="A class is explained where the network gives it this p.")
    ] = 0.3,
    axis: Annotated[str, typer.Option(help="bins; or time, to compare frames alone.")] = "bins",
    rows: Annotated[
        Path, typer.Option(help="The folder of the rows; what is in it is not measured again.")
    ] = Path("results/localisation"),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/localisation.md"),
    device: Device = "cpu",
) -> None:
    """Compare maps with the truth, on mixtures of two clips.

    The clips are of different classes: does each map show the one that it explains? Writes a page
    with tables and a picture. An interrupted run is resumed by the same command.

    Examples (in a shell):

      audiointerp localise --weights mel.safetensors --data data/ESC-50 --subset esc10

      audiointerp localise --weights mel.safetensors --data data/ESC-50 --ratios 0:60,-5:24,5:24
    """
    from ..interpretation import METHODS as BY_NAME
    from ..model import Classifier, weights_path
    from ..paper import localisation_methods, measure_localisation, ratios_in, write_localisation
    from .options import numbers_in

    check_page(out)
    names = names_in(methods, "--methods")
    measured = ratios_in(ratios, number)
    slow_ratios = [float(entry.ratio_db) for entry in ratios_in(slow_at)]
    file = weights_path(weights)
    classifier = Classifier.load(file, device)
    dataset = open_for(classifier, data, numbers_in(folds, "--folds"), subset)
    kinds = [BY_NAME.get(name.partition("@")[0]) for name in names]
    needs_background = any(kind is not None and kind.needs_background for kind in kinds)
    background = training_background_of(classifier, data, subset) if needs_background else None
    explainers = localisation_methods(names, classifier, background)
    frame = measure_localisation(
        classifier, dataset, measured, explainers, rows, slow_at=slow_ratios, min_p=min_p, axis=axis
    )
    what = (frame, classifier, dataset, measured, explainers)
    write_localisation(out, *what, command_line(), file.name, min_p=min_p)
    typer.echo(f"wrote {out}")
