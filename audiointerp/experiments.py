"""The five experiments of the study as one table, and what they are run on."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from .dataset import ESC50, ClipDataset, Contaminated, Synthetic, sound_files
from .errors import ArgumentError
from .explain import build_explainers, check_fits
from .files import make_folder, replacing, write_json
from .interpretation import MASKS, Attribution, Explainer
from .model import Classifier
from .processing import LogMel, LogSTFT, Transform, fix_length, load_audio
from .rows import Plan, clip_rows

TRAIN_FOLDS, VALID_FOLDS, TEST_FOLDS = (1, 2, 3), (4,), (5,)
TRANSFORMS: dict[str, Transform] = {"mel": LogMel(), "stft": LogSTFT()}
PACKAGES = ("audiointerp", "torch", "torchaudio", "librosa", "numpy", "captum", "shap", "soundfile")


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
            raise ArgumentError(f"subset {subset!r} needs a data folder (--data): the made set has no subsets")
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
        raise ArgumentError(f"--background {folder}: no such folder, or no sound file in it")
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
) -> pd.DataFrame:
    """Run an experiment on clean test clips, and write ``OUT/<features>/<experiment>/<method>/``.

    Each folder gets ``metrics.csv`` (one row per clip, mask and ``on``), ``run.json`` (settings, versions, a fingerprint of the
    data, counts, seconds) and ``attributions/`` (one safetensors file a clip).

    Args:
        experiment: one of :data:`EXPERIMENTS`, or your own.
        classifier: must have been trained on the experiment's features.
        dataset: the clean clips; the experiment's noise is mixed in here.
        methods, masks, on, protocol, baselines, curves, background, device: see :func:`~audiointerp.predict.score`.
        out: the folder of results.
        noise: a recording to take in place of the experiment's own noise.
        progress: a bar, where a terminal watches.
        attributions: whether to keep them.

    Returns:
        The rows of all methods.
    """
    check_features(experiment, classifier)
    if noise is not None and experiment.noise is None:
        raise ArgumentError(f"experiment {experiment.name} is of clean clips; give the noise to mel_horse, say")
    plan = Plan(masks, protocol, (on,) if isinstance(on, str) else on, baselines, curves)
    check_fits(classifier, dataset)
    classifier.to(device)
    explainers = build_explainers(methods, classifier, background)
    background_noise = noise or experiment.noise
    heard = _Recorded(Contaminated(dataset, background_noise, experiment.ratio) if background_noise else dataset)
    folder = Path(out) / experiment.features / experiment.name
    for explainer in explainers:
        _refuse_other_protocol(folder / explainer.name / "run.json", plan.protocol)
    make_folder(folder)
    start = time.perf_counter()
    rows: list[dict[str, Any]] = []
    for index in tqdm(range(len(heard)), desc=experiment.name, unit="clip", disable=None if progress else True):
        kept: dict[str, Attribution] = {}
        rows += clip_rows(classifier, heard, index, explainers, plan, kept)
        if attributions:
            for method, attribution in kept.items():
                _save_attribution(folder / method / "attributions", heard.clip_id(index), attribution)
    frame = pd.DataFrame(rows)
    record = {
        "experiment": asdict(experiment),
        "noise": None if background_noise is None else str(background_noise),
        "features": classifier.transform.to_dict(),
        "output": classifier.output,
        "plan": asdict(plan),
        "seeds": {explainer.name: explainer.seed for explainer in explainers if hasattr(explainer, "seed")},
        "network_sha256": _sha256(*classifier.network.state_dict().values()),
        "background_clips": None if background is None else len(background),
        "background_sha256": None if background is None else _sha256(background),
        "clips": len(heard),
        "clips_sha256": heard.digest.hexdigest(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "device": str(classifier.device),
        "threads": torch.get_num_threads(),
        "seconds": round(time.perf_counter() - start, 1),
    }
    for explainer in explainers:
        _write_method(folder / explainer.name, frame[frame["method"] == explainer.name], record)
    return frame


def _refuse_other_protocol(record: Path, protocol: str) -> None:
    """Keep results of one protocol from taking the place of another's."""
    try:
        before = json.loads(record.read_text(encoding="utf-8"))["plan"]["protocol"]
    except (OSError, ValueError, LookupError, TypeError):
        return
    if before != protocol:
        raise ArgumentError(
            f"{record.parent} holds results of the protocol {before!r}: give another folder for {protocol!r}"
        )


class _Recorded:
    """A data set that remembers what was heard: ``digest`` is of the names, targets and samples, in the order of access."""

    def __init__(self, dataset: ClipDataset) -> None:
        self.dataset = dataset
        self.sample_rate, self.labels = dataset.sample_rate, dataset.labels
        self.digest = hashlib.sha256()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        wav, target = self.dataset[index]
        self.digest.update(f"{self.clip_id(index)} {target}\n".encode() + wav.contiguous().numpy().tobytes())
        return wav, target

    def clip_id(self, index: int, /) -> str:
        return self.dataset.clip_id(index)


def _sha256(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write_method(folder: Path, frame: pd.DataFrame, record: dict[str, Any]) -> None:
    make_folder(folder)
    counts = {"rows": len(frame), "errors": int((frame["status"] == "error").sum())}
    with replacing(folder / "metrics.csv") as part:
        frame.to_csv(part, index=False)
    write_json(folder / "run.json", {"method": folder.name, **record, **counts})


def _save_attribution(folder: Path, clip: str, attribution: Attribution) -> None:
    make_folder(folder)
    tensors = {"values": attribution.values.cpu().contiguous(), "probs": attribution.probs.cpu().contiguous()}
    target = json.dumps({"target": int(attribution.target), "method": attribution.method})
    with replacing(folder / f"{clip.replace('/', '__')}.safetensors") as part:
        save_file(tensors, part, metadata={"audiointerp": target})
