"""Runs in shards: for data sets of any size, on one machine or on a cluster, into Parquet files."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..errors import ArgumentError, Stopped
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import check_pyarrow, warn_of_silence
from ..util import Progress, is_url, json_text, locked, place_below, show_progress, write_bytes
from .engines import Engine, MissingShard, ShardJob, local_engine
from .fingerprint import environment
from .opening import check_resume, clear_results, refuse_results_beside
from .prepare import plan_of, prepare, read_as
from .shards import SHARD_SIZE, Shard, ShardFolder, checked_part, plan_shards
from .signals import stoppable
from .study import Experiment, own_experiment


@dataclass(frozen=True)
class ShardedRun:
    """What a run in shards has done so far.

    Attributes:
        folder: the folder of the experiment, a path or a URL.
        shards: the number of shards of the whole data set.
        missing: how many of them a method still lacks.
        rows: the number of rows of all methods; None while a shard is missing.
        errors: the number of clips that failed, by method; while a shard is missing, of those of
            this part.

    >>> ShardedRun("results/mel/own", 10, 0, 5600, {"lime": 1}).is_complete
    True
    """

    folder: str
    shards: int
    missing: int
    rows: int | None = None
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether no shard is missing."""
        return self.missing == 0


def run_shards(
    experiment: Experiment | str,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    shard_size: int = SHARD_SIZE,
    shard: tuple[int, int] = (1, 1),
    attributions: bool = False,
    resume: bool = True,
    background: Tensor | None = None,
    noise: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
    progress: Progress = True,
    **settings: Any,
) -> ShardedRun:
    """Run an experiment in shards, and write ``OUT/<transform>/<experiment>/<method>/shards/``.

    The rows are those of :func:`~audiointerp.experiments.run`. Each shard is one Parquet file, and
    one of safetensors if the attributions are kept; once none is missing, ``run.json`` is written
    beside them. The same call resumes a run: a shard whose file exists is finished, and its clips
    are not read again. A clip that fails is an error row of its shard, and is retried only if
    that file is deleted.

    Args:
        experiment, classifier, methods, background, noise, device, progress: see
            :func:`~audiointerp.experiments.run`.
        dataset: the clean clips, e.g. a :class:`~audiointerp.dataset.ManifestClips`.
        out: the folder of results, a path or a URL that fsspec can write to.
        engine: what computes the shards; by default this process.
        shard_size: the clips of a shard. A shard is the least that is lost if a process is killed,
            and a worker has the rows of one shard in memory.
        shard: (i, n), to run only the i-th of n parts of the shards, on machines that share nothing
            but ``out``.
        attributions: whether to keep the attributions too.
        resume: whether to keep earlier results; otherwise they are deleted.
        **settings: masks, on, fill, protocol, nulls, curves, reference and optimize of
            :func:`~audiointerp.experiments.run`.

    Raises:
        ArgumentError: two settings do not fit together, earlier results have other settings, or
            ``resume`` is False for a part of the shards.
        AudioInterpError: pyarrow is missing, a worker died, or a file cannot be written.
        Stopped: SIGINT or SIGTERM came; finished shards are kept.

    Example: ``audiointerp run birds --manifest s3://clips/birds.csv`` calls it.
    """
    check_pyarrow()
    check_resume(resume, checked_part(shard))
    if engine is not None and not callable(engine):
        raise ArgumentError(f"engine={engine!r:.80}: give local_engine(workers=4) or ray_engine()")
    if isinstance(experiment, str):
        experiment = own_experiment(experiment, classifier)
    plan = plan_of(classifier, dataset, **settings)
    prepared = prepare(
        experiment,
        classifier,
        dataset,
        methods,
        plan,
        background=background,
        noise=noise,
        device=device,
    )
    # A run compares the sounds themselves; here those of finished shards are not read again.
    sounds = {"sounds": read_as(experiment, dataset, noise)}
    place = out if isinstance(out, str) and is_url(out) else str(Path(out).absolute())
    place = place_below(place, experiment.transform, experiment.name)
    folders = {
        method: ShardFolder(
            place_below(place, method), {**fingerprint, **sounds}, attributions, environment()
        )
        for method, fingerprint in prepared.fingerprints.items()
    }
    job = ShardJob(prepared.clips, prepared.computation, folders)
    shards = plan_shards(len(prepared.clips), shard_size)
    part = plan_shards(len(prepared.clips), shard_size, shard)
    with ExitStack() as locks:
        if not is_url(place):
            locks.enter_context(locked(Path(place, f".lock-shards-{shard[0]}-of-{shard[1]}")))
        for folder in folders.values():
            if resume and not is_url(place):
                refuse_results_beside(Path(folder.place), "clips/[0-9]*.json", "run")
            if not resume:
                folder.clear()
                if not is_url(place):
                    clear_results(Path(folder.place))
            folder.check(shards)
        missing = _missing(folders, part)
        _compute(job, missing, engine or local_engine(), experiment.name, progress, len(part))
    return _summary(place, folders, shards, part)


