"""What decides: a network with its transform, its labels and the length of its clips."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import choose
from ..processing import NORMALIZATIONS, Spectrogram, Transform
from ..util import (
    OUTPUTS,
    as_python,
    evaluating,
    network_logits,
    probabilities,
    reason_of_nan,
    set_evaluation,
    table_html,
    usable_device,
    warn_of_probabilities,
)
from .bound_model import BoundModel
from .checks import check_parts, checked_labels, checked_logits, label_index, label_meant
from .feature_place import FeaturePlace
from .scaled import with_scaling
from .sound_model import SoundModel

LABELS_SHOWN = 20


class Decider:
    """A network with its transform, its labels and the length of the clips it was trained on.

    It is the part of :class:`~audiointerp.model.Classifier` that decides.

    Attributes:
        network: any module from features ``(N, 1, F, T)`` to logits or probabilities ``(N, C)``;
            the features are converted to the type of its weights. If the transform scales the
            levels, the attribute is the network behind this scaling, from levels in dB.
        transform: makes the features from the sound.
        labels: the C names of the classes.
        duration: seconds of sound that the network was trained on; longer clips are explained in
            windows of this length.
        training: how it was trained (settings, seeds, accuracies) as plain values, which are saved
            with the weights.
        output: what the network's outputs are, a name in ``OUTPUTS``. Logits: ``"softmax"`` (one
            label per clip), ``"sigmoid"`` (independent labels) or ``"binary"`` (one logit, of the
            second of two labels). Probabilities, of a network that ends in a softmax:
            ``"probabilities"``; in a sigmoid: ``"independent_probabilities"``, or
            ``"binary_probability"`` for one number per clip.
        normalize: how its clips are normalised, see ``load_audio``.
        features: where a model of sounds has the features that the transform computes, if
            gradients are to be taken with respect to these.

    Raises:
        ArgumentError: the parts do not fit each other, or an argument is out of range.
        ModelError: the network was exported in training mode.

    >>> from audiointerp import Cnn10, LogMel
    >>> decider = Decider(Cnn10(2, base_channels=4), LogMel(), ["dog", "cat"], duration=1.0)
    >>> decider.sample_rate, decider.window_length, decider.takes_sounds
    (32000, 32000, False)
    """

    features: FeaturePlace | None = None

    def __init__(
        self,
        network: nn.Module,
        transform: Transform,
        labels: Sequence[str],
        duration: float = 5.0,
        training: Mapping[str, Any] | None = None,
        output: str = "softmax",
        normalize: str = "peak",
    ) -> None:
        labels = checked_labels(labels, output)
        check_parts(network, transform, labels, duration, output)
        # Explainers take it as it is: from levels in dB to outputs.
        self.network = with_scaling(set_evaluation(network), transform)
        self.transform = transform
        self.labels = labels
        self.duration: float = as_python(duration)
        self.training = dict(training or {})
        self.output = choose("output", output, OUTPUTS)
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)

    def __repr__(self) -> str:
        name = type(self.network).__name__
        if isinstance(self.network, SoundModel):
            name = f"{self.network.model_name} on sounds"
        name = f"{type(self).__name__}({name}, {self.transform}"
        name = f"{name}, {len(self.labels)} labels, {self.duration:g} s"
        return f"{name}, gradients of its features)" if self.features else f"{name})"

    def _repr_html_(self) -> str:
        labels = ", ".join(self.labels[:LABELS_SHOWN])
        if len(self.labels) > LABELS_SHOWN:
            labels += f" and {len(self.labels) - LABELS_SHOWN} more"
        rows = {
            "network": getattr(self.network, "model_name", type(self.network).__name__),
            "takes": "sounds" if self.takes_sounds else "features",
            "transform": self.transform,
            "labels": labels,
            "clips": f"{self.duration:g} s at {self.sample_rate} Hz, normalised: {self.normalize}",
            "outputs": self.output,
        }
        if getattr(self.network, "has_gradients", False):
            rows["gradients"] = self.gradients
        return table_html(type(self).__name__, rows)

    @property
    def sample_rate(self) -> int:
        """The sample rate of the sounds it takes, in Hz."""
        return self.transform.sample_rate

    @property
    def takes_sounds(self) -> bool:
        """Whether the network takes sounds ``(N, 1, L)``, not features ``(N, 1, F, T)``."""
        return isinstance(self.network, SoundModel)

    @property
    def gradients(self) -> str:
        """What gradients by the levels go through, in words.

        >>> from audiointerp import Cnn6, LogMel
        >>> Decider(Cnn6(2, base_channels=4), LogMel(), ["a", "b"]).gradients
        'of its features'
        """
        if not self.takes_sounds:
            return "of its features"
        if self.features is None:
            return "through the sound"
        return f"of its features ({self.features}), which are the transform's"

    @property
    def window_length(self) -> int:
        """The samples of one window."""
        return round(self.duration * self.sample_rate)

    def bind(self, spectrogram: Spectrogram) -> nn.Module:
        """Return the network from levels ``(K, 1, F, T)`` of a clip to outputs ``(K, C)``.

        A network on features is returned as it is. A model of sounds is bound to the clip, whose
        levels are changed and heard.

        >>> from audiointerp import Cnn6, LogMel
        >>> classifier = Decider(Cnn6(2, base_channels=4), LogMel(), ["a", "b"])
        >>> classifier.bind(classifier.transform(torch.zeros(1, 1, 160000))) is classifier.network
        True
        """
        if isinstance(self.network, SoundModel):
            return BoundModel(self.network, spectrogram, self.features)
        return self.network

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next((tensor.device for tensor in self.network.parameters()), torch.device("cpu"))

    def to(self, device: str | torch.device | None) -> Self:
        """Move the network in place; None leaves it where it is.

        Raises:
            ArgumentError: this machine has no such device.
        """
        if device is not None:
            self.network.to(usable_device(device))
        return self

    @torch.no_grad()
    def logits(self, inputs: Tensor, *, allow_nan: bool = False) -> Tensor:
        """Return the logits ``(N, C)`` of what the network takes, float32 or float64.

        Probabilities are converted to logits, see :func:`~audiointerp.util.to_logits`. A warning is
        given once if the first outputs look like probabilities, but ``output`` says logits.

        Args:
            inputs: features ``(N, 1, F, T)`` in dB, or sounds ``(N, 1, L)`` of a model of sounds.
            allow_nan: whether a clip whose logits are not all finite gets NaN for all classes,
                rather than an error for all clips.

        Raises:
            ModelError: the network cannot take the features, or does not return finite logits, one
                for each label.
        """
        with evaluating(self.network):
            logits = network_logits(self.network, inputs.to(self.device), self.output)
        reason = partial(reason_of_nan, self.network, inputs, logits)
        logits = checked_logits(logits, len(inputs), len(self.labels), allow_nan, reason)
        warn_of_probabilities(self.network, logits, self.output, stacklevel=4)
        return logits

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return probabilities ``(N, C)``; the arguments are those of :meth:`logits`."""
        return probabilities(self.logits(inputs), self.output)

    def target(self, name: str | int) -> int:
        """Return the class number of a label, which is given by name or by number.

        Raises:
            ArgumentError: there is no such label.
        """
        return label_index(self.labels, name)

    def target_meant(self, name: str | int) -> int:
        """Return the class number of a label as a person types it: "Crying baby" is crying_baby.

        Raises:
            ArgumentError: there is no such label.
        """
        return self.target(label_meant(self.labels, name))
