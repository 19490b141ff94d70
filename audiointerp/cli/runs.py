"""The commands that compute results: run, validate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, AudioError, DatasetError, choose
from .in_shards import (
    Address,
    EngineName,
    GpusPerWorker,
    Manifest,
    NumWorkers,
    ShardSize,
    check_manifest_options,
    check_worker_device,
    engine_of,
    open_manifest_for,
    workers_of,
)
from .models import default_methods, open_classifier
from .options import (
    ALL_NULLS,
    METHOD_NAMES,
    Background,
    Clips,
    Curves,
    Data,
    Device,
    Fill,
    HuggingFace,
    Masks,
    MaxErrors,
    Model,
    Nulls,
    On,
    Protocol,
    Resume,
    Subset,
    Weights,
    Workers,
    app,
    names_in,
    numbers_in,
    shard_in,
)
from .own_clips import Part, open_for_run, training_background
from .run_summary import print_run, print_shards
from .settings_file import Settings
from .source_checks import check_source

if TYPE_CHECKING:
    from torch import Tensor

    from ..dataset import ClipDataset
    from ..model import Classifier
    from ..scoring import OutOfDistribution


@app.command()
def run(
    experiment: Annotated[
        str,
        typer.Argument(
            help="stft_clean, mel_clean, mel_horse, mel_room or mel_white; with --clips also a "
            "name of your own."
        ),
    ],
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    data: Data = None,
    clips: Clips = None,
    manifest: Manifest = None,
    part: Part = None,
    subset: Subset = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: " + ", ".join(METHOD_NAMES) + "; default: four that the "
            "classifier can be explained by."
        ),
    ] = None,
    masks: Masks = None,
    on: On = None,
    fill: Fill = None,
    protocol: Protocol = "corrected",
    optimize: Annotated[
        str,
        typer.Option(help="folded: a faster copy of the network scores; none: the network itself."),
    ] = "folded",
    nulls: Nulls = ALL_NULLS,
    curves: Curves = False,
    folds: Annotated[
        str | None, typer.Option(help="The folds to explain; default: 5 of --data.")
    ] = None,
    background: Background = None,
    noise: Annotated[
        Path | None, typer.Option(help="A sound file instead of the experiment's noise.")
    ] = None,
    attributions: Annotated[
        bool | None,
        typer.Option(help="Keep the attributions beside the scores; default: not of shards."),
    ] = None,
    resume: Resume = True,
    shard: Annotated[
        str, typer.Option(help="2/4: only the second of four parts, in order, of clips or shards.")
    ] = "1/1",
    max_errors: MaxErrors = 0,
    out: Annotated[
        str, typer.Option(help="The folder of results; in shards also a URL, e.g. s3://…")
    ] = "results",
    device: Device = "cpu",
    workers: Workers = 1,
    engine: EngineName = None,
    address: Address = None,
    num_workers: NumWorkers = None,
    gpus_per_worker: GpusPerWorker = 0,
    shard_size: ShardSize = None,
    settings_file: Settings = None,
) -> None:
    """Score methods and masks on the test clips.

    SHAP's background is drawn from the training clips, 2 per class, unless --background is given.
    Parts are compared with the training clips, in ood_in and ood_out, where these are known.
    If a run is interrupted, the same command resumes it.

    Examples (in a shell):

      audiointerp run mel_clean --weights weights/synthetic_mel_cnn10.safetensors

      audiointerp run mel_horse --data data/ESC-50 --weights mel.safetensors --shard 1/4

      audiointerp run digits --clips digits --weights digits.safetensors

      audiointerp run birds --clips birds.csv --model my_birds:make_classifier

      audiointerp run birds --manifest s3://clips/birds.csv --weights birds.safetensors --engine ray
    """
    from ..experiments import (
        SHARD_SIZE,
        background_of_folder,
        check_run,
        find_experiment,
        own_experiment,
        run_shards,
    )
    from ..experiments import run as run_experiment
    from ..interpretation import METHODS, NULLS, resolve_mask

    given = None if methods is None else names_in(methods, "--methods")
    for name in given or ():
        choose("method", name, METHODS)
    mask_names = (
        None if masks is None else [resolve_mask(name)[0] for name in names_in(masks, "--masks")]
    )
    chosen_nulls = [] if nulls == "none" else names_in(nulls, "--nulls")
    null_names = [choose("null", name, NULLS) for name in chosen_nulls]
    if clips is None and manifest is None:
        find_experiment(experiment)
    in_shards = not (manifest is None and engine is None and shard_size is None)
    computed_by = workers_of(engine, address, num_workers, gpus_per_worker, workers)
    check_worker_device(computed_by, device)
    computes = engine_of(computed_by)
    classifier = open_classifier(weights, model, hugging_face).to(device)
    method_names = given or default_methods(classifier)
    setting = own_experiment(experiment, classifier)
    check_source(data, clips, manifest, subset, part)
    planned: dict[str, Any] = {
        "masks": mask_names,
        "on": None if on is None else names_in(on, "--on"),
        "fill": None if fill is None else names_in(fill, "--fill"),
        "protocol": protocol,
        "nulls": null_names,
        "curves": curves,
        "optimize": optimize,
        "noise": noise,
    }
    needs_background = any(METHODS[name].needs_background for name in method_names)
    features = None if background is None else background_of_folder(background, classifier)
    dataset: ClipDataset
    reference = None
    if manifest is not None:
        check_manifest_options(folds, lacks_background=needs_background and features is None)
        dataset = open_manifest_for(classifier, manifest)
    elif clips is not None:
        dataset, split = open_for_run(classifier, clips, folds, part)
        # Before the work of minutes that follows.
        check_run(setting, classifier, dataset, **planned)
        if needs_background and features is None:
            features = training_background(classifier, clips, split)
        known = None if split is None else (split.train, split.validation)
        reference = _reference(classifier, known)
    else:
        dataset = open_for(classifier, data, numbers_in(folds or "5", "--folds"), subset)
        check_run(setting, classifier, dataset, **planned)
        if needs_background and features is None:
            features = training_background_of(classifier, data, subset)
        scored_folds = numbers_in(folds or "5", "--folds")
        reference = reference_of_folds(classifier, data, subset, scored_folds)
    settings: dict[str, Any] = planned | {
        "background": features,
        "reference": reference,
        "device": device,
        "resume": resume,
        "shard": shard_in(shard),
    }
    arguments = setting, classifier, dataset, method_names, out
    if in_shards:
        settings |= {"engine": computes, "shard_size": shard_size or SHARD_SIZE}
        print_shards(
            run_shards(*arguments, attributions=bool(attributions), **settings), max_errors
        )
        return
    rows = run_experiment(
        *arguments, attributions=attributions is not False, workers=workers, **settings
    )
    folder = Path(out) / setting.transform / setting.name
    print_run(rows, dataset, shard_in(shard), folder, max_errors)


def reference_of_folds(
    classifier: "Classifier", data: Path | None, subset: str | None, scored: Sequence[int]
) -> "OutOfDistribution | None":
    """Return what parts of the scored folds are compared with: the other folds, if that can be.

    Example: ``reference_of_folds(classifier, Path("data/ESC-50"), "esc10", [5])``.
    """
    return _reference(classifier, _training_and_validation(classifier, data, subset, scored))


def _training_and_validation(
    classifier: "Classifier", data: Path | None, subset: str | None, scored: Sequence[int]
) -> "tuple[ClipDataset, ClipDataset] | None":
    """Open the training and the validation folds; None if the folder lacks them.

    Also None if one of them is scored, since the clips would be compared with themselves.
    """
    from ..experiments import TRAIN_FOLDS, VALID_FOLDS

    if set(scored) & {*TRAIN_FOLDS, *VALID_FOLDS}:
        return None
    try:
        return (
            open_for(classifier, data, list(TRAIN_FOLDS), subset),
            open_for(classifier, data, list(VALID_FOLDS), subset),
        )
    except DatasetError:
        return None


def _reference(
    classifier: "Classifier", folds: "tuple[ClipDataset, ClipDataset] | None"
) -> "OutOfDistribution | None":
    """Return what parts are compared with; None, and a note, without enough training clips."""
    from ..scoring import ood_reference

    try:
        return None if folds is None else ood_reference(classifier, *folds)
    except (ArgumentError, DatasetError, AudioError) as error:
        typer.echo(f"ood_in and ood_out are left empty: {error}", err=True)
        return None


def open_for(
    classifier: "Classifier", data: Path | None, folds: list[int], subset: str | None
) -> "ClipDataset":
    """Open folds of a data set with the sample rate and the duration of a classifier.

    Raises:
        DatasetError: the folder is not in the layout of ESC-50.

    Example: ``open_for(classifier, None, [5], None)`` opens synthetic clips.
    """
    from ..experiments import open_data

    return open_data(
        data,
        folds,
        subset,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize=classifier.normalize,
    )


def training_background_of(
    classifier: "Classifier", data: Path | None, subset: str | None
) -> "Tensor":
    """Draw a background from the training folds.

    Example: ``training_background_of(classifier, Path("data/ESC-50"), "esc10")``.
    """
    from ..experiments import TRAIN_FOLDS, background_of

    train = open_for(classifier, data, list(TRAIN_FOLDS), subset)
    return background_of(train, classifier.transform)
