"""Reading sound files as tensors.

A clip is a float tensor ``(N, 1, L)``: clips, one channel, samples, nominally in [-1, 1]. Sample
rates are in Hz, durations in seconds. soundfile reads the files (WAV, FLAC, Ogg Vorbis, MP3 and
more).
"""

import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import soundfile
import torch
from torch import Tensor

from ..errors import AudioError, AudioWarning, choose
from ..util import Cache, CacheChoice, digest_of, file_digest, open_cache
from .reading import MAX_SAMPLES, Sound, read_sound
from .resampling import check_rates, resample

NORMALIZATIONS = ("none", "peak", "rms")
MAKERS = ("audiointerp", "soundfile", "soxr", "torch", "torchaudio")
"""The packages whose code decodes, mixes and resamples a sound."""
UNREADABLE_ENDINGS = frozenset(
    {".3gp", ".aac", ".amr", ".ape", ".m4a", ".m4b", ".mka", ".mov", ".mp4", ".webm", ".wma", ".wv"}
)
"""The endings of sound files that soundfile cannot decode; ffmpeg converts them."""


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
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    *,
    normalize: str = "peak",
    strict: bool = False,
    cache: CacheChoice = None,
) -> Tensor:
    """Read a sound file as one mono clip. All sound files are read by this function.

    An ``AudioWarning`` says where the file may hold less or more than was read (see
    ``docs/files.md``), or where its channels cancel.

    Args:
        path: a file that soundfile can read.
        sample_rate: the rate to resample to, in Hz; the file's own rate by default.
        normalize: ``"peak"`` (as in the training of this library's networks), ``"rms"`` or
            ``"none"``.
        strict: whether to refuse what gives a warning.
        cache: where decoded and resampled sounds are kept, by the content of their files, see
            :func:`~audiointerp.util.open_cache`; by default nowhere, unless the environment
            variable ``AUDIOINTERP_CACHE`` says so. What gives a warning is not kept.

    Returns:
        ``(1, 1, L)`` float32, finite, ``L > 0``.

    Raises:
        AudioError: the file is missing, empty, too large, not audio, damaged or truncated; or its
            rate, channels or samples exceed ``RATES``, ``MAX_CHANNELS``, ``MAX_SAMPLES`` or
            ``MAX_LEVEL``; or its channels cancel, and their mean, which is rounding noise, would
            be normalised.
        ArgumentError: ``sample_rate`` is not a positive integer, or a name is unknown.

    >>> import tempfile
    >>> from audiointerp.processing import save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    ...     load_audio(f"{folder}/clip.wav", 16000, normalize="none").shape
    torch.Size([1, 1, 1600])
    """
    choose("normalization", normalize, NORMALIZATIONS)
    refuses_cancellation = strict or normalize != "none"
    path, kept = Path(path), open_cache(cache)
    wav = _read(path, sample_rate, strict, refuses_cancellation, kept, stacklevel=3)
    return normalized(wav, normalize)


def load_levels(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    *,
    normalize: str = "peak",
    cache: CacheChoice = None,
) -> Tensor:
    """Read a sound file with its own level, for a caller who cuts it and then normalises it.

    Args:
        path: a file that soundfile can read.
        sample_rate: the rate to resample to, in Hz.
        normalize: how the caller normalises; other than by ``"none"``, the file is refused if its
            channels cancel, as in :func:`load_audio`.
        cache: see :func:`load_audio`.

    Returns:
        ``(1, 1, L)`` float32, finite, ``L > 0``.

    Raises:
        AudioError: see :func:`load_audio`.

    >>> import tempfile
    >>> from audiointerp.processing import save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.full((1, 1, 800), 0.5), 8000)
    ...     float(load_levels(f"{folder}/clip.wav").max())
    0.5
    """
    kept = open_cache(cache)
    return _read(Path(path), sample_rate, False, normalize != "none", kept, stacklevel=4)


