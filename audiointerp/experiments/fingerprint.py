"""The fingerprint of a run: everything its results depend on, as plain values to compare."""

import hashlib
import inspect
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from dis import get_instructions
from importlib.metadata import version
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ArgumentError
from ..interpretation import Explainer
from ..model import Classifier, FunctionModel, SoundModel
from ..scoring import Plan
from ..util import as_python
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
    device = classifier.device
    model = _described_model(classifier)
    return {
        **({} if model is None else {"model": model}),
        "experiment": asdict(experiment),
        "noise": None if recording is None else Path(recording).name,
        "transform": classifier.transform.to_dict(),
        "output": classifier.output,
        "plan": described(plan.to_dict()),
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "network_sha256": sha256_of_state(classifier.network),
        "clips": clips.count,
        "clip_names_sha256": clips.sha256,
        "versions": {name: version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _described_model(classifier: Classifier) -> dict[str, Any] | None:
    """Describe what the state of a model of sounds does not say; None for other networks.

    Code and attributes of a user's model cannot all be seen, so its logits for a sound are a part.
    """
    network = classifier.network
    if not isinstance(network, SoundModel):
        return None
    parts = {"module": repr(network.module), "select": network.select}
    if isinstance(network, FunctionModel) or network.max_batch is not None:
        parts["max_batch"] = network.max_batch
    if isinstance(network, FunctionModel):
        parts["predict"] = network.predict
    if classifier.features is not None:
        parts["gradients"] = str(classifier.features)
    generator = torch.Generator().manual_seed(0)
    probe = 0.1 * torch.randn(1, 1, classifier.window_length, generator=generator)
    logits = classifier.logits(probe, allow_nan=True)[0].cpu()
    # Rounded, since another number of threads may change the last bits.
    probed = [float(f"{value:.4g}") for value in logits.tolist()]
    digest = hashlib.sha256(json.dumps(probed).encode()).hexdigest()
    return {name: _described_or_named(value) for name, value in parts.items()} | {"logits": digest}


def _described_or_named(value: Any) -> Any:
    """Describe a value by its content, or, where that is not known, by its type."""
    try:
        return described(value)
    except ArgumentError:
        return getattr(value, "__qualname__", type(value).__qualname__)


def environment() -> dict[str, str]:
    """Versions that are recorded, but do not change the results.

    >>> "python" in environment()
    True
    """
    others = {name: version(name) for name in OTHER_PACKAGES}
    return {"python": platform.python_version(), **others}


def sha256_of_state(module: nn.Module) -> str:
    """SHA-256 of a module's name, and of its parameters and buffers: names, shapes, values.

    The name is that of its class, or of the model in a model of sounds.

    >>> from torch import nn
    >>> weights = nn.Linear(2, 1)
    >>> sha256_of_state(weights) == sha256_of_state(weights), len(sha256_of_state(weights))
    (True, 64)
    """
    # A function has no state; its name is all that tells it from another.
    name = getattr(module, "model_name", type(module).__name__)
    digest = hashlib.sha256(name.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def settings_of(explainer: Explainer) -> dict[str, Any]:
    """The class of an explainer and its constructor's arguments, without the network.

    Raises:
        ArgumentError: an argument cannot be described by plain values.

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


def described(value: Any) -> Any:
    """Plain values (numbers, text, lists, dicts) that differ wherever two values differ.

    Tensors, modules and functions are described by a SHA-256 of their content.

    Raises:
        ArgumentError: the value is of another type, so its content is unknown.

    >>> described({"steps": 3, "baseline": torch.zeros(2)})["baseline"]["shape"]
    [2]
    """
    if isinstance(value, torch.dtype | torch.device):
        return str(value)
    if not isinstance(value, Tensor):
        value = as_python(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        return {"shape": list(value.shape), "sha256": hashlib.sha256(_bytes_of(value)).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    if isinstance(value, nn.Module):
        return {"module": repr(value), "sha256": sha256_of_state(value)}
    if isinstance(value, FunctionType):
        return _described_function(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    raise ArgumentError(
        f"{value!r:.80} cannot be recorded in run.json; give plain values, tensors, modules or "
        f"functions"
    )


def _described_function(function: FunctionType) -> dict[str, Any]:
    code = function.__code__
    description = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "sha256": hashlib.sha256(_content(code).encode()).hexdigest(),
        "closed": [described(cell.cell_contents) for cell in function.__closure__ or ()],
    }
    others = {
        "defaults": [_described_or_named(value) for value in function.__defaults__ or ()],
        "keyword_defaults": {
            name: _described_or_named(value)
            for name, value in (function.__kwdefaults__ or {}).items()
        },
        "globals": _plain_globals(function),
    }
    # What a function does not have is left out, as in records of earlier versions.
    return description | {name: value for name, value in others.items() if value}


def _content(code: CodeType) -> str:
    """What a function does, with its inner functions, whose own repr holds an address."""
    plain = [constant for constant in code.co_consts if not isinstance(constant, CodeType)]
    inner = "".join(_content(each) for each in _inner(code))
    return f"{code.co_code!r} {code.co_names} {plain}{inner}"


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _globals_in(code: CodeType, operation: str) -> set[str]:
    """The global names that a function reads (LOAD_GLOBAL) or writes (STORE_GLOBAL)."""
    names = {step.argval for step in get_instructions(code) if step.opname == operation}
    return names.union(*(_globals_in(each, operation) for each in _inner(code)))


def _plain_globals(function: FunctionType) -> dict[str, Any]:
    """The constants that a function reads from its module; not what it calls, or counts in."""
    code = function.__code__
    names = _globals_in(code, "LOAD_GLOBAL") - _globals_in(code, "STORE_GLOBAL")
    read = {name: function.__globals__.get(name) for name in sorted(names)}
    return {name: described(value) for name, value in read.items() if _is_constant(value)}


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(as_python(value), bool | int | float | str) or isinstance(value, Tensor)


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
