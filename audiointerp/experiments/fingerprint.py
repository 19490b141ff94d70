"""The fingerprint of a run: everything its results depend on, as plain values to compare."""

import hashlib
import inspect
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..errors import ArgumentError
from ..interpretation import Explainer
from ..model import Classifier
from ..scoring import Plan
from .model_record import described_model
from .plain_values import described, sha256_of_state
from .study import Experiment

PACKAGES = (
    *("audiointerp", "torch", "torchaudio", "librosa", "numpy", "captum", "shap"),
    *("scikit-image", "soundfile"),
)
"""Packages that can change a number: a run with another version is not resumed."""
OTHER_PACKAGES = ("joblib", "pandas", "safetensors", "scipy", "soxr")
"""Packages whose versions are recorded; another version gives a warning."""


@dataclass(frozen=True)
class ClipNames:
    """The number of clips, and the hash of their names.

    >>> ClipNames.of(["a.wav", "b.wav"]).count
    2
    """

    count: int
    sha256: str

    @staticmethod
    def of(names: Iterable[str]) -> "ClipNames":
        """Count and hash names one by one, so that they need not be in memory."""
        digest, count = hashlib.sha256(), 0
        for count, name in enumerate(names, 1):
            digest.update((name if count == 1 else f"\n{name}").encode())
        return ClipNames(count, digest.hexdigest())


def fingerprint_of(
    experiment: Experiment,
    noise: str | os.PathLike[str] | None,
    classifier: Classifier,
    plan: Plan,
    clips: ClipNames,
) -> dict[str, Any]:
    """The fingerprint of a run, without its method.

    Args:
        experiment: the experiment.
        noise: the recording that replaces the experiment's own noise; None if none does.
        classifier: the classifier, on the device of the run.
        plan: what is scored.
        clips: the number and the names of the clips.

    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"])
    >>> clips = ClipNames.of(["a.wav"])
    >>> values = fingerprint_of(Experiment("own", "mel"), None, classifier, Plan(), clips)
    >>> values["clips"], values["device"], values["plan"]["on"]
    (1, 'cpu', ['features'])
    """
    recording = noise or experiment.noise
    # Before the model is asked: some networks change their state with each forward pass.
    network_sha256 = sha256_of_state(classifier.network)
    return {
        "model": described_model(classifier),
        "experiment": asdict(experiment),
        "noise": None if recording is None else Path(recording).name,
        "transform": classifier.transform.to_dict(),
        "output": classifier.output,
        "plan": described(plan.to_dict()),
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "network_sha256": network_sha256,
        "clips": clips.count,
        "clip_names_sha256": clips.sha256,
        "versions": {name: version(name) for name in PACKAGES},
        "device": name_of_device(classifier.device),
    }


def name_of_device(device: torch.device) -> str:
    """Return the name of a GPU, or the type of another device.

    >>> name_of_device(torch.device("cpu"))
    'cpu'
    """
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def environment() -> dict[str, str]:
    """Versions that are recorded, but do not change the results.

    >>> "python" in environment()
    True
    """
    others = {name: version(name) for name in OTHER_PACKAGES}
    return {"python": platform.python_version(), **others}


def settings_of(explainer: Explainer) -> dict[str, Any]:
    """The class of an explainer and its constructor's arguments, without the network.

    Raises:
        ArgumentError: an argument cannot be described by plain values.

    >>> from torch import nn
    >>> from audiointerp.interpretation import Random
    >>> settings_of(Random(nn.Linear(1, 1), seed=7))
    {'class': 'Random', 'seed': 7}
    """
    arguments, keywords = explainer.made_with
    bound = inspect.signature(type(explainer).__init__).bind(explainer, *arguments, **keywords)
    bound.apply_defaults()
    # The first two arguments are the explainer itself and its network.
    settings = dict(list(bound.arguments.items())[2:])
    # A progress bar changes no result.
    settings.pop("progress", None)
    try:
        described_settings = {name: described(value) for name, value in settings.items()}
    except ArgumentError as error:
        raise ArgumentError(f"{explainer.name}: {error}") from None
    return {"class": type(explainer).__name__, **described_settings}
