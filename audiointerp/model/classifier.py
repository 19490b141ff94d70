"""A network together with its transform, its labels and the clip length it was trained on."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import ArgumentError, ModelError, choose, unknown_name
from ..processing import LogMel, LogSTFT, Transform
from ..util import (
    OUTPUTS,
    atomic_write,
    network_logits,
    probabilities,
    set_evaluation,
    usable_device,
    warn_of_probabilities,
)
from .checkpoint import check_state, read_weights, reason
from .metadata import read_description
from .panns import NETWORKS, Pann

METADATA_KEY = "audiointerp"


class Classifier:
    """Turns sound into class probabilities.

    Attributes:
        network: any module from features ``(N, 1, F, T)`` in dB to logits or probabilities
            ``(N, C)``; the features are converted to the type of its weights.
        transform: makes the features from the sound.
        labels: the C names of the classes.
        duration: seconds of sound that the network was trained on; longer clips are explained in
            windows of this length.
        training: how it was trained (settings, seeds, accuracies) as plain values, which are saved
            with the weights.
        output: what the network's outputs are, a name in ``OUTPUTS``. Logits: ``"softmax"`` (one
            label per clip) or ``"sigmoid"`` (independent labels). Probabilities, of a network that
            ends in a softmax: ``"probabilities"``; in a sigmoid: ``"independent_probabilities"``.

    Raises:
        ArgumentError: the parts do not fit each other, or an argument is out of range.
        ModelError: the network was exported in training mode.

    >>> from audiointerp.model import Cnn10
    >>> classifier = Classifier(Cnn10(2, base_channels=4), LogMel(), ["dog", "cat"], duration=1.0)
    >>> db = classifier.transform(torch.zeros(1, 1, 32000)).db
    >>> classifier.probabilities(db).shape, classifier.target("cat")
    (torch.Size([1, 2]), 1)
    """

    def __init__(
        self,
        network: nn.Module,
        transform: Transform,
        labels: Sequence[str],
        duration: float = 5.0,
        training: Mapping[str, Any] | None = None,
        output: str = "softmax",
    ) -> None:
        if not isinstance(network, nn.Module) or not isinstance(transform, Transform):
            transform_name = getattr(transform, "__name__", type(transform).__name__)
            raise ArgumentError(
                f"a classifier is made of a network and a transform, e.g. LogMel(), "
                f"not of {type(network).__name__} and {transform_name}"
            )
        labels = tuple(labels)
        are_strings = all(isinstance(label, str) for label in labels)
        if not are_strings or len(set(labels)) != len(labels) or len(labels) < 2:
            raise ArgumentError(
                f"labels must be the different names of at least two classes, "
                f"not {list(labels)!r:.200}"
            )
        if isinstance(network, Pann) and network.settings["num_classes"] != len(labels):
            raise ArgumentError(
                f"{len(labels)} labels do not fit a network with "
                f"{network.settings['num_classes']} classes"
            )
        if not 0 < duration < math.inf:
            raise ArgumentError(f"duration={duration!r} must be finite and above 0 seconds")
        self.network = set_evaluation(network)
        self.transform = transform
        self.labels = labels
        self.duration = duration
        self.training = dict(training or {})
        self.output = choose("output", output, OUTPUTS)

    def __repr__(self) -> str:
        return (
            f"Classifier({type(self.network).__name__}, {self.transform}, "
            f"{len(self.labels)} labels, {self.duration:g} s)"
        )

    @property
    def sample_rate(self) -> int:
        """The sample rate of the sounds it takes, in Hz."""
        return self.transform.sample_rate

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next((tensor.device for tensor in self.network.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device | None) -> "Classifier":
        """Move the network in place; None leaves it where it is.

        Raises:
            ArgumentError: this machine has no such device.
        """
        if device is not None:
            self.network.to(usable_device(device))
        return self

    @torch.no_grad()
    def logits(self, db: Tensor, *, allow_nan: bool = False) -> Tensor:
        """Return the logits ``(N, C)`` of features ``(N, 1, F, T)``, float32 or float64.

        Probabilities are converted to logits, see :func:`~audiointerp.util.to_logits`. A warning is
        given once if the network's first outputs look like probabilities, but ``output`` says
        logits.

        Args:
            db: the features.
            allow_nan: whether a clip whose logits are not all finite gets NaN for all classes,
                rather than an error for all clips.

        Raises:
            ModelError: the network cannot take the features, or does not return finite logits, one
                for each label.
        """
        logits = network_logits(self.network, db.to(self.device), self.output)
        is_finite = logits.isfinite()
        all_finite = bool(is_finite.all())
        if logits.shape != (len(db), len(self.labels)) or not (all_finite or allow_nan):
            shape = f"{tuple(logits.shape)}{'' if all_finite else ' with NaN or infinite values'}"
            raise ModelError(
                f"the network must return finite logits ({len(db)}, {len(self.labels)}), "
                f"one for each label, not {shape}"
            )
        warn_of_probabilities(self.network, logits, self.output, stacklevel=4)
        if not all_finite:
            logits = logits.masked_fill(~is_finite.all(1, keepdim=True), torch.nan)
        return logits

    def probabilities(self, db: Tensor) -> Tensor:
        """Return probabilities ``(N, C)`` of features ``(N, 1, F, T)``; see also :meth:`logits`."""
        return probabilities(self.logits(db), self.output)

    def target(self, name: str | int) -> int:
        """Return the class number of a label, which is given by name or by number.

        Raises:
            ArgumentError: there is no such label.
        """
        if name in self.labels:
            return self.labels.index(str(name))
        if str(name).isdecimal() and int(name) < len(self.labels):
            return int(name)
        raise ArgumentError(unknown_name("label", name, self.labels))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file from which :meth:`load` rebuilds the classifier.

        The file appears only when it is complete, and only if it can be loaded.

        Raises:
            ModelError: the network or the transform is not exactly one of this library's classes
                (a subclass is not), or :meth:`load` would refuse the file for another reason.
        """
        path = Path(path)
        text = self._description()
        state = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self.network.state_dict().items()
        }
        try:
            check_state(read_description(text).network, state, str(path))
        except ArgumentError as error:
            raise ModelError(f"{path}: this classifier cannot be saved ({error})") from error
        with atomic_write(path) as part:
            try:
                save_file(state, part, metadata={METADATA_KEY: text})
            except SafetensorError as error:
                raise ModelError(f"{path}: cannot be written ({error})") from error

    def _description(self) -> str:
        """Return the JSON from which the network and the transform can be rebuilt."""
        # Exact types: a subclass may compute something else, and load could not rebuild it.
        _require_exact_type(self.network, tuple(NETWORKS.values()))
        _require_exact_type(self.transform, (LogMel, LogSTFT))
        record = {
            "network": type(self.network).__name__,
            "settings": self.network.settings,
            "transform": self.transform.to_dict(),
            "labels": self.labels,
            "duration": self.duration,
            "training": self.training,
            "output": self.output,
        }
        try:
            return json.dumps(record)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"this classifier cannot be saved: its training has values that JSON cannot "
                f"represent ({error}); use plain values"
            ) from error

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], device: str | torch.device | None = None
    ) -> "Classifier":
        """Read a file that :meth:`save` wrote.

        Raises:
            ArgumentError: this machine has no such device.
            ModelError: the file is missing or is not a classifier of this library, or its weights
                do not fit its description, or the description needs more than any memory holds.
        """
        state, metadata = read_weights(path)
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{path}: has weights, but not how to build the network; "
                f"write it with Classifier.save"
            )
        try:
            description = read_description(metadata[METADATA_KEY])
            check_state(description.network, state, str(path))
            # The first memory that is allocated: as much as the file's weights.
            network = description.network.to_empty(device="cpu")
            network.load_state_dict(state)
            classifier = cls(
                network,
                description.transform,
                description.labels,
                description.duration,
                description.training,
                description.output,
            )
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{path}: its description of the network does not fit ({reason(error)})"
            ) from error
        return classifier.to(device)


def _require_exact_type(part: nn.Module | Transform, kinds: tuple[type, ...]) -> None:
    if type(part) not in kinds:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise ModelError(
            f"{type(part).__name__} cannot be saved, only {names} of this library can (no "
            f"subclasses); save network.state_dict() yourself, load it into your network, and call "
            f"Classifier(network, transform, labels)"
        )
