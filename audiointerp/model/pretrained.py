"""Loads models, feature extractors and tokenizers of transformers, from folders or the hub."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import ArgumentError, ModelError
from ..util import one_line
from .front_ends import (
    ClapFeatures,
    FrontEnd,
    KaldiFeatures,
    StandardizedSound,
    WhisperFeatures,
)

ON_SOUNDS = (
    "data2vec-audio",
    "hubert",
    "sew",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wav2vec2-conformer",
    "wavlm",
)
"""The types of model that take the sound itself."""
FRONT_ENDS: dict[str, tuple[str, Callable[[Any], FrontEnd]]] = {
    **dict.fromkeys(ON_SOUNDS, ("Wav2Vec2FeatureExtractor", StandardizedSound)),
    "audio-spectrogram-transformer": ("ASTFeatureExtractor", KaldiFeatures),
    "whisper": ("WhisperFeatureExtractor", WhisperFeatures),
    "clap": ("ClapFeatureExtractor", ClapFeatures),
}
"""For each type of model: the class of its feature extractor, and our front end."""
HEADS = ("ForAudioClassification", "ForSequenceClassification")
INSTEAD = "use Classifier.from_waveform with a module of sounds (N, L) around it"
LONGEST_REASON = 200

Source = str | os.PathLike[str]
"""A folder, or a name on the hub."""


def load_model(source: Source) -> nn.Module:
    """Load an audio classifier or CLAP, which can return its attention weights.

    Raises:
        ModelError: transformers is not installed; there is no such model; it is of a type without a
            front end here, or some of its weights are missing.

    >>> load_model("./no-such-folder")
    Traceback (most recent call last):
    audiointerp.errors.ModelError: ./no-such-folder: no such folder; give that of save_pretrained
    """
    # Without this file, some versions of transformers guess a type from the folder's name.
    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise ModelError(
            f"{source}: its configuration cannot be loaded: there is no config.json; give the "
            "folder of save_pretrained"
        )
    config = _load("AutoConfig", source, "its configuration")
    kind = config.model_type
    if kind not in FRONT_ENDS:
        raise ModelError(_unknown_kind(f"{source}: a model of type {kind!r}"))
    name = "ClapModel" if kind == "clap" else "AutoModelForAudioClassification"
    # Methods that use attention weights need the implementation that returns them.
    arguments = {"attn_implementation": "eager", "output_loading_info": True}
    network, info = _load(name, source, "the model", **arguments)
    missing = sorted(info["missing_keys"])
    if missing:
        raise ModelError(
            f"{source}: has no weights for {', '.join(missing):.120}, which would be random; give "
            f"a model that was trained to classify"
        )
    module: nn.Module = network
    return module


def checked_kind(network: Any) -> str:
    """Return the type of a model of transformers that has a front end here.

    Raises:
        ModelError: it is of another type, or does not classify.

    >>> checked_kind("a name")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    audiointerp.errors.ModelError: str is none of the models that from_transformers knows ...
    """
    kind = getattr(getattr(network, "config", None), "model_type", None)
    name = type(network).__name__
    if not isinstance(network, nn.Module) or kind not in FRONT_ENDS:
        raise ModelError(_unknown_kind(name))
    if name != "ClapModel" if kind == "clap" else not name.endswith(HEADS):
        raise ModelError(
            f"{name} does not classify; give a model whose class ends in {' or '.join(HEADS)}, or "
            f"ClapModel; or {INSTEAD}"
        )
    return str(kind)


def load_extractor(kind: str, source: Source, extractor: Any = None) -> tuple[Any, Any]:
    """Return the feature extractor of a model, and its tokenizer if a processor was given.

    Args:
        kind: the type of the model, a key of :data:`FRONT_ENDS`.
        source: where the model came from; empty if it was made by code.
        extractor: a feature extractor, a processor, their folder, or None for that of the model.

    Raises:
        ArgumentError: neither the source nor the extractor is known.
        ModelError: it cannot be loaded, or is that of another type of model.

    >>> load_extractor("whisper", "")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: the model was made by code, so ...; give extractor=
    """
    if extractor is None and not source:
        raise ArgumentError(
            "the model was made by code, so its feature extractor is unknown; give extractor="
        )
    if extractor is None or isinstance(extractor, str | os.PathLike):
        extractor = _load("AutoFeatureExtractor", extractor or source, "its feature extractor")
    tokenizer = getattr(extractor, "tokenizer", None)
    extractor = getattr(extractor, "feature_extractor", extractor)
    expected = FRONT_ENDS[kind][0]
    if type(extractor).__name__ != expected:
        raise ModelError(
            f"the feature extractor of a model of type {kind!r} is a {expected}, not a "
            f"{type(extractor).__name__}; give extractor=, or {INSTEAD}"
        )
    return extractor, tokenizer


def load_tokenizer(source: Source) -> Any:
    """Return the tokenizer of a model.

    Raises:
        ArgumentError: the source of the model is not known.
        ModelError: the tokenizer cannot be loaded.

    >>> load_tokenizer("")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: the model was made by code, so its tokenizer is unknown; ...
    """
    if not source:
        raise ArgumentError(
            "the model was made by code, so its tokenizer is unknown; give "
            "extractor=ClapProcessor(feature_extractor, tokenizer)"
        )
    return _load("AutoTokenizer", source, "its tokenizer")


def _load(loader: str, source: Source, what: str, **arguments: Any) -> Any:
    """Call ``from_pretrained`` of a class of transformers; every error becomes one line."""
    is_folder = Path(source).is_dir()
    if not is_folder and (Path(source).is_absolute() or str(source)[:1] in ".~"):
        raise ModelError(f"{source}: no such folder; give that of save_pretrained")
    load = getattr(_transformers(), loader).from_pretrained
    try:
        return load(os.fspath(source), trust_remote_code=False, **arguments)
    # Files of other people can cause any error in transformers.
    except Exception as error:
        where = "" if is_folder else "no such folder, and by this name on the hub "
        raise ModelError(
            f"{source}: {where}{what} cannot be loaded: {one_line(error, LONGEST_REASON)}"
        ) from error


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ModelError(
            f"Classifier.from_transformers needs the package transformers "
            f"({one_line(error, LONGEST_REASON)}): pip install 'audiointerp[hf]'"
        ) from error
    return transformers


def _unknown_kind(name: str) -> str:
    return (
        f"{name} is none of the models that from_transformers knows "
        f"({', '.join(sorted(FRONT_ENDS))}); {INSTEAD}"
    )
