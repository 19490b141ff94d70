"""Clips of one's own in the shell: opened for training and for runs, and the transform for them."""

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError, choose
from .options import numbers_in
from .recorded_split import recorded_split

if TYPE_CHECKING:
    from torch import Tensor

    from ..dataset import ClipDataset, LabelledClips, Selection, Split
    from ..model import Classifier
    from ..processing import Transform

PARTS = ("all", "train", "validation", "test")
LONGEST = 30.0
"""The longest duration in seconds that is taken for the network without ``--duration``."""

SampleRate = Annotated[
    int | None,
    typer.Option(min=1, help="Of the transform, in Hz; its other settings follow unless given."),
]
WindowLength = Annotated[
    int | None, typer.Option("--n-fft", min=2, help="The transform's window, in samples.")
]
HopLength = Annotated[
    int | None, typer.Option("--hop", min=1, help="The transform's hop, in samples.")
]
Bands = Annotated[int | None, typer.Option("--n-mels", min=1, help="The number of mel bands.")]
Lowest = Annotated[float | None, typer.Option("--f-min", min=0, help="Of the mel bands, in Hz.")]
Highest = Annotated[float | None, typer.Option("--f-max", min=0, help="Of the mel bands, in Hz.")]
Duration = Annotated[
    float | None,
    typer.Option(
        help="Of each clip, in seconds; default: 5, or the longest clip of --clips. Longer clips "
        "are cut, shorter ones padded with silence."
    ),
]
Share = Annotated[
    float | None,
    typer.Option(
        help="The share of each class's recordings in --clips; default: 0.2, or the folds of the "
        "table if there are three or more."
    ),
]
Part = Annotated[
    str | None,
    typer.Option(
        help="Of --clips: all, train, validation or test, as train divided them; default: test if "
        "the weights were trained on these clips, else all."
    ),
]


def transform_for(
    preset: "Transform",
    *,
    sample_rate: int | None,
    n_fft: int | None,
    hop_length: int | None,
    n_mels: int | None,
    f_min: float | None,
    f_max: float | None,
) -> "Transform":
    """Change the given settings of a transform.

    At another sample rate, the window and the hop keep about their durations (the window a power of
    two), and the highest band ends at half the rate, if that is lower.

    Raises:
        ArgumentError: the transform has no such setting, a value is out of range, or a mel band has
            no bin of the STFT.

    >>> from audiointerp.processing import LogMel
    >>> none = dict.fromkeys(("n_fft", "hop_length", "f_min", "f_max"))
    >>> transform_for(LogMel(), sample_rate=8000, n_mels=32, **none).hop_length
    80
    """
    settings: dict[str, Any] = {}
    if sample_rate is not None:
        ratio = sample_rate / preset.sample_rate
        settings["sample_rate"] = sample_rate
        settings["n_fft"] = max(2, 2 ** round(math.log2(preset.n_fft * ratio)))
        settings["hop_length"] = max(1, round(preset.hop_length * ratio))
        if getattr(preset, "f_max", None) is not None:
            settings["f_max"] = min(preset.f_max, sample_rate / 2)  # type: ignore[attr-defined]
    given = {
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
        "f_min": f_min,
        "f_max": f_max,
    }
    settings |= {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in settings if not hasattr(preset, name)]
    if unknown:
        raise ArgumentError(
            f"{type(preset).__name__} has no {', '.join(unknown)}; leave it out, or give "
            "--transform mel"
        )
    transform = replace(preset, **settings)
    with warnings.catch_warnings():
        # The warning of empty bands, which are refused here.
        warnings.simplefilter("ignore")
        filters = transform.band_filters
    empty = 0 if filters is None else int((filters.sum(1) == 0).sum())
    if empty:
        raise ArgumentError(
            f"{empty} of {transform.num_bins} mel bands are narrower than a bin of the STFT "
            f"(n_fft {transform.n_fft} at {transform.sample_rate} Hz); give fewer by --n-mels, or "
            "a longer window by --n-fft"
        )
    return transform


