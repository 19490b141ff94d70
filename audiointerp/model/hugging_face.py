"""Audio classifiers of Hugging Face's transformers, as modules on sounds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, ModelError
from .checks import label_names
from .front_ends import ClapFeatures, FrontEnd, KaldiFeatures
from .pretrained import (
    FRONT_ENDS,
    checked_kind,
    load_extractor,
    load_model,
    load_tokenizer,
)
from .sound_transformer import PromptedTransformer, SoundTransformer


@dataclass(frozen=True, eq=False)
class Transformer:
    """A model of Hugging Face, ready to make a classifier.

    Attributes:
        module: from sounds ``(N, L)`` to logits ``(N, C)``.
        labels: the names of the C classes.
        sample_rate: in Hz.
        duration: seconds of sound.
        output: a name in ``OUTPUTS``.

    >>> module = SoundTransformer(FrontEnd(), torch.nn.Linear(160, 2))
    >>> Transformer(module, ("a", "b"), 16000, 1.0, "softmax").labels
    ('a', 'b')
    """

    module: SoundTransformer
    labels: tuple[str, ...]
    sample_rate: int
    duration: float
    output: str


def load_transformer(
    model: Any,
    extractor: Any = None,
    prompts: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    duration: float | None = None,
    output: str | None = None,
) -> Transformer:
    """Load a model of Hugging Face; see :meth:`~audiointerp.model.Classifier.from_transformers`.

    Raises:
        ArgumentError: an argument is missing or does not fit the model.
        ModelError: transformers is not installed; there is no such model; it is of another kind, or
            has no weights for its classes.

    >>> load_transformer("./no-such-folder")
    Traceback (most recent call last):
    audiointerp.errors.ModelError: ./no-such-folder: no such folder; give that of save_pretrained
    """
    is_loaded = not isinstance(model, str | os.PathLike)
    network = model if is_loaded else load_model(model)
    # A model that code made has no such name, or an empty one.
    source = getattr(model, "name_or_path", "") if is_loaded else model
    kind = checked_kind(network)
    extractor, tokenizer = load_extractor(kind, source, extractor)
    front_end = _front_end(kind, network, extractor)
    names = _labels(network, kind, prompts, labels)
    if isinstance(front_end, ClapFeatures):
        embeddings = _embeddings(network, tokenizer or load_tokenizer(source), prompts or ())
        module: SoundTransformer = PromptedTransformer(front_end, network, embeddings)
    else:
        module = SoundTransformer(front_end, network)
    seconds = _duration(network, front_end, duration)
    if front_end.longest is not None:
        module.clip_share = min(1.0, seconds / front_end.longest)
    rate = int(extractor.sampling_rate)
    return Transformer(module, names, rate, seconds, output or _output(network))


def _front_end(kind: str, network: Any, extractor: Any) -> FrontEnd:
    front_end = FRONT_ENDS[kind][1](extractor)
    config = network.config
    if isinstance(front_end, KaldiFeatures) and front_end.frames != config.max_length:
        raise ModelError(
            f"the feature extractor makes {front_end.frames} frames, the model takes "
            f"{config.max_length}; give the extractor of this model"
        )
    if isinstance(front_end, ClapFeatures) and front_end.fuses != config.audio_config.enable_fusion:
        raise ModelError(
            f"the feature extractor has truncation={extractor.truncation!r}, the model "
            f"enable_fusion={config.audio_config.enable_fusion}; give the extractor of this model"
        )
    return front_end


def _labels(
    network: Any, kind: str, prompts: Sequence[str] | None, labels: Sequence[str] | None
) -> tuple[str, ...]:
    if kind == "clap":
        if prompts is None or isinstance(prompts, str) or len(prompts) < 2:
            raise ArgumentError(
                "CLAP needs prompts, at least two sentences, e.g. "
                "prompts=['This is a sound of a dog.', 'This is a sound of rain.']"
            )
        count = len(prompts)
        names = tuple(prompts)
    elif prompts is not None:
        raise ArgumentError(f"prompts are for CLAP, not for {type(network).__name__}")
    else:
        count = network.config.num_labels
        names = tuple(str(network.config.id2label[number]) for number in range(count))
    given = names if labels is None else label_names(labels)
    # For one output there are one or two names, which Classifier checks.
    if len(given) != count and count > 1:
        raise ArgumentError(f"{len(given)} labels are given, the model has {count} classes")
    return given


def _embeddings(network: Any, tokenizer: Any, prompts: Sequence[str]) -> Tensor:
    """Return the embeddings of sentences, ``(C, D)`` of unit length."""
    tokens = tokenizer(list(prompts), padding=True, return_tensors="pt")
    tokens = {name: values.to(network.device) for name, values in tokens.items()}
    with torch.no_grad():
        returned = network.eval().get_text_features(**tokens)
    embeddings: Tensor = returned.pooler_output
    return embeddings


def _duration(network: Any, front_end: FrontEnd, duration: float | None) -> float:
    longest = front_end.longest
    if duration is None and longest is not None:
        return longest
    if duration is None:
        raise ArgumentError(
            f"{type(network).__name__} takes sounds of any length; give duration=, the seconds of "
            f"the sounds that it was trained on"
        )
    if longest is not None and duration > longest:
        raise ArgumentError(
            f"duration={duration!r} is more than the {longest:g} s that "
            f"{type(network).__name__} takes; longer clips are explained in windows"
        )
    return duration


def _output(network: Any) -> str:
    problem = getattr(network.config, "problem_type", None)
    if problem == "regression":
        raise ModelError(f"{type(network).__name__} was trained for regression, not to classify")
    return "sigmoid" if problem == "multi_label_classification" else "softmax"
