"""Checks the description of a classifier in a weights file before memory is allocated for it."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any

import torch

from ..errors import ArgumentError, choose
from ..processing import MEL_SCALES, Transform, transform_from_dict
from .panns import Pann, build_network

HIGHEST_RATE = 2**20
"""Hz."""
FRACTIONAL = ("dropout", "head_dropout", "level_range")
"""The settings of networks that need not be whole numbers."""
MOST_BINS = 2**27
"""STFT bins of one window: 500 times those of the mel preset, 1 GiB."""
LARGEST_FILTERS = 2**24
"""Entries of a mel filter bank: 500 times those of the mel preset."""


@dataclass(frozen=True)
class Description:
    """A classifier without its weights.

    The network is on the ``meta`` device, where tensors have shapes but take no memory. For the
    other attributes see :class:`~audiointerp.model.Classifier`.

    Example:
        See :func:`read_description`.
    """

    network: Pann
    transform: Transform
    labels: list[str]
    duration: float
    training: dict[str, Any]
    output: str
    normalize: str


def read_description(text: str) -> Description:
    """Read and check the JSON that :meth:`~audiointerp.model.Classifier.save` writes.

    Raises:
        ArgumentError: it is not JSON, lacks a field, has a field of another type, or describes a
            classifier that no memory could hold.

    >>> transform = {"name": "LogMel", "n_mels": 40}
    >>> record = {"network": "Cnn6", "settings": {"num_classes": 2, "num_bins": 40}}
    >>> record |= {"transform": transform, "labels": ["a", "b"], "duration": 1.0, "training": {}}
    >>> read_description(json.dumps(record)).network.bn0.weight.device
    device(type='meta')
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"not readable as JSON: {error}") from error
    if not isinstance(record, dict):
        raise ArgumentError("not a JSON object")
    network = _read_network(_field(record, "network", str), _field(record, "settings", dict))
    labels = _field(record, "labels", list)
    if not all(isinstance(label, str) for label in labels):
        raise ArgumentError("the labels are not all strings")
    transform = _read_transform(_field(record, "transform", dict))
    num_bins = network.settings["num_bins"]
    if transform.num_bins != num_bins:
        raise ArgumentError(
            f"the transform gives {transform.num_bins} bins, the network takes {num_bins}"
        )
    duration = _number("duration", _field(record, "duration", float), float)
    length = duration * transform.sample_rate
    bins = transform.n_fft // 2 + 1
    if not 0 < length < 2**31 or transform.num_frames(round(length)) * bins > MOST_BINS:
        raise ArgumentError(
            f"windows of duration={duration!r:.40} s are empty, or too long for any memory"
        )
    training = _field(record, "training", dict)
    output = str(record.get("output", "softmax"))
    normalize = str(record.get("normalize", "peak"))
    return Description(network, transform, labels, duration, training, output, normalize)


def _field(record: dict[str, Any], name: str, kind: type) -> Any:
    if name not in record:
        raise ArgumentError(f"{name} is missing")
    value = record[name]
    if not isinstance(value, kind) and not (kind is float and isinstance(value, int)):
        raise ArgumentError(f"{name} is of the type {type(value).__name__}")
    return value


def _number(name: str, value: Any, kind: type) -> Any:
    """Return ``value`` if it is a finite number of that kind (int or float) and not a bool."""
    is_float = isinstance(value, float) and math.isfinite(value)
    fits = isinstance(value, int) or (kind is float and is_float)
    if isinstance(value, bool) or not fits:
        expected = "a whole number" if kind is int else "a number"
        raise ArgumentError(f"{name}={value!r:.40} is not {expected}")
    return value


def _read_network(name: str, settings: dict[str, Any]) -> Pann:
    for key, value in settings.items():
        _number(key, value, float if key in FRACTIONAL else int)
    try:
        with torch.device("meta"):
            return build_network(name, settings)
    # Raised where the number of entries does not fit into 64 bits.
    except (RuntimeError, OverflowError) as error:
        raise ArgumentError(
            f"no memory could hold a {name} of these settings: {settings!r:.200}"
        ) from error


def _read_transform(settings: dict[str, Any]) -> Transform:
    transform = transform_from_dict(settings)
    for field in fields(transform):
        if field.type in (int, float):
            _number(field.name, getattr(transform, field.name), field.type)
    choose("mel scale", getattr(transform, "mel_scale", "htk"), MEL_SCALES)
    if not 0 < transform.sample_rate <= HIGHEST_RATE or not 0 < transform.n_fft <= HIGHEST_RATE:
        raise ArgumentError(
            f"{transform}: sample_rate and n_fft must be between 1 and {HIGHEST_RATE}"
        )
    entries = transform.num_bins * (transform.n_fft // 2 + 1)
    if hasattr(transform, "mel_scale") and entries > LARGEST_FILTERS:
        raise ArgumentError(
            f"{transform}: the filter bank would have {entries} entries, "
            f"the limit is {LARGEST_FILTERS}"
        )
    return transform