def open_for_training(
    path: Path,
    transform: "Transform",
    duration: float | None,
    validation: float | None,
    test: float | None,
) -> "Split":
    """Open clips of one's own at a transform's rate, divide them, and print what was opened.

    Raises:
        ArgumentError, DatasetError: the path holds no clips that can be divided, or a clip is so
            long that a duration must be given.

    Example: ``audiointerp train --clips FOLDER`` calls it.
    """
    from ..dataset import LabelledClips, split_clips, stated_seconds

    listed = LabelledClips.open(path)
    seconds = [stated_seconds(clip.path) for clip in listed.clips]
    longest = max(seconds)
    if duration is None and not 0 < longest <= LONGEST:
        raise ArgumentError(
            f"{path}: the longest clip has {longest:g} s by its header; give the seconds of each "
            "clip that the network takes by --duration"
        )
    duration = longest if duration is None else duration
    dataset = LabelledClips.open(path, sample_rate=transform.sample_rate, duration=duration)
    split = split_clips(dataset, validation, test)
    typer.echo(
        f"{path}: {len(dataset)} clips of {min(seconds):.3g} to {longest:.3g} s, "
        f"{len(dataset.labels)} classes; divided {split.how}: {len(split.train)} for training, "
        f"{len(split.validation)} for validation, {len(split.test)} for test; the network takes "
        f"{duration:.3g} s"
    )
    return split


def open_for_run(
    classifier: "Classifier", path: Path, folds: str | None, part: str | None
) -> tuple["ClipDataset", "Split | None"]:
    """Open clips of one's own for a classifier; and the division by which it was trained on them.

    Args:
        classifier: the classifier, whose labels, rate and duration the clips get.
        path: the folder or the table.
        folds: the folds of the table, comma-separated; None for all.
        part: a name in :data:`PARTS`; None for the test clips, or all if the classifier was not
            trained on these clips.

    Raises:
        ArgumentError: the part is unknown, or the classifier was not trained on these clips, or
            their division has changed since.
        DatasetError: the path holds no such clips.

    Example: ``audiointerp run mel_clean --clips FOLDER`` calls it.
    """
    from ..dataset import LabelledClips

    if part is not None:
        choose("part", part, PARTS)
    chosen_folds = None if folds is None else numbers_in(folds, "--folds")
    whole = LabelledClips.open(
        path,
        labels=classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize=classifier.normalize,
    )
    by_division = part != "all" and chosen_folds is None
    record = classifier.training.get("split")
    split = recorded_split(record, whole, path, must_be_known=by_division)
    if chosen_folds is not None and part is not None:
        raise ArgumentError("--folds and --part both choose clips; give one of them")
    if chosen_folds is not None:
        return _in_folds(whole, chosen_folds, path), split
    if part in ("train", "validation", "test") and split is None:
        raise ArgumentError(
            f"--part {part}: these weights do not record a division of {path}; give --part all, or "
            "the folds of a table"
        )
    if part == "all" or split is None:
        return whole, split
    chosen: Selection = getattr(split, part or "test")
    if part is None:
        typer.echo(f"{path}: the {len(chosen)} test clips of {len(whole)} (--part all takes all)")
    return chosen, split


def _in_folds(dataset: "LabelledClips", folds: list[int], path: Path) -> "Selection":
    """The clips of these folds of a table."""
    from ..dataset import Selection, in_folds

    chosen = set(in_folds(dataset.clips, folds, path))
    return Selection(dataset, [index for index, clip in enumerate(dataset.clips) if clip in chosen])


def training_background(classifier: "Classifier", path: Path, split: "Split | None") -> "Tensor":
    """Draw SHAP's background from the training clips.

    Raises:
        ArgumentError: it is not known which they are, or a class has too few.

    Example: ``audiointerp run mel_clean --clips FOLDER`` calls it.
    """
    from ..experiments import background_of

    if split is None:
        raise ArgumentError(
            f"these weights do not record which clips of {path} they were trained on: give "
            "--background, a folder of sound files for shap to compare with"
        )
    return background_of(split.train, classifier.transform)
