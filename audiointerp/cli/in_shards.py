"""Runs in shards from the shell: the options of ``run`` for them."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ArgumentError, choose

if TYPE_CHECKING:
    from ..dataset import ManifestClips
    from ..experiments import Engine
    from ..model import Classifier
    from ..util import Cluster

ENGINES = ("local", "ray")

Manifest = Annotated[
    str | None,
    typer.Option(
        "--manifest",
        help="A CSV or Parquet table of any number of clips instead of --data, a path or a URL: "
        "a column of files, one of labels; recording and id are optional.",
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="local, or ray: a cluster; of run, in shards into Parquet; see docs/scale.md.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="Of --engine ray: the cluster, e.g. auto; default: one on this machine."),
]
NumWorkers = Annotated[
    int | None, typer.Option(min=1, help="Of --engine ray: its workers; default: one per CPU.")
]
GpusPerWorker = Annotated[
    float, typer.Option(min=0, help="Of --engine ray: the share of a GPU that each worker needs.")
]
ShardSize = Annotated[
    int | None, typer.Option(min=1, help="Clips of a shard of a run in shards; default: 1000.")
]


def workers_of(
    engine: str | None,
    address: str | None,
    num_workers: int | None,
    gpus_per_worker: float,
    workers: int,
) -> "int | Cluster":
    """Return the number of processes of this machine, or the cluster, that the options describe.

    Raises:
        ArgumentError: the engine is unknown, or an option is of another one.

    >>> workers_of("local", "auto", None, 0, 1)
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: --address, --num-workers and --gpus-per-worker are of \
--engine ray; for processes of this machine give --workers
    """
    from ..util import Cluster

    if choose("engine", engine or "local", ENGINES) == "ray":
        if workers != 1:
            raise ArgumentError("--workers is of --engine local; for ray give --num-workers")
        return Cluster(num_workers, address, gpus_per_worker)
    if address is not None or num_workers is not None or gpus_per_worker:
        raise ArgumentError(
            "--address, --num-workers and --gpus-per-worker are of --engine ray; for processes of "
            "this machine give --workers"
        )
    return workers


def check_worker_device(workers: "int | Cluster", device: str) -> None:
    """Refuse a device that the workers of a cluster do not have, before a model is opened.

    Args:
        workers: of :func:`workers_of`.
        device: of the option ``--device``.

    Raises:
        ArgumentError: they have GPUs and the device is none, or the other way round.

    >>> check_worker_device(workers_of("ray", None, 2, 0, 1), "cpu")
    """
    if isinstance(workers, int):
        return
    if device.startswith("cuda") != (workers.gpus_per_worker > 0):
        raise ArgumentError(
            f"--gpus-per-worker {workers.gpus_per_worker:g} with --device {device}: give --engine "
            "ray both --device cuda and --gpus-per-worker 1, or neither"
        )


def engine_of(workers: "int | Cluster") -> "Engine":
    """Return the engine of a run in shards.

    Example: ``engine_of(workers_of("ray", None, 2, 0, 1))``.
    """
    from ..experiments import local_engine, ray_engine

    if isinstance(workers, int):
        return local_engine(workers)
    return ray_engine(workers.num_workers, workers.address, workers.gpus_per_worker)


def check_manifest_options(folds: str | None, *, lacks_background: bool) -> None:
    """Refuse what does not go with a manifest.

    Raises:
        ArgumentError: folds are chosen, or a method needs a background that is not given.

    >>> check_manifest_options(None, lacks_background=False)
    """
    if folds is not None:
        raise ArgumentError("--folds is of --data and --clips; a manifest is taken as a whole")
    if lacks_background:
        raise ArgumentError("shap needs --background with --manifest, a folder of sound files")


def open_manifest_for(classifier: "Classifier", place: str) -> "ManifestClips":
    """Open a manifest with the labels, the sample rate and the duration of a classifier.

    Raises:
        DatasetError: it cannot be read, or a row is wrong.

    Example: ``audiointerp run birds --manifest s3://clips/birds.csv`` calls it.
    """
    from ..dataset import ManifestClips

    return ManifestClips(
        place,
        classifier.labels,
        sample_rate=classifier.sample_rate,
        duration=classifier.duration,
        normalize=classifier.normalize,
    )
