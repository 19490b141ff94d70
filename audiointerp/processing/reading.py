"""Reading a sound file within limits of size and memory.

A header can state anything, so no memory is allocated from it: samples are decoded in blocks and
mixed to mono block by block. The decoded length is compared with the length that the container
states, so a truncated file is an error.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile
import torch
from torch import Tensor

from ..errors import AudioError
from .containers import ContainerInfo, examine

MAX_BYTES = 2**32
"""The largest file in bytes: the most that a RIFF header can state."""
MAX_SAMPLES = 2**28
"""The most samples of a clip, mixed to mono: 1 GiB as float32, 93 minutes at 48 kHz."""
MAX_CHANNELS = 256
"""The most channels: the largest microphone arrays; 7th-order ambisonics has 64."""
RATES = (100, 2**20)
"""The lowest and highest sample rate in Hz: infrasound; the most that FLAC can state."""
MAX_LEVEL = 2.0**40
"""The largest |sample|: admits 32-bit integers stored as floats; power stays finite in float32."""
BLOCK = 2**20
"""The values decoded at a time, over all channels: 4 MiB."""
# libsndfile's count of frames is 2^63 - 1 if the file does not state it.
_UNKNOWN = 2**62
_DAMAGED = "the file is damaged or truncated, get or export it again"


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read once from the start.

    soundfile seeks after each block of a seekable file, which resets an MP3 decoder.
    """

    def seekable(self) -> bool:
        return False


def read_sound(path: Path) -> tuple[Tensor, int]:
    """Read the samples of a file, averaged over its channels.

    Returns:
        The samples ``(1, 1, L)`` float32, and the sample rate in Hz.

    Raises:
        AudioError: the file is refused; see :func:`~audiointerp.processing.audio.load_audio`.
        OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError: the system or the
            decoder refuses it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/clip.wav", torch.zeros(80, 2).numpy(), 8000)
    ...     wav, rate = read_sound(Path(folder, "clip.wav"))
    >>> wav.shape, rate
    (torch.Size([1, 1, 80]), 8000)
    """
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")
    size = path.stat().st_size
    if size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    if size > MAX_BYTES:
        raise AudioError(
            f"{path}: {size} bytes are more than the limit of {MAX_BYTES}; cut the file into clips"
        )
    with path.open("rb") as file:
        info = examine(file)
        if info.fault:
            raise AudioError(f"{path}: {info.fault}; {_DAMAGED}")
        samples = bytearray()
        rate = 0
        for source in _sources(path, file, info):
            with _Stream(source) as stream:
                _check_header(path, stream)
                if rate not in (0, stream.samplerate):
                    raise AudioError(
                        f"{path}: chained sounds of {rate} and {stream.samplerate} Hz; export "
                        "them at one rate"
                    )
                rate = stream.samplerate
                _decode(path, stream, info, samples)
    if not samples:
        raise AudioError(f"{path}: the file has no samples")
    return torch.frombuffer(samples, dtype=torch.float32)[None, None], rate


def _sources(path: Path, file: BinaryIO, info: ContainerInfo) -> Iterator[str | io.BytesIO]:
    """The file, or each sound of a chained Ogg file, of which libsndfile reads only the first."""
    if len(info.links) < 2:
        yield str(path)
        return
    for start, end in info.links:
        file.seek(start)
        yield io.BytesIO(file.read(end - start))


def _check_header(path: Path, stream: _Stream) -> None:
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise AudioError(f"{path}: {stream.channels} channels are outside 1 to {MAX_CHANNELS}")
    if not RATES[0] <= stream.samplerate <= RATES[1]:
        raise AudioError(
            f"{path}: a rate of {stream.samplerate} Hz is outside {RATES[0]} to {RATES[1]} Hz"
        )
    if MAX_SAMPLES < stream.frames < _UNKNOWN:
        raise AudioError(_length_error(path, str(stream.frames)))


def _length_error(path: Path, count: str) -> str:
    return (
        f"{path}: {count} samples per channel are more than the limit of {MAX_SAMPLES}; cut the "
        "file into clips"
    )


def _decode(path: Path, stream: _Stream, info: ContainerInfo, samples: bytearray) -> None:
    """Append all samples, checked and mixed to mono, then check their number."""
    if soundfile.SoundFile.seekable(stream):
        # As soundfile.read does; without it libsndfile's MP3 decoder returns other samples.
        stream.seek(0)
    frames, count = max(1, BLOCK // stream.channels), 0
    while True:
        block = torch.from_numpy(stream.read(frames, dtype="float32", always_2d=True))
        peak = block.abs().amax() if len(block) else torch.zeros(())
        # Written so that a peak of NaN is refused, too.
        if not peak <= MAX_LEVEL:
            raise AudioError(
                f"{path}: NaN, infinity or a value above {MAX_LEVEL:.2g} in samples {count} to "
                f"{count + len(block) - 1}; export the file again"
            )
        samples += block.T.contiguous()[None].mean(dim=-2).numpy().tobytes()
        count += len(block)
        if len(samples) > 4 * MAX_SAMPLES:
            raise AudioError(_length_error(path, f"{len(samples) // 4} or more"))
        if len(block) < frames:
            break
    # For MP3, libsndfile may have guessed the length from the first bit rate.
    is_guess = stream.subtype.startswith("MPEG") or stream.frames >= _UNKNOWN
    stated = max(info.samples or 0, 0 if is_guess else stream.frames)
    if count < stated:
        raise AudioError(
            f"{path}: it should have {stated} samples per channel, but has {count}; {_DAMAGED}"
        )
