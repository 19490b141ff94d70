"""Checks a run and gathers everything it needs, before anything is computed or written."""

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from ..dataset import ClipDataset
from ..errors import ArgumentError
from ..interpretation import MASKS, Explainer, Mask
from ..model import Classifier
from ..scoring import Plan, build_explainers, check_fits
from ..util import encodable
from .computation import Computation
from .fingerprint import described, settings_of, sha256_of_state
from .store import Store
from .study import Experiment, check_features, clips_of
from .workers import check_workers

PACKAGES = (
    "audiointerp",
    "torch",
    "torchaudio",
    "librosa",
    "numpy",
    "captum",
    "shap",
    "scikit-image",
    "soundfile",
)
"""Packages that can change a number: another version refuses to resume."""
OTHER_PACKAGES = ("joblib", "pandas", "safetensors", "scipy", "soxr")
"""Packages whose versions are recorded; another version gives a warning."""


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """A run that was checked and can be executed.

    Attributes:
        experiment: the experiment.
        clips: the clips, with the experiment's noise mixed in.
        computation: what computes the rows of a clip.
        stores: where the results of each method are kept, by the method's name.
        shard: (i, n), the i-th of n parts of the clips.
        workers: the number of processes.

    >>> import tempfile
    >>> from audiointerp.dataset import EvenSubset, Synthetic
    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> clips = EvenSubset(Synthetic((5,), duration=3.0), 2)
    >>> classifier = Classifier(Cnn6(10, base_channels=4), LogMel(), clips.labels, duration=3.0)
    >>> with tempfile.TemporaryDirectory() as out:
    ...     prepared = prepare_run(Experiment("own", "mel"), classifier, clips, ["random"], out)
    >>> list(prepared.stores), len(prepared.clips)
    (['random'], 2)
    """

    experiment: Experiment
    clips: ClipDataset
    computation: Computation
    stores: Mapping[str, Store]
    shard: tuple[int, int]
    workers: int


def prepare_run(
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
    attributions: bool = True,
    shard: tuple[int, int] = (1, 1),
    workers: int = 1,
) -> PreparedRun:
    """Check a run's settings and gather what it needs; nothing is written.

    Args: see :func:`~audiointerp.experiments.run`.

    Raises:
        ArgumentError: two settings do not fit together, or one is out of range.

    Example: see :class:`PreparedRun`.
    """
    check_features(experiment, classifier)
    check_fits(classifier, dataset)
    clips = clips_of(experiment, dataset, noise)
    _check_shard(shard, len(clips))
    plan = Plan(masks, protocol, (on,) if isinstance(on, str) else on, baselines, curves)
    classifier.to(device)
    check_workers(workers, classifier.device)
    explainers = build_explainers(methods, classifier, background)
    names = [encodable(clips.clip_id(index)) for index in range(len(clips))]
    noise = noise or experiment.noise
    fingerprint = {
        "experiment": asdict(experiment),
        "noise": None if noise is None else Path(noise).name,
        "transform": classifier.transform.to_dict(),
        "output": classifier.output,
        "plan": described(plan.to_dict()),
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "network_sha256": sha256_of_state(classifier.network),
        "clips": len(clips),
        "clip_names_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
        "versions": {name: version(name) for name in PACKAGES},
        "device": _device_name(classifier.device),
    }
    environment = {
        "python": platform.python_version(),
        **{name: version(name) for name in OTHER_PACKAGES},
    }
    folder = Path(out) / experiment.transform / experiment.name
    stores = {
        explainer.name: Store(
            folder / explainer.name,
            fingerprint | {"explainer": settings_of(explainer)},
            names,
            attributions,
            environment,
        )
        for explainer in explainers
    }
    explainers_by_name = {explainer.name: explainer for explainer in explainers}
    computation = Computation(classifier, explainers_by_name, plan)
    return PreparedRun(experiment, clips, computation, stores, shard, workers)


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


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
