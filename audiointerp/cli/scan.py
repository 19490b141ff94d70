"""The command for long recordings: scan."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, AudioInterpError, choose
from ..util import encodable
from .in_shards import (
    Address,
    EngineName,
    GpusPerWorker,
    NumWorkers,
    check_worker_device,
    workers_of,
)
from .models import open_classifier
from .options import (
    FILL_NAMES,
    METHOD_NAMES,
    Device,
    HuggingFace,
    Model,
    Out,
    Resume,
    Weights,
    Workers,
    app,
    names_in,
    shard_in,
)
from .settings_file import Settings

if TYPE_CHECKING:
    from ..events import ScanSettings
    from ..model import Classifier


@app.command()
def scan(
    recording: Annotated[
        Path, typer.Argument(help="A sound file of any length, or a folder with such files.")
    ],
    weights: Weights = None,
    model: Model = None,
    hugging_face: HuggingFace = None,
    hop: Annotated[
        float | None,
        typer.Option(help="Seconds from window to window; default: half of a window."),
    ] = None,
    threshold: Annotated[
        str,
        typer.Option(
            help="p at which an event begins; or by label, dog=0.7,rain=0.4: these alone."
        ),
    ] = "0.5",
    hold: Annotated[
        float, typer.Option(help="The share of the threshold at which an event ends.")
    ] = 0.6,
    min_duration: Annotated[
        float, typer.Option(min=0, help="Shorter events are left out; in seconds.")
    ] = 0.0,
    merge: Annotated[
        float, typer.Option(min=0, help="Events of one label are joined across so many seconds.")
    ] = 0.0,
    labels: Annotated[
        str | None, typer.Option(help="The labels to detect, comma-separated; default: all.")
    ] = None,
    explain: Annotated[
        int, typer.Option(min=0, help="Events of a recording to explain, with the largest p.")
    ] = 20,
    method: Annotated[str, typer.Option(help=", ".join(METHOD_NAMES))] = "gradcam",
    fill: Annotated[
        str, typer.Option(help=f"What removed bins become: {', '.join(FILL_NAMES)}.")
    ] = "background",
    pooling: Annotated[
        str, typer.Option(help="p of a whole recording: mean, max or noisy_or of its windows.")
    ] = "max",
    normalize: Annotated[
        str | None,
        typer.Option(
            help="none: windows keep their levels, for networks on absolute levels; peak or rms; "
            "default: each window as the classifier's clips were.",
        ),
    ] = None,
    resume: Resume = True,
    shard: Annotated[
        str, typer.Option(help="2/4: only the second of four parts of the recordings.")
    ] = "1/1",
    max_errors: Annotated[
        int, typer.Option(min=0, help="Failed recordings that are accepted with exit status 0.")
    ] = 0,
    out: Out = Path("events"),
    device: Device = "cpu",
    workers: Workers = 1,
    engine: EngineName = None,
    address: Address = None,
    num_workers: NumWorkers = None,
    gpus_per_worker: GpusPerWorker = 0,
    settings_file: Settings = None,
) -> None:
    """Find events in recordings, and the box each is heard in.

    Recordings may have any length. Each recording has a folder with its events (CSV, JSON, Raven,
    Audacity), p of each window, and a page with players. If a scan is interrupted, the same command
    resumes it.

    Examples (in a shell):

      audiointerp scan hour.flac --weights esc10-mel-absolute

      audiointerp scan recordings --weights esc10-mel-absolute --workers 2

      audiointerp scan recordings --weights esc10-mel-absolute --normalize none

      audiointerp scan recordings --model my_model:make_classifier --threshold whale=0.8,ship=0.5

      audiointerp scan recordings --weights birds.safetensors --engine ray --address auto
    """
    from ..events import FolderScan, ScanSettings, scan_files
    from .scan_page import write_events_page, write_index_page

    recordings = recordings_in(recording)
    part = shard_in(shard)
    scanned_by = workers_of(engine, address, num_workers, gpus_per_worker, workers)
    check_worker_device(scanned_by, device)
    opener = partial(_open, weights, model, hugging_face, device, normalize)
    classifier = opener()
    settings = ScanSettings(
        hop=hop,
        threshold=threshold_in(threshold),
        hold=hold,
        min_duration=min_duration,
        merge=merge,
        labels=None if labels is None else tuple(names_in(labels, "--labels")),
        explain=explain,
        method=method,
        fill=fill,
        pooling=pooling,
    )
    _check(classifier, settings)
    pages = (write_events_page, write_index_page)
    task = FolderScan(out, settings, _description(classifier), *pages)
    # One process uses the classifier that is open already.
    given = (lambda: classifier) if scanned_by == 1 else opener
    rows = scan_files(task, given, recordings, shard=part, workers=scanned_by, resume=resume)
    names = {name for name, _ in recordings}
    _print_result([row for row in rows if row["recording"] in names], len(recordings), out)
    shard_names = {name for name, _ in recordings[part[0] - 1 :: part[1]]}
    failed = [row for row in rows if row["status"] != "ok" and row["recording"] in shard_names]
    _refuse_failures(failed, len(shard_names), max_errors, out)


def recordings_in(path: Path) -> list[tuple[str, Path]]:
    """Return the sound files of a folder and of the folders below, by their names; or the file.

    Files that are sounds by their ending, but cannot be decoded, are among them: they fail, and
    are not left out. In the names, line breaks and bytes that are not UTF-8 are escaped.

    Raises:
        AudioInterpError: there is no such file, or no sound file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "day 1").mkdir()
    ...     for name in ("b.wav", "day 1/a.flac", "notes.txt", "._b.wav"):
    ...         Path(folder, name).touch()
    ...     [name for name, _ in recordings_in(Path(folder))]
    ['b.wav', 'day 1/a.flac']
    """
    from ..dataset import AUDIO_ENDINGS
    from ..processing import UNREADABLE_ENDINGS

    if path.is_file():
        return [(encodable(path.name), path)]
    if not path.is_dir():
        raise AudioInterpError(f"{path}: no such sound file or folder")
    endings = AUDIO_ENDINGS | UNREADABLE_ENDINGS
    files = [
        file
        for file in path.rglob("*")
        # A link to nothing is a recording that fails, and is not left out.
        if not file.is_dir() and file.suffix.lower() in endings and not file.name.startswith(".")
    ]
    if not files:
        raise AudioInterpError(f"{path}: no sound file in this folder or below")
    return sorted((encodable(file.relative_to(path).as_posix()), file) for file in files)


def threshold_in(text: str) -> float | dict[str, float]:
    """Read a threshold, or thresholds by label.

    Raises:
        ArgumentError: a number is none, or a label is repeated.

    >>> threshold_in("0.5"), threshold_in("dog=0.7,rain=0.4")
    (0.5, {'dog': 0.7, 'rain': 0.4})
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = [entry.rpartition("=") for entry in names_in(text, "--threshold")]
        thresholds = {label.strip(): float(value) for label, _, value in pairs}
    except ValueError:
        raise ArgumentError(
            f"--threshold {text}: give a number, e.g. 0.5, or numbers by label, dog=0.7,rain=0.4"
        ) from None
    if len(thresholds) < len(pairs):
        raise ArgumentError(f"--threshold {text}: a label has two thresholds; give it one")
    return thresholds


