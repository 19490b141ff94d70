"""Writing tensors as sound files."""

import os
from pathlib import Path

import soundfile
from torch import Tensor

from ..errors import ArgumentError, AudioError
from ..util import atomic_write
from .reading import MAX_CHANNELS

PEAK = 1 + 2**-15
"""The largest |sample| that an integer format holds, with one 16-bit step for rounding."""
# The formats that hold samples above 1.
_UNLIMITED = ("FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_III")


def save_audio(
    path: str | os.PathLike[str], wav: Tensor, sample_rate: int, *, subtype: str | None = None
) -> None:
    """Write one clip ``(1, C, L)`` to a file, which appears only once it is complete.

    Args:
        path: the file; its suffix selects the format.
        wav: the clip.
        sample_rate: its rate in Hz.
        subtype: soundfile's name of the sample format, e.g. ``"PCM_16"``. The default for WAV is
            32-bit float, which does not clip peaks above 1 and keeps quiet parts exact.

    Raises:
        ArgumentError: ``wav`` is not a single clip, or is not finite; or a format of integers
            would clip it, which has a |sample| above 1.
        AudioInterpError: the folder is missing, the format is unknown, or writing fails.

    >>> import tempfile
    >>> import torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.flac", torch.zeros(1, 1, 800), 8000)
    ...     os.listdir(folder)
    ['clip.flac']
    """
    path = Path(path)
    if wav.ndim != 3 or wav.shape[0] != 1 or not 1 <= wav.shape[1] <= MAX_CHANNELS:
        raise ArgumentError(
            f"save_audio takes one clip (1, C, L) of up to {MAX_CHANNELS} channels, not a tensor "
            f"of shape {tuple(wav.shape)}"
        )
    if not wav.isfinite().all():
        raise ArgumentError(f"{path}: not written, the clip has NaN or infinite samples")
    samples = wav[0].T.detach().cpu().float().numpy()
    subtype = subtype or ("FLOAT" if path.suffix.lower() == ".wav" else None)
    format_name = path.suffix[1:].upper()
    is_known = format_name in soundfile.available_formats()
    stored_as = subtype or (soundfile.default_subtype(format_name) if is_known else None)
    peak = float(abs(samples).max(initial=0))
    if stored_as not in (None, *_UNLIMITED) and peak > PEAK:
        raise ArgumentError(
            f"{path}: not written, {stored_as} would clip the largest |sample| of {peak:.6g} to 1; "
            "save WAV without a subtype (float), or scale the clip, e.g. normalized(wav)"
        )
    with atomic_write(path) as part:
        try:
            soundfile.write(part, samples, sample_rate, subtype=subtype)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            raise AudioError(f"{path}: cannot be written ({error})") from error