def _missing(folders: dict[str, ShardFolder], shards: Sequence[Shard]) -> list[MissingShard]:
    finished = {method: folder.finished(shards) for method, folder in folders.items()}
    missing = []
    for shard in shards:
        methods = tuple(method for method, done in finished.items() if shard not in done)
        if methods:
            missing.append(MissingShard(shard, methods))
    return missing


def _compute(
    job: ShardJob,
    missing: Sequence[MissingShard],
    engine: Engine,
    title: str,
    progress: Progress,
    shards: int,
) -> None:
    finished = shards - len(missing)
    with (
        stoppable() as stop_requested,
        show_progress(title, shards, "shard", progress) as advance,
    ):
        advance(finished)
        for _ in engine(job, missing, stop_requested) if missing else ():
            finished += 1
            advance(1)
        if stop_requested() and finished < shards:
            raise Stopped(
                f"stopped after {finished} of {shards} shards; the same command resumes there"
            )


def _summary(
    place: str, folders: dict[str, ShardFolder], shards: Sequence[Shard], part: Sequence[Shard]
) -> ShardedRun:
    """Write run.json of each method if no shard is missing, and say what there is."""
    missing = len(_missing(folders, shards))
    if missing:
        failed = dict.fromkeys(folders, 0)
        for shard in part:
            for method, folder in folders.items():
                failed[method] += folder.describe(shard)["errors"]
        return ShardedRun(place, len(shards), missing, errors=failed)
    rows, errors, silent = 0, {}, dict[str, None]()
    for method, folder in folders.items():
        record = _record(folder, method, shards)
        silent.update(dict.fromkeys(record["silent_clips"]))
        write_bytes(place_below(folder.place, "run.json"), json_text(record).encode())
        rows += record["rows"]
        errors[method] = record["errors"]
    warn_of_silence(list(silent), shards[-1].stop, stacklevel=3)
    return ShardedRun(place, len(shards), 0, rows, errors)


def _record(folder: ShardFolder, method: str, shards: Sequence[Shard]) -> dict[str, Any]:
    digest = hashlib.sha256()
    unread: list[str] = []
    silent: list[str] = []
    rows, errors, seconds, threads = 0, 0, 0.0, set()
    for shard in shards:
        description = folder.describe(shard)
        digest.update(description["clips_sha256"].encode())
        unread += description["unread_clips"]
        # Files of earlier versions do not say it.
        silent += description.get("silent_clips", [])
        rows += description["rows"]
        errors += description["errors"]
        seconds += description["seconds"]
        threads.add(description["threads"])
    return {
        "method": method,
        **folder.fingerprint,
        "environment": folder.environment,
        "shards": len(shards),
        "shards_sha256": digest.hexdigest(),
        "unread_clips": unread,
        "silent_clips": silent,
        "rows": rows,
        "errors": errors,
        "seconds": round(seconds, 1),
        "threads": sorted(threads),
    }
