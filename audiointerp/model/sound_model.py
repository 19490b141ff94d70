"""Models of sounds: a module on waveforms or a function, explained on the grid of a transform.

The model decides by the sound alone, with whatever front end it has inside. A change of the levels
on the grid is a gain on the clip's own STFT, and the model gets the sound that this gives:
levels -> gain -> STFT -> sound -> model. All of it is differentiable where the model is.
"""

from collections.abc import Callable, Sequence
from numbers import Number
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ArgumentError, AudioInterpError, ModelError, choose
from ..processing import Transform
from ..util import is_out_of_memory, one_line, weight_type, whole_number
from .selected import Select, selected
from .wrong_uses import ONE_AT_A_TIME, advice, check_sample_rate

SHAPES = ("NL", "NCL")
"""The shape of the sounds that a module takes: ``(N, L)`` or ``(N, 1, L)``."""
Bands = Sequence[float] | Tensor | Transform
"""The bands of a front end: the centre of each in Hz, rising, or a transform that has them."""
LONGEST_REASON = 200


class SoundModel(nn.Module):
    """A module that takes sounds, e.g. a network with its own front end.

    Args:
        module: takes sounds ``(N, L)`` or ``(N, 1, L)`` in the type of its weights.
        sample_rate: of the sounds, in Hz.
        shape: a name in :data:`SHAPES`; if None, the one that the module takes is found when it is
            first run.
        select: the outputs ``(N, C)`` in what the module returns; None if it returns them, or one
            of the usual names, e.g. ``logits``.
        network: the part of the module whose layers a class activation map chooses from; all of it
            if None.
        bands: the centre of each band of the module's own front end in Hz, rising, or a transform
            with these bands; None if they are not known.
        max_batch: the most sounds per call; None for all at once.

    Raises:
        ArgumentError: ``module`` is not a module, ``network`` is not a part of it, ``shape`` is
            unknown, or ``max_batch`` is below 1.

    >>> model = SoundModel(nn.Linear(160, 2), 16000)
    >>> model(torch.zeros(3, 1, 160)).shape, model.shape
    (torch.Size([3, 2]), 'NL')
    """

    has_gradients = True

    def __init__(
        self,
        module: nn.Module,
        sample_rate: int,
        shape: str | None = None,
        select: Select | None = None,
        network: nn.Module | None = None,
        bands: Bands | None = None,
        max_batch: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ArgumentError(
                f"a waveform model is an nn.Module, not a {type(module).__name__}; for a function "
                f"use Classifier.from_function"
            )
        if network is not None and all(network is not part for part in module.modules()):
            raise ArgumentError(
                f"network={network!r:.80} is not a part of {type(module).__name__}; give one of "
                f"its modules, e.g. network=module.features"
            )
        check_sample_rate(sample_rate)
        if max_batch is not None:
            max_batch = whole_number("max_batch", max_batch, least=1)
        self.module = module
        # In a tuple, so that it is not registered as a second child.
        self._layers_of = (network,)
        self.bands = None if bands is None else _checked_bands(bands, sample_rate)
        self.sample_rate = sample_rate
        self.shape = None if shape is None else choose("shape", shape, SHAPES)
        self.select = select
        self.max_batch = max_batch

    def forward(self, wav: Tensor) -> Tensor:
        """Return the outputs ``(N, C)`` for sounds ``(N, 1, L)``.

        Raises:
            ModelError: the model cannot take the sounds, or its outputs are not one tensor.
        """
        if wav.ndim != 3 or wav.shape[1] != 1:
            raise ModelError(
                f"{self.model_name} takes sounds (N, 1, L), not {tuple(wav.shape)}; features are "
                f"explained with interpret, score, or classifier.bind(spectrogram)"
            )
        shape = self.shape or self._find_shape(wav)
        outputs = self._outputs(wav, shape)
        self.shape = shape
        return outputs

    @property
    def model_name(self) -> str:
        """The class of the module, for messages."""
        return type(self.module).__name__

    @property
    def layers_of(self) -> nn.Module:
        """The part whose layers a class activation map chooses from."""
        return self._layers_of[0] or self.module

    def _outputs(self, wav: Tensor, shape: str) -> Tensor:
        sounds = wav[:, 0] if shape == "NL" else wav
        parts = sounds.split(self.max_batch or max(1, len(sounds)))
        return torch.cat([self._call(part) for part in parts])

    def _call(self, sounds: Tensor) -> Tensor:
        """Call the module for a batch of sounds in the shape that it takes."""
        # A copy, since a module may change its input in place.
        samples = sounds.to(weight_type(self.module, sounds.dtype), copy=True)
        try:
            returned = self.module(samples)
        # A model of the user can raise any error.
        except Exception as error:
            if isinstance(error, AudioInterpError) or is_out_of_memory(error):
                raise
            raise ModelError(
                f"{self.model_name} cannot take sounds {tuple(sounds.shape)} at "
                f"{self.sample_rate} Hz: {one_line(error, LONGEST_REASON)}; {advice(str(error))}"
            ) from error
        return selected(returned, self.select, self.model_name)

    def _find_shape(self, wav: Tensor) -> str:
        """Return the shape of sounds that the module takes, by trying two copies of the first."""
        # Not expand: torch 2.6 has no FFT of it.
        pair = wav[:1].detach().repeat(2, 1, 1)
        results: dict[str, Tensor] = {}
        errors: dict[str, AudioInterpError] = {}
        for shape in SHAPES:
            try:
                with torch.no_grad():
                    outputs = self._outputs(pair, shape)
                if len(outputs) == 2:
                    results[shape] = outputs
            except AudioInterpError as error:
                errors[shape] = error
        if not results:
            self._refuse_one_at_a_time(wav, errors)
            reason = f"; with (N, 1, L): {errors['NCL']}" if "NCL" in errors else ""
            raise errors.get("NL") or ModelError(
                f"{self.model_name} does not return one row of outputs per sound for two sounds "
                f"(N, L){reason}"
            )
        # A random model answers differently in the same shape, which is said elsewhere.
        if len(results) == 2 and not _equal(*results.values()) and self._repeats(pair, results):
            raise ModelError(
                f"{self.model_name} takes sounds (N, L) and (N, 1, L), and answers differently; "
                f"give shape='NL' or shape='NCL'"
            )
        return next(iter(results))

    def _refuse_one_at_a_time(self, wav: Tensor, errors: dict[str, AudioInterpError]) -> None:
        """Refuse a module that takes one sound, but not two, whose errors are given by shape."""
        for shape, error in errors.items():
            try:
                with torch.no_grad():
                    outputs = self._outputs(wav[:1].detach(), shape)
            except AudioInterpError:
                continue
            if len(outputs) == 1:
                cause = error.__cause__ or error
                raise ModelError(
                    f"{self.model_name} takes one sound, but not two at once: "
                    f"{type(cause).__name__}: {one_line(cause, LONGEST_REASON)}; give max_batch=1"
                ) from error

    def _repeats(self, pair: Tensor, results: dict[str, Tensor]) -> bool:
        """Return whether two runs on the same sounds give the same outputs."""
        with torch.no_grad():
            return _equal(self._outputs(pair, "NL"), results["NL"])


class FunctionModel(SoundModel):
    """A function from sounds to outputs, without gradients.

    Args:
        predict: from sounds, a NumPy array ``(N, L)`` float32, to outputs ``(N, C)``.
        sample_rate: of the sounds, in Hz.
        select: see :class:`SoundModel`.
        max_batch: the most sounds per call; None for all at once.

    Raises:
        ArgumentError: ``predict`` cannot be called, or ``max_batch`` is below 1.

    >>> model = FunctionModel(lambda wavs: np.stack([wavs.max(1), wavs.min(1)], 1), 16000)
    >>> model(torch.ones(3, 1, 160)).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """

    has_gradients = False

    def __init__(
        self,
        predict: Callable[[Any], Any],
        sample_rate: int,
        select: Select | None = None,
        max_batch: int | None = None,
    ) -> None:
        if isinstance(predict, nn.Module):
            raise ArgumentError(
                f"{type(predict).__name__} is an nn.Module, which gets tensors; use "
                f"Classifier.from_waveform, where methods with gradients work too"
            )
        if not callable(predict):
            raise ArgumentError(
                f"predict must be a function from sounds (N, L) to outputs (N, C), "
                f"not a {type(predict).__name__}"
            )
        super().__init__(nn.Identity(), sample_rate, "NL", select, max_batch=max_batch)
        self.predict = predict

    @property
    def model_name(self) -> str:
        return getattr(self.predict, "__name__", type(self.predict).__name__)

    def _call(self, sounds: Tensor) -> Tensor:
        # A copy, since a function may change its input in place.
        samples = np.array(sounds.detach().float().cpu().numpy(), order="C")
        try:
            returned = self.predict(samples)
        # A function of the user can raise any error.
        except Exception as error:
            if isinstance(error, AudioInterpError) or is_out_of_memory(error):
                raise
            raise ModelError(
                f"{self.model_name} cannot take sounds {samples.shape} float32 at "
                f"{self.sample_rate} Hz: {type(error).__name__}: "
                f"{one_line(error, LONGEST_REASON)}; it must map (N, L) to outputs (N, C); "
                f"{ONE_AT_A_TIME}"
            ) from error
        outputs = selected(returned, self.select, self.model_name)
        if len(outputs) != len(samples):
            raise ModelError(
                f"{self.model_name} returned {_shape(returned, outputs)} for {len(samples)} "
                f"sounds; it must return one row of outputs per sound; {ONE_AT_A_TIME}"
            )
        return outputs.to(sounds.device)


def _shape(returned: object, outputs: Tensor) -> tuple[int, ...]:
    """Return the shape of what a function returned, else of the outputs in it."""
    if isinstance(returned, list) and all(isinstance(value, Number) for value in returned):
        return (len(returned),)
    return tuple(getattr(returned, "shape", outputs.shape))


def _checked_bands(bands: Bands, sample_rate: int) -> Tensor:
    """Return the centres of a front end's bands in Hz, ``(F',)`` float64."""
    given = bands.frequencies if isinstance(bands, Transform) else bands
    hertz = torch.as_tensor(given, dtype=torch.float64).flatten()
    is_rising = bool((hertz.diff() > 0).all())
    if not len(hertz) or not is_rising or hertz[0] < 0 or hertz[-1] > sample_rate / 2:
        raise ArgumentError(
            f"bands: the centre of each band of the front end in Hz, rising, from 0 to half the "
            f"sample rate ({sample_rate / 2:g} Hz), not {given!r:.80}"
        )
    return hertz


def _equal(first: Tensor, second: Tensor) -> bool:
    # NaN is refused where it is used, with a message of its own.
    return first.shape == second.shape and bool(
        torch.allclose(first, second, atol=1e-5, equal_nan=True)
    )
