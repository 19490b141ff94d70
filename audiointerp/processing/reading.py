"""The gate for sound files: what is let in, within which bounds, and how it is read in bounded memory.

A header can claim anything, so nothing is allocated from a claim: samples are decoded in blocks and mixed to mono as they
come. What a file holds is compared with what its container states, so that a part is never taken for the whole.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile
import torch
from torch import Tensor

from ..errors import AudioError
from .containers import Stated, examine

MAX_BYTES = 2**32
"""The size of a file: the most that a RIFF header can state; an hour of 8 channels of 24 bits at 48 kHz has 4.1e9."""
MAX_SAMPLES = 2**28
"""The samples of a clip, mixed to mono: 1 GiB as float32, 93 minutes at 48 kHz."""
MAX_CHANNELS = 256
"""The largest microphone arrays; ambisonics of the seventh order has 64."""
RATES = (100, 2**20)
"""Lowest and highest sample rate in Hz: infrasound, and the most that FLAC can state. Ultrasound is recorded at 5e5."""
MAX_LEVEL = 2.0**40
"""The largest |sample|: integers of 32 bits kept as floats pass, and the power of a spectrum stays finite in float32."""
BLOCK = 2**20
"""Values decoded at a time, over all channels: 4 MiB."""
_UNKNOWN = 2**62  # libsndfile's count of frames where the file does not say is 2^63 - 1


class _Stream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file read once from the start: soundfile would seek after each block, which resets an MP3 decoder."""

    def seekable(self) -> bool:
        return False


def read_sound(path: Path) -> tuple[Tensor, int]:
    """The samples of a file, mean over its channels, ``(1, 1, L)`` float32, and its rate in Hz.

    Raises:
        AudioError: the file is refused; see :func:`~audiointerp.processing.load_audio`.
        OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError: the system or the decoder refuses it.
    """
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")
    size = path.stat().st_size
    if size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    if size > MAX_BYTES:
        raise AudioError(f"{path}: {size} bytes are more than the {MAX_BYTES} that are read; cut it into clips")
    with path.open("rb") as file:
        stated = examine(file)
        if stated.fault:
            raise AudioError(f"{path}: {stated.fault}; the file is damaged or incomplete, get or export it again")
        samples = bytearray()
        rate = 0
        for sound in _sounds(path, file, stated):
            with _Stream(sound) as stream:
                _check_header(path, stream)
                if rate not in (0, stream.samplerate):
                    raise AudioError(f"{path}: chained sounds of {rate} and {stream.samplerate} Hz; make them one rate")
                rate = stream.samplerate
                _append(path, stream, stated, samples)
    if not samples:
        raise AudioError(f"{path}: the file holds no samples")
    return torch.frombuffer(samples, dtype=torch.float32)[None, None], rate


def _sounds(path: Path, file: BinaryIO, stated: Stated) -> Iterator[str | io.BytesIO]:
    """The file, or each sound of a chained Ogg file: libsndfile reads the first alone and does not say so."""
    if len(stated.links) < 2:
        yield str(path)
        return
    for start, end in stated.links:
        file.seek(start)
        yield io.BytesIO(file.read(end - start))


def _check_header(path: Path, stream: _Stream) -> None:
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise AudioError(f"{path}: {stream.channels} channels are outside 1 to {MAX_CHANNELS}")
    if not RATES[0] <= stream.samplerate <= RATES[1]:
        raise AudioError(f"{path}: a rate of {stream.samplerate} Hz is outside {RATES[0]} to {RATES[1]} Hz")
    if MAX_SAMPLES < stream.frames < _UNKNOWN:
        raise AudioError(_too_long(path, f"states {stream.frames} samples"))


def _too_long(path: Path, found: str) -> str:
    return f"{path}: {found} of each channel, more than the {MAX_SAMPLES} that are read; cut it into clips"


def _append(path: Path, stream: _Stream, stated: Stated, samples: bytearray) -> None:
    """Decode to the end, each block checked and mixed to mono; then compare the length with what was stated."""
    if soundfile.SoundFile.seekable(stream):
        stream.seek(0)  # as soundfile.read does: without it libsndfile's MP3 decoder gives other samples
    frames, count = max(1, BLOCK // stream.channels), 0
    while True:
        block = torch.from_numpy(stream.read(frames, dtype="float32", always_2d=True))
        loud = block.abs().amax() if len(block) else torch.zeros(())
        if not loud <= MAX_LEVEL:  # a NaN is not
            raise AudioError(
                f"{path}: among its samples {count} to {count + len(block) - 1} are some that are NaN, infinite or beyond "
                f"{MAX_LEVEL:.2g}; export the file again"
            )
        samples += block.T.contiguous()[None].mean(dim=-2).numpy().tobytes()
        count += len(block)
        if len(samples) > 4 * MAX_SAMPLES:
            raise AudioError(_too_long(path, "holds more samples"))
        if len(block) < frames:
            break
    guessed = stream.subtype.startswith("MPEG")  # libsndfile may take the length from the first bit rate
    promised = max(stated.samples or 0, 0 if guessed or stream.frames >= _UNKNOWN else stream.frames)
    if count < promised:
        raise AudioError(
            f"{path}: its container promises {promised} samples of each channel, {count} can be read; the file is damaged "
            "or incomplete, get or export it again"
        )
