"""Checks a run and gathers everything it needs, before anything is computed or written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..errors import ArgumentError
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import Plan, build_explainers, check_fits
from ..util import encodable
from .computation import Computation
from .fingerprint import environment, fingerprint_of, settings_of
from .store import Store
from .study import Experiment, check_features, clips_of
from .workers import check_workers


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
    check_features(experiment, classifier)
    check_fits(classifier, dataset)
    clips = clips_of(experiment, dataset, noise)
    _check_shard(shard, len(clips))
    classifier.to(device)
    check_workers(workers, classifier.device)
    explainers = build_explainers(methods, classifier, background)
    names = [encodable(clips.clip_id(index)) for index in range(len(clips))]
    common = fingerprint_of(experiment, noise, classifier, plan, names)
    folder = Path(out) / experiment.transform / experiment.name
    stores = {}
    for explainer in explainers:
        fingerprint = common | {"explainer": settings_of(explainer)}
        stores[explainer.name] = Store(
            folder / explainer.name, fingerprint, names, attributions, environment()
        )
    by_name = {explainer.name: explainer for explainer in explainers}
    return PreparedRun(clips, Computation(classifier, by_name, plan), stores)


def _check_shard(shard: tuple[int, int], clips: int) -> None:
    number, shards = shard
    if not 1 <= number <= shards:
        raise ArgumentError(
            f"shard {number}/{shards}: the first is 1/{shards}, the last {shards}/{shards}"
        )
    if number > clips:
        raise ArgumentError(
            f"shard {number}/{shards}: has no clips, since there are only {clips}; "
            f"give {clips} shards or fewer"
        )
