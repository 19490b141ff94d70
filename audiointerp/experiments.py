"""The five experiments of the study as one table, and what they are run on."""

import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from .dataset import ESC50, ClipDataset, Contaminated, Synthetic, sound_files
from .errors import ArgumentError, choose
from .explain import build_explainers, check_fits
from .files import encodable
from .fingerprint import settings_of, sha256_of_state
from .interpretation import MASKS, Explainer
from .model import Classifier
from .processing import LogMel, LogSTFT, Transform, fix_length, load_audio
from .rows import Plan
from .store import Store, opened
from .work import check_workers, fill

TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS = (1, 2, 3), (4,), (5,)
TRANSFORMS: dict[str, Transform] = {"mel": LogMel(), "stft": LogSTFT()}
PACKAGES = ("audiointerp", "torch", "torchaudio", "librosa", "numpy", "captum", "shap", "scikit-image", "soundfile")


@dataclass(frozen=True)
class Experiment:
    """A setting of the study.

    Attributes:
        name: its name, and its folder's in results.
        features: the classifier's features, a name in :data:`TRANSFORMS`.
        noise: the background mixed in, None for clean clips.
        ratio: the share of the signal in the mixture; see :class:`~audiointerp.dataset.noise.Contaminated`.
    """

    name: str
    features: str
    noise: str | None = None
    ratio: float = 0.6


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment("stft_clean", "stft"),
        Experiment("mel_clean", "mel"),
        Experiment("mel_horse", "mel", "horse"),
        Experiment("mel_room", "mel", "room"),
        Experiment("mel_white", "mel", "white"),
    )
}


def find_experiment(name: str) -> Experiment:
    """One of :data:`EXPERIMENTS`.

    Raises:
        ArgumentError: there is none of this name; the message lists them.
    """
    return EXPERIMENTS[choose("experiment", name, EXPERIMENTS)]


def clips_of(experiment: Experiment, dataset: ClipDataset, noise: str | os.PathLike[str] | None = None) -> ClipDataset:
    """The clips as an experiment hears them: a data set of clean clips, or with its noise mixed in.

    Args:
        noise: a recording to take in place of the experiment's own noise.

    Raises:
        ArgumentError: a noise is given, and the experiment is of clean clips.
    """
    if experiment.noise is None and noise is not None:
        raise ArgumentError(f"experiment {experiment.name} is of clean clips; give the noise to mel_horse, say")
    return Contaminated(dataset, noise or experiment.noise, experiment.ratio) if experiment.noise else dataset


def open_data(
    root: str | os.PathLike[str] | None,
    folds: Sequence[int],
    subset: str | None = None,
    *,
    sample_rate: int = 32000,
    duration: float = 5.0,
) -> ClipDataset:
    """Folds of ESC-50, or of a folder in its layout; of the made set where ``root`` is None."""
    if root is None:
        if subset is not None:
            raise ArgumentError(f"subset {subset!r} needs a data folder: the made set has no subsets")
        return Synthetic(folds, sample_rate=sample_rate, duration=duration)
    return ESC50(root, folds, subset, sample_rate=sample_rate, duration=duration)


def background_of(dataset: ClipDataset, transform: Transform, per_class: int = 2, seed: int = 0) -> Tensor:
    """A background for SHAP, ``(classes * per_class, 1, F, T)``: a seeded draw of clips from each class of a data set."""
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(seed)).tolist()
    taken: dict[int, list[Tensor]] = {target: [] for target in range(len(dataset.labels))}
    for index in order:
        if all(len(clips) == per_class for clips in taken.values()):
            break
        wav, target = dataset[index]
        if len(taken[target]) < per_class:
            taken[target].append(transform(wav[None]).db)
    return torch.cat([db for clips in taken.values() for db in clips])


def background_of_folder(folder: str | os.PathLike[str], classifier: Classifier) -> Tensor:
    """A background for SHAP from every sound file of a folder, each cut or filled up to the classifier's length.

    Raises:
        ArgumentError: the folder is missing or holds no file.
    """
    folder = Path(folder)
    paths = sound_files(folder) if folder.is_dir() else []
    if not paths:
        raise ArgumentError(f"background {folder}: no such folder, or no sound file in it")
    length = round(classifier.duration * classifier.sample_rate)
    wavs = [fix_length(load_audio(path, classifier.sample_rate), length) for path in paths]
    return torch.cat([classifier.transform(wav).db for wav in wavs])


