"""One clip from whatever holds it: a tensor, an array, a pair with a rate, a decoder, a file."""

import os
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError, AudioError, choose
from ..processing import (
    LEAST_MIX,
    MAX_LEVEL,
    NORMALIZATIONS,
    load_channels,
    load_levels,
    normalized,
    resample,
)
from ..processing import (
    mono as mean_of_channels,
)

ACCEPTED = (
    "a tensor or NumPy array (L,), (1, L) or (1, 1, L), a pair (array, rate), a dict with array "
    "and sampling_rate, an audio decoder, or the path of a sound file"
)

Read = TypeVar("Read")


class _Samples(NamedTuple):
    """The samples of a clip, and their rate in Hz."""

    values: Any
    rate: float
    are_channels: bool
    """Whether the first of two axes is known to be that of the channels."""


def as_clip(
    audio: Any, sample_rate: int, *, normalize: str | None = None, mono: bool = False
) -> Tensor:
    """Return one clip in the form of this library.

    Args:
        audio: one of

            - a tensor or NumPy array of floats ``(L,)``, ``(1, L)`` or ``(1, 1, L)`` at
              ``sample_rate``;
            - a pair ``(array, rate)``, as ``torchaudio.load`` returns;
            - a dict with ``array`` and ``sampling_rate``, or with ``path`` and ``bytes``, as an
              audio value of Hugging Face's ``datasets``;
            - an audio decoder (``torchcodec``, ``datasets``) with ``get_all_samples()``;
            - the path of a sound file, see :func:`~audiointerp.processing.load_audio`.

        sample_rate: the rate in Hz of the result; audio at another known rate is resampled.
        normalize: ``"peak"``, ``"rms"`` or ``"none"``. None normalises sound files by their peak,
            as ``load_audio`` does, and leaves samples as they are.
        mono: whether to average the channels of an array ``(C, L)``; files and decoders are always
            averaged.

    Returns:
        ``(1, 1, L)`` float32 on the CPU, finite.

    Raises:
        ArgumentError: the audio has another type or shape, no samples, integers, NaN or infinity;
            or a rate is not a whole number above 0.
        AudioError: the sound file cannot be read, or the channels cancel in their mean.

    >>> as_clip(np.zeros(800), 8000).shape, as_clip((torch.zeros(1, 800), 8000), 16000).shape
    (torch.Size([1, 1, 800]), torch.Size([1, 1, 1600]))
    """
    if normalize is None:
        normalize = "peak" if isinstance(audio, str | os.PathLike) else "none"
    wav = as_levels(audio, sample_rate, normalize=normalize, mono=mono)
    return normalized(wav, normalize)


def clip_name(audio: Any) -> str | None:
    """Return the name of the file that a clip is read from by :func:`as_clip`; None without one.

    >>> clip_name("clips/dog.wav"), clip_name({"path": "dog.wav", "bytes": b""}), clip_name([0.5])
    ('dog.wav', 'dog.wav', None)
    """
    path = audio.get("path") if isinstance(audio, Mapping) else audio
    return Path(path).name if isinstance(path, str | os.PathLike) else None


def as_levels(
    audio: Any, sample_rate: int, *, normalize: str = "none", mono: bool = False
) -> Tensor:
    """Return one clip with its own level, for a caller who cuts it and then normalises it.

    Args: see :func:`as_clip`; ``normalize``: how the caller normalises.

    Raises:
        ArgumentError, AudioError: see :func:`as_clip`.

    >>> float(as_levels(torch.full((8,), 0.5), 8000, normalize="peak").max())
    0.5
    """
    choose("normalization", normalize, NORMALIZATIONS)
    rate_out = _whole_rate(sample_rate)
    if isinstance(audio, str | os.PathLike):
        return load_levels(audio, rate_out, normalize=normalize)
    if isinstance(audio, Mapping) and audio.get("array") is None:
        return _from_file(audio, partial(load_levels, sample_rate=rate_out, normalize=normalize))
    channels, rate = _channels_of_samples(audio, rate_out, mono)
    wav = mean_of_channels(channels) if channels.shape[1] > 1 else channels
    _check_cancellation(channels, wav)
    return resample(wav, rate, rate_out)


def own_channels(audio: Any, sample_rate: int) -> tuple[Tensor, int]:
    """Return a clip as it is: all channels, at its own rate and level.

    Args:
        audio: what :func:`as_clip` takes.
        sample_rate: in Hz, of samples that come without a rate.

    Returns:
        ``(1, C, L)`` float32 on the CPU, finite, and the sample rate in Hz.

    Raises:
        ArgumentError, AudioError: see :func:`as_clip`.

    >>> wav, rate = own_channels((torch.zeros(1, 441), 44100), 16000)
    >>> wav.shape, rate
    (torch.Size([1, 1, 441]), 44100)
    """
    if isinstance(audio, str | os.PathLike):
        return load_channels(audio)
    if isinstance(audio, Mapping) and audio.get("array") is None:
        return _from_file(audio, load_channels)
    return _channels_of_samples(audio, sample_rate, averages=False)


