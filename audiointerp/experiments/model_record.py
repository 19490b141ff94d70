"""A model as plain values: what its weights do not say, but its results depend on."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FunctionType
from typing import Any

import torch

from ..errors import ArgumentError
from ..model import Classifier, FunctionModel, SoundModel
from .plain_values import code_text, described, described_or_named

KNOWN = ("torch", "audiointerp", "builtins")
"""Packages whose code is told by their versions, which are recorded."""


def described_model(classifier: Classifier) -> dict[str, Any]:
    """Describe what the weights of a model do not say, as plain values.

    Code and attributes of a model of sounds cannot all be seen, so its logits for a sound are a
    part. Those of a network on features would have other last digits on another machine; they are
    settled by its attributes and its code.

    Args:
        classifier: the classifier, on the device of the run.

    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> networks = [Cnn6(2, base_channels=4, level_range=decibels) for decibels in (None, 60)]
    >>> classifiers = [Classifier(network, LogMel(), ["a", "b"]) for network in networks]
    >>> described_model(classifiers[0]) == described_model(classifiers[1])
    False
    """
    network = classifier.network
    if not isinstance(network, SoundModel):
        return {"settings_sha256": _sha256_of_settings(classifier)}
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
    return {name: described_or_named(value) for name, value in parts.items()} | {"logits": digest}


def _sha256_of_settings(classifier: Classifier) -> str:
    """Hash the attributes of all modules of a network, and the code of classes not in KNOWN.

    What differs after two sounds (a counter, a layer's last output) is no setting.
    """
    first, second = (_attributes(classifier, seed) for seed in (0, 1))
    settings = [name_and_value for name_and_value in second if name_and_value in first]
    code = [line for module in classifier.network.modules() for line in _code_of(type(module))]
    return hashlib.sha256(json.dumps([settings, code], sort_keys=True).encode()).hexdigest()


def _attributes(classifier: Classifier, seed: int) -> list[tuple[str, Any]]:
    """Return the attributes that are plain values, after a sound, by name."""
    sound = 0.1 * torch.randn(
        1, 1, classifier.window_length, generator=torch.Generator().manual_seed(seed)
    )
    classifier.logits(classifier.transform(sound.to(classifier.device)).db, allow_nan=True)
    values = []
    for place, module in classifier.network.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") or name == "training":
                continue
            # Of other objects, the content is not known.
            with suppress(ArgumentError):
                values.append((f"{place}.{name}", described(value)))
    return values


def _code_of(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] not in KNOWN:
            functions = {name: _code(value) for name, value in vars(base).items()}
            yield from (f"{name} {code_text(code)}" for name, code in functions.items() if code)


def _code(value: Any) -> CodeType | None:
    """Return the code of a method or a property; None for other values."""
    for function in (value, getattr(value, "fget", None), getattr(value, "__func__", None)):
        if isinstance(function, FunctionType):
            return function.__code__
    return None
