"""What a weights file says of its classifier, which is doubted before any memory is taken on its word."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any

import torch

from ..errors import ArgumentError, choose
from ..processing import Transform, transform_from_dict
from ..processing.filters import MEL_SCALES
from .panns import Pann, build_network

HIGHEST_RATE = 2**20  # Hz
MOST_BINS = 2**27  # STFT bins of one window: 500 times the mel preset's, 1 GiB
LARGEST_FILTERS = 2**24  # entries of a mel filter bank: 500 times the mel preset's


@dataclass(frozen=True)
class Description:
    """A classifier without its weights; ``network`` is on the ``meta`` device, where tensors have shapes and no memory."""

    network: Pann
    transform: Transform
    labels: list[str]
    duration: float
    training: dict[str, Any]
    output: str


def read_description(text: str) -> Description:
    """Read the JSON that :meth:`~audiointerp.model.classifier.Classifier.save` writes.

    Raises:
        ArgumentError: it is no JSON, lacks a field, has one of another type, or describes what no memory could hold.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"no JSON that can be read: {error}") from error
    if not isinstance(record, dict):
        raise ArgumentError("not a JSON object")
    network = _network(_field(record, "network", str), _field(record, "settings", dict))
    labels = _field(record, "labels", list)
    if not all(isinstance(label, str) for label in labels):
        raise ArgumentError("the labels are not all text")
    transform = _transform(_field(record, "transform", dict))
    if transform.num_bins != network.settings["num_bins"]:
        raise ArgumentError(
            f"the transform gives {transform.num_bins} bins, the network takes {network.settings['num_bins']}"
        )
    duration = _number("duration", _field(record, "duration", float), float)
    length = duration * transform.sample_rate
    if not 0 < length < 2**31 or transform.num_frames(round(length)) * (transform.n_fft // 2 + 1) > MOST_BINS:
        raise ArgumentError(f"windows of duration={duration!r:.40} s are empty, or too long for any memory")
    return Description(
        network, transform, labels, duration, _field(record, "training", dict), str(record.get("output", "softmax"))
    )


def _field(record: dict[str, Any], name: str, kind: type) -> Any:
    if name not in record:
        raise ArgumentError(f"{name} is missing")
    value = record[name]
    if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
        raise ArgumentError(f"{name} is of the type {type(value).__name__}")
    return value


def _number(name: str, value: Any, kind: type) -> Any:
    fits = isinstance(value, int) or (kind is float and isinstance(value, float) and math.isfinite(value))
    if isinstance(value, bool) or not fits:
        raise ArgumentError(f"{name}={value!r:.40} is not {'a whole number' if kind is int else 'a number'}")
    return value


def _network(name: str, settings: dict[str, Any]) -> Pann:
    for key, value in settings.items():
        _number(key, value, float if "dropout" in key else int)
    try:
        with torch.device("meta"):
            return build_network(name, settings)
    except (RuntimeError, OverflowError) as error:  # more entries than 64 bits count
        raise ArgumentError(f"no memory holds a {name} of these settings: {settings!r:.200}") from error


def _transform(settings: dict[str, Any]) -> Transform:
    transform = transform_from_dict(settings)
    for field in fields(transform):
        if field.type in (int, float):
            _number(field.name, getattr(transform, field.name), field.type)
    choose("mel scale", getattr(transform, "mel_scale", "htk"), MEL_SCALES)
    entries = transform.num_bins * (transform.n_fft // 2 + 1)
    if not 0 < transform.sample_rate <= HIGHEST_RATE or not 0 < transform.n_fft <= HIGHEST_RATE:
        raise ArgumentError(f"{transform}: sample_rate and n_fft lie between 1 and {HIGHEST_RATE}")
    if hasattr(transform, "mel_scale") and entries > LARGEST_FILTERS:
        raise ArgumentError(
            f"{transform}: the filter bank would have {entries} entries, the limit is {LARGEST_FILTERS}"
        )
    return transform