def _open(
    weights: str | None,
    model: str | None,
    hugging_face: str | None,
    device: str,
    normalize: str | None,
) -> "Classifier":
    from ..processing import NORMALIZATIONS

    if normalize is not None:
        choose("normalization", normalize, NORMALIZATIONS)
    classifier = open_classifier(weights, model, hugging_face).to(device)
    classifier.normalize = normalize or classifier.normalize
    return classifier


def _check(classifier: "Classifier", settings: "ScanSettings") -> None:
    """Refuse settings that no recording could be scanned with, before the first is read."""
    import torch

    from ..events import explain_events
    from ..events import scan as scan_clip

    second = torch.rand(classifier.window_length) - 0.5
    result = scan_clip(classifier, second, hop=settings.hop, progress=False)
    result.pooled(settings.pooling)
    settings.events_in(result)
    explain_events(classifier, second, [], settings.method, fill=settings.fill, progress=False)


def _description(classifier: "Classifier") -> dict[str, object]:
    """Return what tells one classifier from another."""
    from importlib.metadata import version

    from ..experiments import described_model, sha256_of_state

    # Before the model is asked: some networks change their state with each forward pass.
    network_sha256 = sha256_of_state(classifier.network)
    return {
        "network_sha256": network_sha256,
        "model": described_model(classifier),
        "transform": classifier.transform.to_dict(),
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "output": classifier.output,
        "normalize": classifier.normalize,
        "versions": {name: version(name) for name in ("audiointerp", "torch")},
        "device": classifier.device.type,
    }


def _refuse_failures(
    failed: list[dict[str, object]], count: int, max_errors: int, out: Path
) -> None:
    if len(failed) > max_errors:
        raise AudioInterpError(
            f"{len(failed)} of {count} recordings failed, see {out / 'recordings.csv'}; the "
            f"first: {failed[0]['error']}"
        )


def _print_result(rows: list[dict[str, object]], count: int, out: Path) -> None:
    for row in rows[:20]:
        if row["status"] == "ok":
            typer.echo(f"{row['recording']}: {row['events']} events in {row['seconds']:.1f} s")
            if row["notes"]:
                typer.echo(f"  {row['notes']}")
        else:
            typer.echo(f"{row['recording']}: {row['error']}")
    if len(rows) > 20:
        typer.echo(f"… and {len(rows) - 20} more, see {out / 'recordings.csv'}")
    if len(rows) < count:
        typer.echo(
            f"{len(rows)} of {count} recordings are finished; the other shards have the rest"
        )
    typer.echo(f"wrote {out}/: index.html, recordings.csv, events.csv, a folder for each recording")
