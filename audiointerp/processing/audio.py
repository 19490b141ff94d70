"""Reading and writing sound files as tensors.

A clip is a float tensor ``(N, 1, L)``: clips, one channel, samples, nominally in [-1, 1]. Sample
rates are in Hz, durations in seconds. soundfile reads and writes the files (WAV, FLAC, Ogg Vorbis,
MP3 and more).
"""

import os
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ..errors import ArgumentError, AudioError, choose
from ..util import atomic_write
from .reading import MAX_SAMPLES, read_sound
from .resampling import resample

NORMALIZATIONS = ("none", "peak", "rms")


def mono(wav: Tensor) -> Tensor:
    """Average the channels: ``(N, C, L)`` to ``(N, 1, L)``.

    >>> mono(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])).tolist()
    [[[0.5, 0.0]]]
    """
    return wav.mean(dim=-2, keepdim=True)


def normalized(wav: Tensor, method: str = "peak") -> Tensor:
    """Scale each clip to a largest |sample| of 1 (``"peak"``) or an RMS of 1 (``"rms"``).

    Silent clips stay silent; ``"none"`` returns the clips unchanged.

    >>> normalized(torch.tensor([[[0.0, -0.25]]])).tolist()
    [[[0.0, -1.0]]]
    """
    choose("normalization", method, NORMALIZATIONS)
    if method == "none":
        return wav
    if method == "peak":
        level = wav.abs().amax(-1, keepdim=True)
    else:
        # A float32 sum depends on the number of threads. Resumed runs compare clips by their
        # bytes, so the sum is taken in float64.
        level = wav.double().square().mean(-1, keepdim=True).sqrt().to(wav.dtype)
    return wav / torch.where(level > 0, level, torch.ones_like(level))


def fix_length(wav: Tensor, length: int) -> Tensor:
    """Cut the end, or append silence, so that the last axis has ``length`` samples.

    >>> fix_length(torch.ones(1, 1, 2), 3).tolist()
    [[[1.0, 1.0, 0.0]]]
    """
    return torch.nn.functional.pad(wav[..., :length], (0, max(0, length - wav.shape[-1])))


def load_audio(
    path: str | os.PathLike[str], sample_rate: int | None = None, *, normalize: str = "peak"
) -> Tensor:
    """Read a sound file as one mono clip. All sound files are read by this function.

    Args:
        path: a file that soundfile can read.
        sample_rate: the rate to resample to, in Hz; the file's own rate by default.
        normalize: ``"peak"`` (as in the training of this library's networks), ``"rms"`` or
            ``"none"``.

    Returns:
        ``(1, 1, L)`` float32, finite, ``L > 0``.

    Raises:
        AudioError: the file is missing, empty, too large, not audio, damaged or truncated; or its
            rate, channels or samples exceed ``RATES``, ``MAX_CHANNELS``, ``MAX_SAMPLES`` or
            ``MAX_LEVEL``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    ...     load_audio(f"{folder}/clip.wav", 16000, normalize="none").shape
    torch.Size([1, 1, 1600])
    """
    path = Path(path)
    try:
        wav, rate = read_sound(path)
    except (OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        raise AudioError(f"{path}: not an audio file that can be read ({error})") from error
    if sample_rate is not None:
        if wav.shape[-1] * sample_rate > MAX_SAMPLES * rate:
            raise AudioError(
                f"{path}: {wav.shape[-1]} samples at {rate} Hz are more than {MAX_SAMPLES} at "
                f"{sample_rate} Hz; cut the file into clips"
            )
        wav = resample(wav, rate, sample_rate)
    return normalized(wav, normalize)


def save_audio(
    path: str | os.PathLike[str], wav: Tensor, sample_rate: int, *, subtype: str | None = None
) -> None:
    """Write one clip ``(1, 1, L)`` to a file, which appears only once it is complete.

    Args:
        path: the file; its suffix selects the format.
        wav: the clip.
        sample_rate: its rate in Hz.
        subtype: soundfile's name of the sample format, e.g. ``"PCM_16"``. The default for WAV is
            32-bit float, which does not clip peaks above 1 and keeps quiet parts exact.

    Raises:
        ArgumentError: ``wav`` is not a single mono clip, or is not finite.
        AudioInterpError: the folder is missing, the format is unknown, or writing fails.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.flac", torch.zeros(1, 1, 800), 8000)
    ...     os.listdir(folder)
    ['clip.flac']
    """
    path = Path(path)
    if wav.ndim != 3 or wav.shape[:2] != (1, 1):
        raise ArgumentError(
            f"save_audio takes one mono clip (1, 1, L), not a tensor of shape {tuple(wav.shape)}"
        )
    if not wav.isfinite().all():
        raise ArgumentError(f"{path}: not written, the clip has NaN or infinite samples")
    samples = wav[0, 0].detach().cpu().float().numpy()
    subtype = subtype or ("FLOAT" if path.suffix.lower() == ".wav" else None)
    with atomic_write(path) as part:
        try:
            soundfile.write(part, samples, sample_rate, subtype=subtype)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(f"{path}: cannot be written ({error})") from error
