"""A network together with its transform, its labels and the clip length it was trained on."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import choose
from ..processing import NORMALIZATIONS, Spectrogram, Transform
from ..util import (
    OUTPUTS,
    network_logits,
    probabilities,
    set_evaluation,
    suspected_probabilities,
    usable_device,
)
from .checks import check_parts, checked_labels, checked_logits, label_index
from .grids import default_grid
from .sound_model import BoundModel, FunctionModel, Select, SoundModel


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
            label per clip), ``"sigmoid"`` (independent labels) or ``"binary"`` (one logit, of the
            second of two labels). Probabilities, of a network that ends in a softmax:
            ``"probabilities"``; in a sigmoid: ``"independent_probabilities"``, or
            ``"binary_probability"`` for one number per clip.
        normalize: how its clips are normalised, see ``load_audio``.

    Raises:
        ArgumentError: the parts do not fit each other, or an argument is out of range.
        ModelError: the network was exported in training mode.

    >>> from audiointerp import Cnn10, LogMel
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
        normalize: str = "peak",
    ) -> None:
        labels = checked_labels(labels, output)
        check_parts(network, transform, labels, duration, output)
        self.network = set_evaluation(network)
        self.transform = transform
        self.labels = labels
        self.duration = duration
        self.training = dict(training or {})
        self.output = choose("output", output, OUTPUTS)
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)
        self._has_seen_outputs = False

    @classmethod
    def from_waveform(
        cls,
        module: nn.Module,
        labels: Sequence[str],
        *,
        sample_rate: int,
        duration: float,
        normalize: str,
        output: str = "softmax",
        grid: Transform | None = None,
        shape: str | None = None,
        select: Select | None = None,
        network: nn.Module | None = None,
    ) -> "Classifier":
        """Make a classifier of a module that takes sounds, e.g. one with its own front end.

        It is explained on ``grid``: a change of the levels there is a gain on the clip's own STFT,
        and the module gets the sound.

        Args:
            module: takes sounds ``(N, L)`` or ``(N, 1, L)``.
            labels: the C names of the classes; for a binary output two, or that of the second.
            sample_rate: of the sounds it takes, in Hz.
            duration: seconds of sound that it takes; longer clips are explained in windows.
            normalize: how its clips are normalised, ``"peak"``, ``"rms"`` or ``"none"``.
            output: what its outputs are, a name in ``OUTPUTS``.
            grid: where attributions and masks live; by default :func:`default_grid`.
            shape: ``"NL"`` or ``"NCL"``, the shape of the sounds; by default the one that works.
            select: the outputs in what the module returns: a key or attribute, an index or a
                function.
            network: the part of the module whose layers Grad-CAM chooses from; all of it if None.

        Raises:
            ArgumentError: an argument is out of range, or the grid has another sample rate.

        >>> module = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 2, 400, 400),
        ...                        nn.AdaptiveAvgPool1d(1), nn.Flatten())
        >>> classifier = Classifier.from_waveform(
        ...     module, ["cat", "dog"], sample_rate=16000, duration=1.0, normalize="none"
        ... )
        >>> classifier.logits(torch.zeros(3, 1, 16000)).shape
        torch.Size([3, 2])
        """
        model = SoundModel(module, sample_rate, shape, select, network)
        grid = grid or default_grid(sample_rate)
        return cls(model, grid, labels, duration, None, output, normalize)

    @classmethod
    def from_function(
        cls,
        predict: Callable[[Any], Any],
        labels: Sequence[str],
        *,
        sample_rate: int,
        duration: float,
        normalize: str,
        output: str = "probabilities",
        grid: Transform | None = None,
        select: Select | None = None,
        max_batch: int | None = None,
    ) -> "Classifier":
        """Make a classifier of a function: TensorFlow, ONNX, tflite, scikit-learn, a service.

        Methods that need gradients are refused; occlusion, LIME, Kernel SHAP and RISE work.

        Args:
            predict: from sounds, a NumPy array ``(N, L)`` float32, to outputs ``(N, C)``.
            labels: see :meth:`from_waveform`, as the arguments that are not listed here.
            sample_rate: of the sounds, in Hz.
            duration: seconds of sound that it takes.
            normalize: how its clips are normalised.
            output: what its outputs are, a name in ``OUTPUTS``; by default probabilities of classes
                that compete.
            grid: where attributions and masks live.
            select: the outputs in what the function returns.
            max_batch: the most sounds per call, e.g. 1; None for any number.

        Raises:
            ArgumentError: an argument is out of range, or the grid has another sample rate.

        >>> def louder_half(wavs):
        ...     energy = (wavs.reshape(len(wavs), 2, -1) ** 2).sum(2) + 1e-9
        ...     return energy / energy.sum(1, keepdims=True)
        >>> classifier = Classifier.from_function(
        ...     louder_half, ["first", "second"], sample_rate=8000, duration=1.0, normalize="none"
        ... )
        >>> classifier.probabilities(torch.ones(1, 1, 8000))
        tensor([[0.5000, 0.5000]])
        """
        model = FunctionModel(predict, sample_rate, select, max_batch)
        grid = grid or default_grid(sample_rate)
        return cls(model, grid, labels, duration, None, output, normalize)

    def __repr__(self) -> str:
        name = type(self.network).__name__
        if isinstance(self.network, SoundModel):
            name = f"{self.network.model_name} on sounds"
        return (
            f"Classifier({name}, {self.transform}, {len(self.labels)} labels, {self.duration:g} s)"
        )

    @property
    def sample_rate(self) -> int:
        """The sample rate of the sounds it takes, in Hz."""
        return self.transform.sample_rate

    @property
    def takes_sounds(self) -> bool:
        """Whether the network takes sounds ``(N, 1, L)``, not features ``(N, 1, F, T)``."""
        return isinstance(self.network, SoundModel)

    @property
    def window_length(self) -> int:
        """The samples of one window."""
        return round(self.duration * self.sample_rate)

    def bind(self, spectrogram: Spectrogram) -> nn.Module:
        """Return the network from levels ``(K, 1, F, T)`` of a clip to outputs ``(K, C)``.

        A network on features is returned as it is. A model of sounds is bound to the clip, whose
        levels are changed and heard.

        >>> from audiointerp import Cnn6, LogMel
        >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"])
        >>> classifier.bind(classifier.transform(torch.zeros(1, 1, 160000))) is classifier.network
        True
        """
        if isinstance(self.network, SoundModel):
            return BoundModel(self.network, spectrogram)
        return self.network

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
        logits = network_logits(self.network, inputs.to(self.device), self.output)
        logits = checked_logits(logits, len(inputs), len(self.labels), allow_nan)
        if not self._has_seen_outputs:
            self._has_seen_outputs = True
            self._warn_of_probabilities(logits)
        return logits

    def _warn_of_probabilities(self, outputs: Tensor) -> None:
        suspected = suspected_probabilities(outputs, self.output)
        if suspected is not None:
            sums = " and sum to 1" if suspected == "probabilities" else ""
            warnings.warn(
                f"all outputs of the network are in [0, 1]{sums}, as probabilities are: if they "
                f"are, give Classifier(…, output={suspected!r}); output={self.output!r} takes "
                f"them for logits, and every probability and score would be wrong",
                stacklevel=4,
            )

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return probabilities ``(N, C)``; the arguments are those of :meth:`logits`."""
        return probabilities(self.logits(inputs), self.output)

    def target(self, name: str | int) -> int:
        """Return the class number of a label, which is given by name or by number.

        Raises:
            ArgumentError: there is no such label.
        """
        return label_index(self.labels, name)

    def save(self, path: str | os.PathLike[str], *, factory: str | None = None) -> None:
        """Write one safetensors file from which :meth:`load` rebuilds the classifier.

        The file appears only when it is complete, and only if it can be loaded.

        Args:
            path: the file.
            factory: for a network or a transform that is not exactly one of this library's classes:
                the name ``"module:function"`` of code that makes such a classifier. The file then
                has the weights and this name.

        Raises:
            ArgumentError: the factory is unusable.
            ModelError: the network or the transform is not exactly one of this library's classes (a
                subclass is not) and there is no factory, or :meth:`load` would refuse the file for
                another reason.
        """
        from .saving import save_classifier

        save_classifier(self, Path(path), factory)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        device: str | torch.device | None = None,
        *,
        factory: "str | Callable[[], Classifier] | None" = None,
    ) -> "Classifier":
        """Read a file that :meth:`save` wrote.

        Args:
            path: the file.
            device: where to compute.
            factory: for a network that is not this library's: a function that makes the classifier,
                or its name ``"module:function"``. The name in the file is never run by itself.

        Raises:
            ArgumentError: this machine has no such device.
            ModelError: the file is missing or is not a classifier of this library, or its weights
                do not fit its description or the factory's classifier, or the description needs
                more than any memory holds.
        """
        from .saving import load_classifier

        return load_classifier(Path(path), factory).to(device)
