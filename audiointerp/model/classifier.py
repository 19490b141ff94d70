"""A network together with its transform, its labels and the clip length it was trained on."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from ..errors import choose
from ..processing import Transform
from .check import Check, check
from .decider import Decider
from .factory import Factory, made_by
from .feature_search import GRADIENTS, feature_place
from .grids import default_grid
from .hugging_face import load_transformer
from .saving import load_classifier, save_classifier
from .selected import Select
from .sound_model import Bands, FunctionModel, SoundModel


class Classifier(Decider):
    """Turns sound into class probabilities.

    Of a network on features it is made directly; of a module on waveforms, a function or a Hugging
    Face model by :meth:`from_waveform`, :meth:`from_function` and :meth:`from_transformers`. The
    arguments and attributes are those of :class:`~audiointerp.model.decider.Decider`.

    Raises:
        ArgumentError: the parts do not fit each other, or an argument is out of range.
        ModelError: the network was exported in training mode.

    >>> from audiointerp import Cnn10, LogMel
    >>> classifier = Classifier(Cnn10(2, base_channels=4), LogMel(), ["dog", "cat"], duration=1.0)
    >>> db = classifier.transform(torch.zeros(1, 1, 32000)).db
    >>> classifier.probabilities(db).shape, classifier.target("cat")
    (torch.Size([1, 2]), 1)
    """

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
        bands: Bands | None = None,
        max_batch: int | None = None,
        gradients: str = GRADIENTS[0],
    ) -> Self:
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
            bands: the centre of each band of the module's own front end in Hz, or a transform with
                these bands, for Grad-CAM's maps; without it they are over time alone.
            max_batch: the most sounds per call: 1 for a module whose outputs for a sound depend on
                the others in the batch, as :meth:`check` says; None for any number.
            gradients: ``"sound"``: those by the levels go through the sound that the module hears;
                ``"features"``: they are those of its own features, which must be what the grid
                computes (this is checked). What is heard is a sound in any case.

        Raises:
            ArgumentError: an argument is out of range, or the grid has another sample rate.
            ModelError: its features are to be what the grid computes, and are not.

        >>> layers = nn.Conv1d(1, 2, 400, 400), nn.AdaptiveAvgPool1d(1), nn.Flatten()
        >>> module = nn.Sequential(*layers)
        >>> classifier = Classifier.from_waveform(
        ...     module, ["cat", "dog"], sample_rate=16000, duration=1.0, normalize="none"
        ... )
        >>> classifier.logits(torch.zeros(3, 1, 16000)).shape
        torch.Size([3, 2])
        """
        model = SoundModel(module, sample_rate, shape, select, network, bands, max_batch)
        transform = grid or default_grid(sample_rate)
        classifier = cls(model, transform, labels, duration, None, output, normalize)
        if choose("gradients", gradients, GRADIENTS) == "features":
            classifier.features = feature_place(model, transform, classifier.window_length)
        return classifier

    @classmethod
    def from_transformers(
        cls,
        model: Any,
        extractor: Any = None,
        *,
        prompts: Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
        duration: float | None = None,
        normalize: str = "none",
        output: str | None = None,
        grid: Transform | None = None,
    ) -> Self:
        """Make a classifier of a Hugging Face model: AST, wav2vec2, HuBERT, WavLM, Whisper, CLAP.

        Its feature extractor is computed in torch, so gradients reach the sound, and there is no
        attention mask, because windows are full. Needs the package transformers:
        ``pip install 'audiointerp[hf]'``.

        Args:
            model: a folder, which needs no network; a name on the hub; or a loaded model, which is
                used as it is. What is loaded here can return its attention weights.
            extractor: the feature extractor or processor, or its folder; by default that of the
                model's folder.
            prompts: for CLAP: one sentence for each class; no template is put around them.
            labels: the names of the classes, by default the model's own or the prompts.
            duration: seconds of sound that it was trained on; by default the longest that AST,
                Whisper or CLAP takes. Shorter clips get silence up to it, shorter durations are
                padded as the extractor pads them.
            normalize: how its clips are normalised, beyond what the extractor does.
            output: what its outputs are; by default ``"sigmoid"`` for a model that was trained with
                several labels per clip, else ``"softmax"``.
            grid: where attributions and masks live, see :meth:`from_waveform`.

        Raises:
            ArgumentError: an argument is missing, out of range, or does not fit the model.
            ModelError: transformers is not installed; there is no such model, or it is of another
                kind, or it was not trained to classify.

        >>> classifier = Classifier.from_transformers("my-ast")  # doctest: +SKIP
        >>> classifier.labels  # doctest: +SKIP
        ('dog', 'rooster')
        """
        loaded = load_transformer(model, extractor, prompts, labels, duration, output)
        grid = grid or default_grid(loaded.sample_rate)
        sound_model = SoundModel(loaded.module, loaded.sample_rate, "NL", None, loaded.module.model)
        return cls(
            sound_model, grid, loaded.labels, loaded.duration, None, loaded.output, normalize
        )

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
    ) -> Self:
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

    @classmethod
    def from_factory(cls, factory: Factory) -> Self:
        """Call code of your own that makes a classifier.

        Args:
            factory: a function, or its name ``"module:function"``; the module is looked for in the
                current folder, too.

        Raises:
            ArgumentError: there is no such function, or it does not return a classifier.

        >>> from audiointerp import Cnn6, LogMel
        >>> def make():
        ...     return Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"])
        >>> Classifier.from_factory(make).labels
        ('cat', 'dog')
        """
        return made_by(factory)  # type: ignore[return-value]

    def check(self, clips: Any, reference: Any = None) -> Check:
        """Check that it decides as its owner's pipeline does; the first thing to call.

        It says what looks wrong: the rate, the duration or the level of the clips, the scale of the
        features, outputs that are probabilities or depend on the other sounds in a batch, labels
        in another order, and settings with which the accuracy would be higher.

        Args:
            clips: a data set, or a list of pairs: a sound ``(L,)`` at the classifier's sample rate
                or the path of a file, and its label. Sounds or paths alone do, too.
            reference: the owner's own pipeline: a function of the samples ``(L,)`` of a clip, or
                its results; for each clip a label, a class number, or ``(C,)`` probabilities.

        Raises:
            ArgumentError: there is no clip, or the reference does not fit.

        >>> from audiointerp import Cnn6, LogMel
        >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["a", "b"], duration=1.0)
        >>> result = classifier.check([(torch.randn(32000), "a")], reference=["b"])
        >>> result.agreement == 1 - result.accuracy
        True
        """
        return check(self, clips, reference)

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
        save_classifier(self, Path(path), factory)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        device: str | torch.device | None = None,
        *,
        factory: Factory | None = None,
    ) -> Self:
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
        return load_classifier(Path(path), cls, factory).to(device)
