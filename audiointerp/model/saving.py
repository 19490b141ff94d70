"""Writes a classifier to one safetensors file, and reads it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import save as tensors_as_bytes
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError
from ..processing import LogMel, LogSTFT, Transform
from ..util import atomic_write
from .checkpoint import check_state, fit_state, read_weights, reason
from .decider import Decider
from .factory import Factory, made_by
from .metadata import read_description
from .panns import NETWORKS
from .scaled import without_scaling

Made = TypeVar("Made", bound=Decider)
METADATA_KEY = "audiointerp"
FACTORY_KEY = "audiointerp_factory"
"""The name of the code that makes the classifier; it is shown, and never run by itself."""


def save_classifier(classifier: Decider, path: Path, factory: str | None = None) -> None:
    """Write a classifier, see :meth:`~audiointerp.model.Classifier.save`.

    Raises:
        ArgumentError: the factory is unusable.
        ModelError: :func:`load_classifier` would refuse the file.

    >>> import tempfile
    >>> from audiointerp import Cnn6
    >>> classifier = Decider(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_classifier(classifier, Path(folder) / "a.safetensors")
    ...     load_classifier(Path(folder) / "a.safetensors", Decider).labels
    ('cat', 'dog')
    """
    state = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in without_scaling(classifier.network).state_dict().items()
    }
    if factory is None:
        text = _description(classifier)
        expected: nn.Module = _expected_network(text, path)
    else:
        maker = made_by(factory)
        text = json.dumps({"factory": factory, **_outside(classifier)})
        _check_same(path, _outside(classifier), _outside(maker))
        expected = without_scaling(maker.network)
    try:
        check_state(expected, state, str(path))
    except ArgumentError as error:
        raise ModelError(f"{path}: this classifier cannot be saved ({error})") from error
    metadata = {METADATA_KEY if factory is None else FACTORY_KEY: text}
    with atomic_write(path) as part:
        try:
            # safetensors itself makes files that only their owner can read.
            part.write_bytes(tensors_as_bytes(state, metadata))
        except SafetensorError as error:
            raise ModelError(f"{path}: cannot be written ({error})") from error


def _expected_network(text: str, path: Path) -> nn.Module:
    try:
        return read_description(text).network
    except ArgumentError as error:
        raise ModelError(f"{path}: this classifier cannot be saved ({error})") from error


def load_classifier(path: Path, build: Callable[..., Made], factory: Factory | None = None) -> Made:
    """Read a classifier, see :meth:`~audiointerp.model.Classifier.load`.

    Args:
        path: the file.
        build: the class.
        factory: what makes the classifier, for networks that are not this library's.

    Raises:
        ArgumentError: the factory is unusable.
        ModelError: the file is missing or is not a classifier of this library, or its weights do
            not fit.

    Example:
        See :func:`save_classifier`.
    """
    state, metadata = read_weights(path)
    if factory is not None:
        classifier = made_by(factory)
        if FACTORY_KEY in metadata:
            record = json.loads(metadata[FACTORY_KEY])
            saved = {name: record.get(name) for name in _outside(classifier)}
            _check_same(path, saved, _outside(classifier))
        fit_state(without_scaling(classifier.network), state, str(path))
        return classifier  # type: ignore[return-value]
    if FACTORY_KEY in metadata:
        name = json.loads(metadata[FACTORY_KEY])["factory"]
        raise ModelError(
            f"{path}: the network is made by code that was called {name}; if you trust it, give "
            f"Classifier.load(path, factory={name!r}), or --model {name} in a shell"
        )
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{path}: has weights, but not how to build the network; write it with Classifier.save"
        )
    return _built(path, build, state, metadata[METADATA_KEY])


def _outside(classifier: Decider) -> dict[str, Any]:
    """Return what makes the classifier beside its weights, as plain values."""
    return {
        "labels": list(classifier.labels),
        "duration": classifier.duration,
        "output": classifier.output,
        "normalize": classifier.normalize,
        "transform": repr(classifier.transform),
    }


def _check_same(path: Path, saved: dict[str, Any], made: dict[str, Any]) -> None:
    """Refuse a factory that makes another classifier than the one that is saved."""
    for name, value in saved.items():
        if value != made[name]:
            raise ModelError(
                f"{path}: the factory's classifier has {name}={made[name]!r:.100}, the saved one "
                f"{value!r:.100}"
            )


def _built(path: Path, build: Callable[..., Made], state: dict[str, Tensor], text: str) -> Made:
    try:
        description = read_description(text)
        check_state(description.network, state, str(path))
        network = description.network
        # Assigned, since to_empty() of a network without memory imports SymPy: a second.
        expected = network.state_dict()
        copies = {name: state[name].to(expected[name].dtype, copy=True) for name in expected}
        network.load_state_dict(copies, assign=True)
        return build(
            network,
            description.transform,
            description.labels,
            description.duration,
            description.training,
            description.output,
            description.normalize,
        )
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: its description of the network does not fit ({reason(error)})"
        ) from error


def _description(classifier: Decider) -> str:
    """Return the JSON from which the network and the transform can be rebuilt."""
    # Exact types: a subclass may compute something else, and load could not rebuild it.
    network = without_scaling(classifier.network)
    _require_exact_type(network, tuple(NETWORKS.values()))
    _require_exact_type(classifier.transform, (LogMel, LogSTFT))
    record: dict[str, Any] = {
        "network": type(network).__name__,
        "settings": network.settings,
        "transform": classifier.transform.to_dict(),
        "labels": classifier.labels,
        "duration": classifier.duration,
        "training": classifier.training,
        "output": classifier.output,
    }
    if classifier.normalize != "peak":
        record["normalize"] = classifier.normalize
    try:
        return json.dumps(record)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"this classifier cannot be saved: its training has values that JSON cannot "
            f"represent ({error}); use plain values"
        ) from error


def _require_exact_type(part: nn.Module | Transform, kinds: tuple[type, ...]) -> None:
    if type(part) not in kinds:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ModelError(
            f"{type(part).__name__} cannot be saved, only {names} of this library can (no "
            f"subclasses); name the code that makes the classifier, "
            f"save(path, factory='module:function'), or save network.state_dict() yourself, load "
            f"it into your network, and call Classifier(network, transform, labels)"
        )