def load_channels(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """Read a sound file as it is: all channels, at its own rate and level.

    There are no warnings; :func:`load_audio` gives them. All channels together may have as many
    samples as a mono clip.

    Returns:
        ``(1, C, L)`` float32, finite, and the sample rate in Hz.

    Raises:
        AudioError: see :func:`load_audio`.

    >>> import tempfile
    >>> from audiointerp.processing import save_audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_audio(f"{folder}/clip.wav", torch.rand(1, 2, 800), 8000)
    ...     wav, rate = load_channels(f"{folder}/clip.wav")
    >>> wav.shape, rate
    (torch.Size([1, 2, 800]), 8000)
    """
    sound = _decoded(Path(path), mixes=False)
    return sound.wav, sound.rate


def _decoded(path: Path, mixes: bool = True) -> Sound:
    """Read what the file holds, or say why it cannot be read."""
    with readable(path):
        return read_sound(path, mixes)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say that a file cannot be read, and what to do, where the system or the decoder refuses it.

    Raises:
        AudioError: it is refused.

    >>> with readable(Path("song.wav")):
    ...     raise ValueError("unknown format")
    Traceback (most recent call last):
    audiointerp.errors.AudioError: song.wav: not an audio file that can be read (unknown format)
    """
    try:
        yield
    except (OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        hint = ""
        if path.suffix.lower() in UNREADABLE_ENDINGS:
            hint = f"; convert it: {conversion(path)}"
        raise AudioError(f"{path}: not an audio file that can be read ({error}){hint}") from error


def _read(
    path: Path,
    sample_rate: int | None,
    strict: bool,
    refuse_cancellation: bool,
    cache: Cache | None,
    stacklevel: int,
) -> Tensor:
    """Read, resample, and warn or refuse; a sound without warnings is kept in the cache."""
    if sample_rate is not None:
        check_rates(sample_rate)
    key = None if cache is None else _cache_key(path, sample_rate)
    if cache is not None and key is not None:
        wav = cache.get(key)
        if wav is not None:
            return wav
    sound = _decoded(path)
    wav, rate = sound.wav, sound.rate
    warn_or_refuse(
        path,
        sound.notes,
        sound.cancellation,
        wav.shape[-1] / rate,
        strict,
        refuse_cancellation,
        stacklevel + 1,
    )
    if sample_rate is not None:
        if wav.shape[-1] * sample_rate > MAX_SAMPLES * rate:
            raise AudioError(
                f"{path}: {wav.shape[-1]} samples at {rate} Hz are more than {MAX_SAMPLES} at "
                f"{sample_rate} Hz; cut the file into clips"
            )
        wav = resample(wav, rate, sample_rate)
    is_clean = not sound.notes and not sound.cancellation
    # The file may have been written while it was read.
    if cache is not None and key is not None and is_clean and _cache_key(path, sample_rate) == key:
        cache.put(key, wav)
    return wav


def _cache_key(path: Path, sample_rate: int | None) -> str | None:
    """Return what a decoded and resampled sound depends on; None if the file cannot be read."""
    try:
        content = file_digest(path)
    except OSError:
        return None
    versions = [soundfile.__libsndfile_version__, *map(version, MAKERS)]
    return digest_of("sound", content, path.suffix.lower(), sample_rate, versions)


def warn_or_refuse(
    path: Path,
    notes: tuple[str, ...],
    cancellation: str | None,
    seconds: float,
    strict: bool,
    refuse_cancellation: bool,
    stacklevel: int,
) -> None:
    """Warn of what is doubtful about a file that was read, or refuse it.

    Raises:
        AudioError: the file is refused.

    >>> warn_or_refuse(Path("a.wav"), (), None, 1.0, True, True, 2)
    """
    for note in notes:
        text = f"{path}: {note}; read {seconds:.6g} s"
        if strict:
            raise AudioError(f"{text}; strict=True refuses the file, export it again")
        warnings.warn(
            f"{text}; export the file again if sound is missing (strict=True refuses it)",
            AudioWarning,
            stacklevel=stacklevel,
        )
    if cancellation:
        text = f"{path}: {cancellation}; export one of them as a mono file"
        if refuse_cancellation:
            raise AudioError(text)
        warnings.warn(text, AudioWarning, stacklevel=stacklevel)


def conversion(path: Path) -> str:
    """The command that converts a file which soundfile cannot decode.

    >>> conversion(Path("dog bark.m4a"))
    "ffmpeg -i 'dog bark.m4a' 'dog bark.wav'"
    """
    return shlex.join(["ffmpeg", "-i", path.name, path.with_suffix(".wav").name])
