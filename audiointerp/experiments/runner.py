"""Runs an experiment over a data set: prepare, then execute."""

import os
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..interpretation import MASKS, Explainer, Mask
from ..model import Classifier
from .fill import fill
from .opening import opened
from .prepare import PreparedRun, prepare_run
from .study import Experiment


def run(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    out: str | os.PathLike[str],
    *,
    masks: Sequence[str | Mask] = tuple(MASKS),
    on: str | Sequence[str] = ("features", "audio"),
    protocol: str = "corrected",
    baselines: bool = True,
    curves: bool = False,
    background: Tensor | None = None,
    noise: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
    attributions: bool = True,
    resume: bool = True,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
) -> pd.DataFrame:
    """Run an experiment and write ``OUT/<transform>/<experiment>/<method>/``.

    Each folder gets ``metrics.csv`` (one row per clip, mask and ``on``), ``run.json`` (settings,
    versions, digests of network and clips, counts, seconds) and ``attributions/`` (one safetensors
    file per clip). The same call resumes a run that was interrupted or killed, with the same bytes
    in the end: see :mod:`~audiointerp.experiments.store`.

    Args:
        experiment: one of :data:`EXPERIMENTS`, or your own.
        classifier: a classifier trained on the experiment's features.
        dataset: the clean clips; the experiment's noise is mixed in here.
        methods, masks, on, protocol, baselines, curves, background, device: see
            :func:`~audiointerp.predict.score`.
        out: the folder of results.
        noise: a recording that replaces the experiment's own noise.
        progress: whether to show a progress bar in a terminal.
        attributions: whether to keep the attributions.
        resume: whether to keep earlier results, compute what is missing and retry failed clips;
            otherwise earlier results are deleted.
        shard: (i, n), to run only the i-th of n parts of the clips. Shards may run at the same
            time, into one folder; the last one to end writes the tables.
        workers: the number of processes, each with one thread and a copy of the network. On a CPU,
            one per core is about a quarter faster than one process that uses all cores.

    Returns:
        The rows of all methods for all clips so far.

    Raises:
        ArgumentError: two settings do not fit together, or earlier results have other settings.
        AudioInterpError: another process writes there, a worker died, or the disk is full.
        Stopped: SIGINT or SIGTERM came; everything computed so far is kept.

    >>> import tempfile
    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> clips = EvenSubset(Synthetic((5,), duration=3.0), 2)
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), clips.labels, duration=3.0)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     rows = run(
    ...         Experiment("own", "mel"), classifier, clips, ["random"], out, masks=["bin"],
    ...         on="features", progress=False,
    ...     )
    >>> rows["status"].tolist()
    ['ok', 'ok']
    """
    prepared = prepare_run(
        experiment,
        classifier,
        dataset,
        methods,
        out,
        masks=masks,
        on=on,
        protocol=protocol,
        baselines=baselines,
        curves=curves,
        background=background,
        noise=noise,
        device=device,
        attributions=attributions,
        shard=shard,
        workers=workers,
    )
    return execute(prepared, progress=progress, resume=resume)


def execute(prepared: PreparedRun, *, progress: bool = True, resume: bool = True) -> pd.DataFrame:
    """Compute what a prepared run lacks, write it, and return the rows of all methods.

    Args:
        prepared: see :func:`prepare_run`.
        progress, resume: see :func:`run`.

    Raises:
        ArgumentError: the folder holds results of other settings.
        AudioInterpError: another process writes there, a worker died, or the disk is full.
        Stopped: SIGINT or SIGTERM came; everything computed so far is kept.

    Example: ``execute(prepare_run(...))`` is :func:`run`.
    """
    stores = prepared.stores
    with opened(list(stores.values()), prepared.shard, resume):
        fill(
            stores,
            prepared.computation,
            prepared.clips,
            prepared.shard,
            prepared.workers,
            title=prepared.experiment.name if progress else None,
        )
        return pd.concat([store.assemble() for store in stores.values()], ignore_index=True)
