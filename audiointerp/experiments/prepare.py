"""Checks a run and gathers everything it needs, before anything is computed or written."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..dataset import NOISES, ClipDataset, ManifestClips
from ..errors import ArgumentError
from ..interpretation import NULLS, AnyMask, Explainer
from ..model import Classifier
from ..scoring import (
    OutOfDistribution,
    Plan,
    build_explainers,
    check_fits,
    fills_of,
    scored_on,
)
from ..util import encodable, read_bytes
from .computation import Computation
from .fingerprint import ClipNames, environment, fingerprint_of, settings_of
from .shards import checked_part
from .store import Store
from .study import Experiment, check_network, clips_of
from .workers import check_workers

RUN_FILLS = ("background", "silence")
"""What removed bins become in a run, unless the caller says otherwise."""


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that was checked.

    Attributes:
        clips: the clips, with the experiment's noise mixed in.
        computation: what computes the rows of a clip.
        stores: where the results of each method are kept, by the method's name.

    Example: :func:`~audiointerp.experiments.run` computes what it needs.
    """

    clips: ClipDataset
    computation: Computation
    stores: Mapping[str, Store]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run computes, however it is divided and kept.

    Attributes:
        clips: the clips, with the experiment's noise mixed in.
        computation: what computes the rows of a clip.
        fingerprints: what the results of each method depend on, by the method's name.

    Example: :func:`prepare` makes one.
    """

    clips: ClipDataset
    computation: Computation
    fingerprints: Mapping[str, Mapping[str, Any]]


def plan_of(
    classifier: Classifier,
    dataset: ClipDataset,
    *,
    masks: Sequence[AnyMask] | None = None,
    on: str | Sequence[str] | None = None,
    fill: str | Sequence[str] | None = None,
    protocol: str = "corrected",
    nulls: Sequence[str] = NULLS,
    curves: bool = False,
    reference: OutOfDistribution | None = None,
    optimize: str = "folded",
) -> Plan:
    """Return what a run scores, with a run's own defaults.

    Args: see :func:`~audiointerp.experiments.run`.

    Raises:
        ArgumentError: two settings do not fit together, or one is out of range.

    >>> from audiointerp.dataset import Synthetic
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> clips = Synthetic((5,))
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), clips.labels)
    >>> plan_of(classifier, clips).on
    ('features', 'audio')
    """
    plan = Plan(
        masks,
        protocol,
        scored_on(classifier, on, default=("features", "audio")),
        nulls,
        curves,
        fills=fills_of(fill, protocol, default=RUN_FILLS),
        reference=reference,
        optimize=optimize,
    )
    if reference is not None:
        reference.check(classifier, dataset)
    return plan


def prepare(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    plan: Plan,
    *,
    background: Tensor | None = None,
    noise: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
) -> Prepared:
    """Check the settings of a run and gather what it computes with.

    Args: see :func:`~audiointerp.experiments.run`; ``plan``: what is scored.

    Raises:
        ArgumentError: two settings do not fit together, or one is out of range.

    Example: see :func:`~audiointerp.experiments.run`.
    """
    check_network(experiment, classifier)
    check_fits(classifier, dataset)
    clips = clips_of(experiment, dataset, noise)
    classifier.to(device)
    explainers = build_explainers(methods, classifier, background)
    common = fingerprint_of(experiment, noise, classifier, plan, clip_names(clips))
    if isinstance(dataset, ManifestClips):
        common["manifest_sha256"] = dataset.manifest.sha256
    fingerprints = {
        explainer.name: common | {"explainer": settings_of(explainer)} for explainer in explainers
    }
    by_name = {explainer.name: explainer for explainer in explainers}
    return Prepared(clips, Computation(classifier, by_name, plan), fingerprints)


def read_as(
    experiment: Experiment, dataset: ClipDataset, noise: str | os.PathLike[str] | None
) -> dict[str, Any]:
    """Return how the sounds of a run are made from their files, as plain values.

    Args:
        experiment, noise: see :func:`~audiointerp.experiments.run`.
        dataset: the clean clips.

    Raises:
        AudioInterpError: the file of the noise cannot be read.

    >>> from audiointerp.dataset import Clip, LabelledClips
    >>> clips = LabelledClips([Clip(Path("a.wav"), 0)], ["dog"], normalize="rms")
    >>> read_as(Experiment("own", "mel"), clips, None)
    {'normalize': 'rms', 'files': None, 'duration': 5.0}
    """
    clips: Any = dataset
    while hasattr(clips, "dataset"):
        # A selection, or clips under noise: of the clips in it.
        clips = clips.dataset
    form = getattr(clips, "form", clips)
    sounds: dict[str, Any] = {
        name: getattr(form, name, None) for name in ("normalize", "files", "duration")
    }
    recording = noise or experiment.noise
    if recording is not None and recording not in NOISES:
        sounds["noise_sha256"] = hashlib.sha256(read_bytes(str(recording))).hexdigest()
    return sounds


def clip_names(clips: ClipDataset) -> ClipNames:
    """Count the clips, and hash their names; those of a manifest are known already.

    >>> from audiointerp.dataset import Synthetic
    >>> clip_names(Synthetic((5,))).count
    80
    """
    if isinstance(clips, ManifestClips):
        return ClipNames(clips.manifest.rows, clips.manifest.names_sha256)
    return ClipNames.of(names_of(clips))


def names_of(dataset: ClipDataset) -> Iterator[str]:
    """Give the names of clips, as they are written.

    >>> from audiointerp.dataset import Synthetic
    >>> next(names_of(Synthetic((5,))))
    '5-50000-A-0.wav'
    """
    return (encodable(dataset.clip_id(index)) for index in range(len(dataset)))


def prepare_run(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    out: str | os.PathLike[str],
    plan: Plan,
    *,
    background: Tensor | None,
    noise: str | os.PathLike[str] | None,
    device: str | torch.device | None,
    attributions: bool,
    shard: tuple[int, int],
    workers: int,
) -> PreparedRun:
    """Check the settings of a run and gather what it needs; nothing is computed or written.

    Args: see :func:`~audiointerp.experiments.run`, which has their defaults; ``plan``: what is
        scored.

    Raises:
        ArgumentError: two settings do not fit together, or one is out of range.

    Example: see :func:`~audiointerp.experiments.run`.
    """
    _check_shard(shard, len(dataset))
    classifier.to(device)
    check_workers(workers, classifier.device)
    prepared = prepare(
        experiment, classifier, dataset, methods, plan, background=background, noise=noise
    )
    names = list(names_of(prepared.clips))
    folder = Path(out) / experiment.transform / experiment.name
    stores = {
        method: Store(folder / method, fingerprint, names, attributions, environment())
        for method, fingerprint in prepared.fingerprints.items()
    }
    return PreparedRun(prepared.clips, prepared.computation, stores)


def _check_shard(shard: tuple[int, int], clips: int) -> None:
    number, shards = checked_part(shard)
    if number > clips:
        raise ArgumentError(
            f"shard {number}/{shards}: has no clips, since there are only {clips}; "
            f"give {clips} shards or fewer"
        )