def check_features(experiment: Experiment, classifier: Classifier) -> None:
    """Refuse a classifier on other features than the experiment's.

    Raises:
        ArgumentError: it is one.
    """
    kind = type(classifier.transform).__name__
    if kind != type(TRANSFORMS[experiment.features]).__name__:
        raise ArgumentError(
            f"experiment {experiment.name} needs a classifier on {experiment.features} features, this one takes {kind}"
        )


def run(
    experiment: Experiment,
    classifier: Classifier,
    dataset: ClipDataset,
    methods: Sequence[str | type[Explainer] | Explainer],
    out: str | os.PathLike[str],
    *,
    masks: Sequence[str] = tuple(MASKS),
    on: str | Sequence[str] = ("features", "audio"),
    protocol: str = "sound",
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
    """Run an experiment on clean test clips, and write ``OUT/<features>/<experiment>/<method>/``.

    Each folder gets ``metrics.csv`` (one row per clip, mask and ``on``), ``run.json`` (settings, versions, a fingerprint of the
    data, counts, seconds) and ``attributions/`` (one safetensors file a clip). A run that was stopped or killed is gone on
    with by the same call: see :mod:`~audiointerp.store`.

    Args:
        experiment: one of :data:`EXPERIMENTS`, or your own.
        classifier: must have been trained on the experiment's features.
        dataset: the clean clips; the experiment's noise is mixed in here.
        methods, masks, on, protocol, baselines, curves, background, device: see :func:`~audiointerp.predict.score`.
        out: the folder of results.
        noise: see :func:`clips_of`.
        progress: a bar, where a terminal watches.
        attributions: whether to keep them.
        resume: whether to keep what is there, compute what is missing and try errors again; otherwise all is made anew.
        shard: (i, n): the i-th of n parts of the clips alone. Shards may run at once, into one folder; the last one to end
            writes the tables.
        workers: processes that compute, each with one thread; as many as there are cores are a quarter faster on a CPU than one
            process with all of them. Each holds the network.

    Returns:
        The rows of all methods, of the clips that were run so far.

    Raises:
        ArgumentError: something does not fit; what is there was made with other settings.
        AudioInterpError: another process writes there, a worker has died, or the disk refuses.
        Stopped: SIGINT or SIGTERM came; what was done is kept.
    """
    check_features(experiment, classifier)
    clips = clips_of(experiment, dataset, noise)
    if not 1 <= shard[0] <= shard[1]:
        raise ArgumentError(f"shard {shard[0]}/{shard[1]}: the first is 1/{shard[1]}, the last {shard[1]}/{shard[1]}")
    plan = Plan(masks, protocol, (on,) if isinstance(on, str) else on, baselines, curves)
    check_fits(classifier, dataset)
    classifier.to(device)
    check_workers(workers, classifier.device)
    explainers = build_explainers(methods, classifier, background)
    background_noise = noise or experiment.noise
    names = [encodable(clips.clip_id(index)) for index in range(len(clips))]
    common = {
        "experiment": asdict(experiment),
        "noise": None if background_noise is None else Path(background_noise).name,
        "features": classifier.transform.to_dict(),
        "output": classifier.output,
        "plan": asdict(plan),
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "network_sha256": sha256_of_state(classifier.network),
        "clips": len(clips),
        "clip_names_sha256": hashlib.sha256("\n".join(names).encode()).hexdigest(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "device": _named(classifier.device),
    }
    folder = Path(out) / experiment.features / experiment.name
    stores = {
        explainer.name: Store(
            folder / explainer.name, common | {"explainer": settings_of(explainer)}, names, attributions
        )
        for explainer in explainers
    }
    with opened(list(stores.values()), shard, resume):
        fill(stores, explainers, classifier, clips, plan, shard, workers, experiment.name if progress else None)
        return pd.concat([store.assemble() for store in stores.values()], ignore_index=True)


def _named(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
