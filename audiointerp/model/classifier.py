"""A network together with what it hears through: its transform, its labels, the length it was trained on."""

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

from ..conventions import OUTPUTS, probabilities
from ..devices import usable_device
from ..errors import ArgumentError, ModelError, choose
from ..files import replacing
from ..processing import Transform
from .checkpoint import check_state, read_weights, reason
from .description import read_description
from .panns import Pann

METADATA_KEY = "audiointerp"


class Classifier:
    """Sound in, probabilities out.

    Attributes:
        network: any module from features ``(N, 1, F, T)`` in dB to logits ``(N, C)``.
        transform: what makes those features.
        labels: the C names.
        duration: seconds of sound that the network was trained on; longer clips are explained in windows of it.
        training: how it came to be (settings, seeds, accuracies): plain values, kept in the weights file.
        output: what the logits mean, a name in ``OUTPUTS``: ``"softmax"`` (one label a clip) or ``"sigmoid"`` (each label by
            itself, multi-label).
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
            raise ArgumentError(
                f"a classifier is made of a network and a transform, LogMel() say, not of {type(network).__name__} and "
                f"{getattr(transform, '__name__', type(transform).__name__)}"
            )
        labels = tuple(labels)
        if len(set(labels)) != len(labels) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
            raise ArgumentError(f"labels are the different names of the classes, not {list(labels)!r:.200}")
        if isinstance(network, Pann) and network.settings["num_classes"] != len(labels):
            raise ArgumentError(f"{len(labels)} labels do not fit {network.settings['num_classes']} classes")
        if not 0 < duration < math.inf:
            raise ArgumentError(f"duration={duration!r} must be finite and above 0 seconds")
        self.network = network.eval()
        self.transform = transform
        self.labels = tuple(labels)
        self.duration = duration
        self.training = dict(training or {})
        self.output = choose("output", output, OUTPUTS)

    def __repr__(self) -> str:
        return f"Classifier({type(self.network).__name__}, {self.transform}, {len(self.labels)} labels, {self.duration:g} s)"

    @property
    def sample_rate(self) -> int:
        """The rate of the sounds it takes, in Hz."""
        return self.transform.sample_rate

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next((tensor.device for tensor in self.network.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device | None) -> "Classifier":
        """Move the network, in place; None leaves it where it is.

        Raises:
            ArgumentError: there is no such device here.
        """
        if device is not None:
            self.network.to(usable_device(device))
        return self

    @torch.no_grad()
    def logits(self, db: Tensor) -> Tensor:
        """Logits ``(N, C)`` of features ``(N, 1, F, T)``.

        Raises:
            ModelError: the network gives something else than finite logits of as many classes as there are labels.
        """
        logits = self.network(db.to(self.device))
        if not isinstance(logits, Tensor):
            raise ModelError(f"the network must give logits (N, C) as one tensor, not a {type(logits).__name__}")
        if logits.shape != (len(db), len(self.labels)) or not logits.isfinite().all():
            raise ModelError(
                f"the network gives {tuple(logits.shape)}{'' if logits.isfinite().all() else ' with NaN or infinite values'} "
                f"where finite logits ({len(db)}, {len(self.labels)}) are needed, one a label"
            )
        return logits

    def probabilities(self, db: Tensor) -> Tensor:
        """Probabilities ``(N, C)`` of features ``(N, 1, F, T)``; errors are those of :meth:`logits`."""
        return probabilities(self.logits(db), self.output)

    def target(self, name: str | int) -> int:
        """The number of a label, given by name or by number.

        Raises:
            ArgumentError: there is no such label.
        """
        if name in self.labels:
            return self.labels.index(str(name))
        if str(name).isdecimal() and int(name) < len(self.labels):
            return int(name)
        raise ArgumentError(f"unknown label {name!r}; this classifier knows: {', '.join(self.labels)}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file that :meth:`load` needs nothing beside; it appears only when complete.

        Raises:
            ModelError: the network is not one of this library's, so a file could not say how to build it.
        """
        path = Path(path)
        if not isinstance(self.network, Pann):
            raise ModelError(
                f"only networks of audiointerp.model can be saved, not {type(self.network).__name__}; "
                f"save its state_dict yourself and give the loaded network to Classifier(network, transform, labels)"
            )
        record = {
            "network": type(self.network).__name__,
            "settings": self.network.settings,
            "transform": self.transform.to_dict(),
            "labels": self.labels,
            "duration": self.duration,
            "training": self.training,
            "output": self.output,
        }
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        with replacing(path) as part:
            try:
                save_file(state, part, metadata={METADATA_KEY: json.dumps(record)})
            except SafetensorError as error:
                raise ModelError(f"{path}: cannot be written ({error})") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str | torch.device | None = None) -> "Classifier":
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: the file is missing, is not a classifier of this library, its weights do not fit its description, or
                the description asks for more than any memory holds.
        """
        state, metadata = read_weights(path)
        if METADATA_KEY not in metadata:
            raise ModelError(f"{path}: holds weights, but not how to build the network; write it with Classifier.save")
        try:
            said = read_description(metadata[METADATA_KEY])
            check_state(said.network, state, str(path))
            network = said.network.to_empty(device="cpu")  # the first memory taken: as much as the file holds
            network.load_state_dict(state)
            loaded = cls(network, said.transform, said.labels, said.duration, said.training, said.output)
        except (TypeError, ValueError) as error:
            raise ModelError(f"{path}: its description of the network does not fit ({reason(error)})") from error
        return loaded.to(device)