def _channels_of_samples(audio: Any, sample_rate: int, averages: bool) -> tuple[Tensor, int]:
    samples = _samples_of(audio, sample_rate)
    channels = _one_clip(_as_tensor(samples.values), averages or samples.are_channels)
    return channels, _whole_rate(samples.rate)


def _samples_of(audio: Any, sample_rate: int) -> _Samples:
    """Find the samples and their rate in what holds them."""
    if hasattr(audio, "get_all_samples"):
        audio = audio.get_all_samples()
    if hasattr(audio, "data") and hasattr(audio, "sample_rate"):
        return _Samples(audio.data, audio.sample_rate, True)
    if isinstance(audio, Mapping):
        if "sampling_rate" not in audio:
            raise ArgumentError(
                f"a dict of audio with {', '.join(map(str, audio)):.200} has no sampling_rate; "
                "give array and sampling_rate"
            )
        return _Samples(audio["array"], audio["sampling_rate"], False)
    if isinstance(audio, tuple) and len(audio) == 2:
        values, rate = audio
        if isinstance(rate, Tensor | np.ndarray) and np.ndim(rate) > 0:
            raise ArgumentError("audio and rate in the wrong order: give (array, rate)")
        return _Samples(values, rate, False)
    return _Samples(audio, sample_rate, False)


def _whole_rate(rate: Any) -> int:
    try:
        number = float(rate)
    except (TypeError, ValueError):
        number = 0.0
    if isinstance(rate, bool | str) or not (number >= 1 and number.is_integer()):
        raise ArgumentError(
            f"sample rate {rate!r:.80}: give a whole number of Hz, e.g. classifier.sample_rate"
        )
    return int(number)


def _as_tensor(values: Any) -> Tensor:
    """Return finite float32 samples on the CPU."""
    if not isinstance(values, Tensor | np.ndarray):
        hint = "; make an array of it, numpy.array(…)" if isinstance(values, list) else ""
        raise ArgumentError(f"audio is {ACCEPTED}, not a {type(values).__name__}{hint}")
    is_float = (
        values.is_floating_point()
        if isinstance(values, Tensor)
        else np.issubdtype(values.dtype, np.floating)
    )
    if not is_float:
        name = str(values.dtype).removeprefix("torch.")
        scales = {"int16": ", e.g. audio / 32768", "int32": ", e.g. audio / 2**31"}
        raise ArgumentError(
            f"audio has float samples in [-1, 1], not {name}; convert it{scales.get(name, '')}"
        )
    if isinstance(values, Tensor):
        wav = values.detach().to("cpu", torch.float32)
    else:
        # A copy, since arrays may be read-only, reversed, or of another byte order.
        wav = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
    if wav.numel() and not wav.abs().max() <= MAX_LEVEL:
        raise ArgumentError(
            f"audio has NaN, infinity or a value above {MAX_LEVEL:.2g}; look for the first by "
            "(~audio.isfinite()).nonzero()"
        )
    return wav


def _one_clip(wav: Tensor, averages: bool) -> Tensor:
    """Return ``(1, C, L)``, where C is 1 unless channels may be averaged."""
    shape = tuple(wav.shape)
    if not 1 <= len(shape) <= 3 or 0 in shape:
        raise ArgumentError(f"audio of shape {shape} is not a clip: give (L,), (1, L) or (1, 1, L)")
    if len(shape) == 3 and shape[0] > 1:
        raise ArgumentError(f"audio of shape {shape} has {shape[0]} clips: give one, e.g. audio[0]")
    clip = wav.reshape(1, *((1, *shape) if len(shape) == 1 else shape)[-2:])
    channels, length = clip.shape[1:]
    if channels > length and channels > 1:
        raise ArgumentError(
            f"audio of shape {shape} has more channels than samples: put the channels first, e.g. "
            "audio.T"
        )
    if channels > 1 and not averages:
        raise ArgumentError(
            f"audio of shape {shape} has {channels} channels, or is {channels} clips: average the "
            f"channels, e.g. audio.mean({len(shape) - 2}), or give one, e.g. "
            f"audio[{'0, 0' if len(shape) == 3 else 0}]"
        )
    return clip


def _check_cancellation(channels: Tensor, mix: Tensor) -> None:
    """Refuse channels whose mean is rounding noise, as in sound files."""
    energy = channels.double().square().mean(1).sum()
    if mix.double().square().sum() < LEAST_MIX * energy:
        raise AudioError(
            f"the {channels.shape[1]} channels of this audio cancel in their mean; give one of them"
        )


def _from_file(audio: Mapping[str, Any], read: Callable[[str], Read]) -> Read:
    """Read an audio value that was not decoded: the bytes of a file, or its path."""
    content, path = audio.get("bytes"), audio.get("path")
    if content is None and not path:
        raise ArgumentError(
            f"a dict of audio with {', '.join(map(str, audio)) or 'nothing'!s:.200} holds no "
            "sound: give array and sampling_rate, or path"
        )
    if content is None:
        return read(str(path))
    with tempfile.TemporaryDirectory() as folder:
        name = Path(path or "audio").name
        file = Path(folder, name)
        file.write_bytes(content)
        try:
            return read(str(file))
        except AudioError as error:
            raise AudioError(str(error).replace(str(file), name)) from error
