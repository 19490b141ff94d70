"""A model as plain values: what its weights do not say, but its results depend on."""

from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..model import Classifier, FunctionModel, SoundModel
from .plain_values import described_or_named


def described_model(classifier: Classifier) -> dict[str, Any]:
    """Describe what the weights of a model do not say, as plain values.

    Code and attributes of a model (a temperature, what ``forward`` does, a function) cannot all be
    seen, so its answers to two sounds are a part. These are so few and so coarse that another
    number of threads, or another processor, gives the same ones.

    Args:
        classifier: the classifier, on the device of the run.

    >>> from audiointerp.model import Cnn6
    >>> from audiointerp.processing import LogMel
    >>> networks = [Cnn6(2, base_channels=4, level_range=decibels) for decibels in (None, 60)]
    >>> classifiers = [Classifier(network, LogMel(), ["a", "b"]) for network in networks]
    >>> described_model(classifiers[0]) == described_model(classifiers[1])
    False
    """
    network, parts = classifier.network, dict[str, Any]()
    if isinstance(network, SoundModel):
        parts = {"module": repr(network.module), "select": network.select}
        if isinstance(network, FunctionModel) or network.max_batch is not None:
            parts["max_batch"] = network.max_batch
    if isinstance(network, FunctionModel):
        parts["predict"] = network.predict
    if classifier.features is not None:
        parts["gradients"] = str(classifier.features)
    described_parts = {name: described_or_named(value) for name, value in parts.items()}
    return described_parts | {"answers": [_answer(classifier, wav) for wav in _sounds(classifier)]}


def _sounds(classifier: Classifier) -> list[Tensor]:
    """Noise, and noise that falls by 80 dB, so that it matters how a model hears quiet sounds."""
    length = classifier.window_length
    noise = 0.1 * torch.randn(1, 1, length, generator=torch.Generator().manual_seed(0))
    return [noise, noise * torch.logspace(0, -4, length)]


def _answer(classifier: Classifier, wav: Tensor) -> list[int | str] | None:
    """Return the number of the largest logit and its first two digits; None if the model fails."""
    try:
        features = classifier.transform(wav.to(classifier.device)).db
        logits = classifier.logits(features, allow_nan=True)[0].float()
    except ModelError:
        return None
    number = int(logits.argmax())
    # As text, since NaN is not equal to itself.
    return [number, f"{float(logits[number]):.2g}"]
