"""Runs an experiment over a data set: checks it, then computes and keeps what is missing."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..errors import Stopped
from ..interpretation import NULLS, AnyMask, Explainer
from ..model import Classifier
from ..scoring import (
    OutOfDistribution,
    RecentClips,
    check_fits,
    nulls_of,
    warn_of_silent_clips,
)
from ..util import Progress, show_progress
from .computation import Task, compute_here
from .opening import clips_of_shard, opened
from .prepare import PreparedRun, plan_of, prepare_run
from .shares import Shares
from .signals import stoppable
from .study import Experiment, check_network, clips_of, own_experiment
from .workers import compute_in_workers, pools_of


def run(
    experiment: Experiment | str,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    out: str | os.PathLike[str],
    *,
    masks: Sequence[AnyMask] | None = None,
    on: str | Sequence[str] | None = None,
    fill: str | Sequence[str] | None = None,
    protocol: str = "corrected",
    nulls: Sequence[str] = NULLS,
    curves: bool = False,
    background: Tensor | None = None,
    reference: OutOfDistribution | None = None,
    optimize: str = "folded",
    noise: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    progress: Progress = True,
    attributions: bool = True,
    resume: bool = True,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
    baselines: bool | None = None,
) -> pd.DataFrame:
    """Run an experiment and write ``OUT/<transform>/<experiment>/<method>/``.

    Each folder gets ``metrics.csv`` (one row per clip, fill, ``on`` and mask), ``run.json``
    (settings, versions, digests of network and clips, counts, seconds) and ``attributions/`` (one
    safetensors file per clip). The same call resumes a run that was interrupted or killed, with the
    same bytes in the end: see :mod:`~audiointerp.experiments.store`.

    Args:
        experiment: one of :data:`EXPERIMENTS`, your own, or the name of one on clean clips.
        classifier: a classifier that takes what the experiment says.
        dataset: the clean clips; the experiment's noise is mixed in here.
        methods, masks, on, fill, protocol, nulls, curves: see :func:`~audiointerp.predict.score`.
        background, reference, optimize, device, baselines: the same.
        out: the folder of results.
        noise: a recording that replaces the experiment's own noise.
        progress: whether to show a progress bar on a terminal or in a notebook; or a function of
            (clips reached, total).
        attributions: whether to keep the attributions.
        resume: whether to keep earlier results, compute what is missing and retry failed clips;
            otherwise earlier results are deleted.
        shard: (i, n), to run only the i-th of n parts of the clips, which follow one another: it is
            no sample of the data set. Shards may run at the same time, into one folder; the last
            one to end writes the tables.
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
    ...         on="features", fill="silence", progress=False,
    ...     )
    >>> rows["status"].tolist()
    ['ok', 'ok']
    """
    if isinstance(experiment, str):
        experiment = own_experiment(experiment, classifier)
    plan = plan_of(
        classifier,
        dataset,
        masks=masks,
        on=on,
        fill=fill,
        protocol=protocol,
        nulls=nulls_of(nulls, baselines),
        curves=curves,
        reference=reference,
        optimize=optimize,
    )
    prepared = prepare_run(
        experiment,
        classifier,
        dataset,
        methods,
        out,
        plan,
        background=background,
        noise=noise,
        device=device,
        attributions=attributions,
        shard=shard,
        workers=workers,
    )
    stores = list(prepared.stores.values())
    with opened(stores, shard, resume):
        _compute_missing(prepared, shard, workers, experiment.name, progress)
        rows = pd.concat([store.assemble() for store in stores], ignore_index=True)
    warn_of_silent_clips(rows)
    return rows


def check_run(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    *,
    noise: str | os.PathLike[str] | None = None,
    **planned: Any,
) -> None:
    """Refuse what :func:`run` refuses, before a background or a reference is computed for it.

    Args:
        experiment, classifier, dataset, noise: as for :func:`run`.
        **planned: masks, on, fill, protocol, nulls, curves and optimize, as for :func:`run`.

    Raises:
        ArgumentError: two settings do not fit together, or a name is unknown.
        AudioError: the noise cannot be read.

    >>> from audiointerp.dataset import Synthetic
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> clips = Synthetic((5,), duration=3.0, sample_rate=32000)
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), clips.labels, duration=3.0)
    >>> check_run(Experiment("own", "mel"), classifier, clips, on="ears")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: unknown on 'ears'; ...
    """
    plan_of(classifier, dataset, **planned)
    check_network(experiment, classifier)
    check_fits(classifier, dataset)
    clips_of(experiment, dataset, noise)


def _compute_missing(
    prepared: PreparedRun, shard: tuple[int, int], workers: int, title: str, progress: Progress
) -> None:
    """Compute what the stores need for one shard of the clips, and keep it."""
    indices = clips_of_shard(shard, len(prepared.clips))
    plan = prepared.computation.plan
    reached = 0
    with (
        stoppable() as stop_requested,
        show_progress(title, len(indices), "clip", progress) as advance,
    ):

        def tasks(numbers: Iterable[int]) -> Iterator[Task]:
            nonlocal reached
            clips = RecentClips(prepared.clips)
            for index in numbers:
                if stop_requested():
                    return
                reached += 1
                loaded, stores = clips.load(index), prepared.stores.items()
                has_other = "other" in plan.nulls and clips.other_index(index) is not None
                methods = [name for name, store in stores if store.needs(index, loaded, has_other)]
                if methods:
                    other = clips.other(index) if has_other else None
                    yield Task(index, loaded, methods, other)
                advance(1)

        if workers == 1:
            threads = torch.get_num_threads()
            results = compute_here(prepared.computation, tasks(indices), stop_requested)
        else:
            threads = 1
            pools = len(pools_of(workers))
            shares = Shares(indices, pools)
            of_pools = [tasks(shares.of(pool)) for pool in range(pools)]
            results = compute_in_workers(prepared.computation, of_pools, workers)
        with closing(results):
            for task, computed in results:
                prepared.stores[computed.method].put(task.index, task.loaded, computed, threads)
        if stop_requested():
            raise Stopped(
                f"stopped at clip {reached} of {len(indices)}; the same command resumes there"
            )
