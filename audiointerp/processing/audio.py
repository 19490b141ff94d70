"""Sound files to tensors and back.

A sound is a float tensor ``(N, 1, L)``: clips, one channel, samples, nominally in [-1, 1]. Rates are in Hz, durations in
seconds. Files are read and written by soundfile (WAV, FLAC, Ogg Vorbis, MP3 and more).
"""

import os
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ..errors import ArgumentError, AudioError, choose
from ..files import replacing
from .reading import MAX_SAMPLES, read_sound
from .resampling import resample

NORMALIZATIONS = ("none", "peak", "rms")


def mono(wav: Tensor) -> Tensor:
    """Mean over the channels: ``(N, C, L)`` to ``(N, 1, L)``.

    >>> mono(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])).tolist()
    [[[0.5, 0.0]]]
    """
    return wav.mean(dim=-2, keepdim=True)


def normalized(wav: Tensor, method: str = "peak") -> Tensor:
    """Scale each clip to a largest |sample| of 1 (``"peak"``) or to a root mean square of 1 (``"rms"``).

    A silent clip stays as it is: it has no level to normalise.

    >>> normalized(torch.tensor([[[0.0, -0.25]]])).tolist()
    [[[0.0, -1.0]]]
    """
    choose("normalization", method, NORMALIZATIONS)
    if method == "none":
        return wav
    if method == "peak":
        level = wav.abs().amax(-1, keepdim=True)
    else:  # in float64: a sum in float32 depends on how many threads share it, and a resumed run knows a sound by its bytes
        level = wav.double().square().mean(-1, keepdim=True).sqrt().to(wav.dtype)
    return wav / torch.where(level > 0, level, torch.ones_like(level))


def fix_length(wav: Tensor, length: int) -> Tensor:
    """Cut the end, or append silence, until the last axis has ``length`` samples.

    >>> fix_length(torch.ones(1, 1, 2), 3).tolist()
    [[[1.0, 1.0, 0.0]]]
    """
    return torch.nn.functional.pad(wav[..., :length], (0, max(0, length - wav.shape[-1])))


def load_audio(path: str | os.PathLike[str], sample_rate: int | None = None, *, normalize: str = "peak") -> Tensor:
    """Read a sound file as one mono clip; the one gate through which every sound comes in.

    Args:
        path: a file that soundfile reads.
        sample_rate: the rate to resample to, in Hz; the file's own by default.
        normalize: ``"peak"`` (as the networks of this library were trained), ``"rms"`` or ``"none"``.

    Returns:
        ``(1, 1, L)`` float32, finite, ``L > 0``.

    Raises:
        AudioError: the file is missing, empty, too large, not audio, damaged, or shorter than its container states; or
            its rate, channels or samples are beyond ``RATES``, ``MAX_CHANNELS``, ``MAX_SAMPLES``, ``MAX_LEVEL``.

    >>> import tempfile
    >>> path = tempfile.gettempdir() + "/audiointerp-doctest.wav"
    >>> save_audio(path, torch.full((1, 1, 800), 0.5), 8000)
    >>> load_audio(path, 16000, normalize="none").shape
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
                f"{path}: {wav.shape[-1]} samples at {rate} Hz are more than {MAX_SAMPLES} at {sample_rate} Hz; cut it"
            )
        wav = resample(wav, rate, sample_rate)
    return normalized(wav, normalize)


def save_audio(path: str | os.PathLike[str], wav: Tensor, sample_rate: int, *, subtype: str | None = None) -> None:
    """Write one clip ``(1, 1, L)``; the ending of ``path`` names the format.

    WAV files hold 32-bit float samples, so a quiet kept part loses nothing and a peak above 1 is not clipped; or what
    ``subtype`` says in soundfile's words, ``"PCM_16"`` say. The file appears under its name only when it is complete.

    Raises:
        ArgumentError: ``wav`` is not a single mono clip, or is not finite.
        AudioInterpError: the folder is missing, the format is unknown, or the system refuses.
    """
    path = Path(path)
    if wav.ndim != 3 or wav.shape[:2] != (1, 1):
        raise ArgumentError(f"save_audio takes one mono clip (1, 1, L), not a tensor of shape {tuple(wav.shape)}")
    if not wav.isfinite().all():
        raise ArgumentError(f"{path}: not written, the sound holds NaN or infinite samples")
    samples = wav[0, 0].detach().cpu().float().numpy()
    subtype = subtype or ("FLOAT" if path.suffix.lower() == ".wav" else None)
    with replacing(path) as part:
        try:
            soundfile.write(part, samples, sample_rate, subtype=subtype)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(f"{path}: cannot be written ({error})") from error
