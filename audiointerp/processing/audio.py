"""Sound files to tensors and back.

A sound is a float tensor ``(N, 1, L)``: clips, one channel, samples, nominally in [-1, 1]. Rates are in Hz, durations in
seconds. Files are read and written by soundfile (WAV, FLAC, Ogg Vorbis, MP3 and more).
"""

import os
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from ..errors import ArgumentError, AudioError, choose
from ..files import replacing
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
    level = wav.abs().amax(-1, keepdim=True) if method == "peak" else wav.square().mean(-1, keepdim=True).sqrt()
    return wav / torch.where(level > 0, level, torch.ones_like(level))


def fix_length(wav: Tensor, length: int) -> Tensor:
    """Cut the end, or append silence, until the last axis has ``length`` samples.

    >>> fix_length(torch.ones(1, 1, 2), 3).tolist()
    [[[1.0, 1.0, 0.0]]]
    """
    return torch.nn.functional.pad(wav[..., :length], (0, max(0, length - wav.shape[-1])))


def load_audio(path: str | os.PathLike[str], sample_rate: int | None = None, *, normalize: str = "peak") -> Tensor:
    """Read a sound file as one mono clip.

    Args:
        path: a file that soundfile reads.
        sample_rate: the rate to resample to, in Hz; the file's own by default.
        normalize: ``"peak"`` (as the networks of this library were trained), ``"rms"`` or ``"none"``.

    Returns:
        ``(1, 1, L)`` float32.

    Raises:
        AudioError: the file is missing, empty, not audio, or holds a sample that is not finite.

    >>> import tempfile
    >>> path = tempfile.gettempdir() + "/audiointerp-doctest.wav"
    >>> save_audio(path, torch.full((1, 1, 800), 0.5), 8000)
    >>> load_audio(path, 16000, normalize="none").shape
    torch.Size([1, 1, 1600])
    """
    samples, rate = _read(Path(path))
    wav = mono(torch.from_numpy(samples.T.copy())[None])
    if not wav.isfinite().all():
        raise AudioError(f"{path}: its samples are too large to be averaged over the channels; export the file again")
    if sample_rate is not None:
        wav = resample(wav, rate, sample_rate)
    return normalized(wav, normalize)


def _read(path: Path) -> tuple[Any, int]:
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise AudioError(f"{path}: not an audio file that can be read ({error})") from error
    if samples.shape[0] == 0:
        raise AudioError(f"{path}: the file holds no samples")
    bad = (~torch.from_numpy(samples).isfinite()).sum().item()
    if bad:
        raise AudioError(f"{path}: {bad} of its {samples.size} samples are NaN or infinite; export the file again")
    return samples, rate


def save_audio(path: str | os.PathLike[str], wav: Tensor, sample_rate: int) -> None:
    """Write one clip ``(1, 1, L)``; the ending of ``path`` names the format.

    WAV files hold 32-bit float samples, so a quiet kept part loses nothing and a peak above 1 is not clipped. The file
    appears under its name only when it is complete.

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
    subtype = "FLOAT" if path.suffix.lower() == ".wav" else None
    with replacing(path) as part:
        try:
            soundfile.write(part, samples, sample_rate, subtype=subtype)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(f"{path}: cannot be written ({error})") from error
