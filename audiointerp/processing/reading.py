"""Reading a sound file within limits of size and memory.

A header can state anything, so no memory is allocated from it: samples are decoded in blocks and
mixed to mono block by block. The decoded length is compared with the length that the container
states, so a truncated file is an error. Where the container states too little, or a length that was
never filled in, or where files were joined, a note says what was read.
"""

import io
import math
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import soundfile
import torch
from torch import Tensor

from ..errors import AudioError
from .bad_samples import bad_sample
from .container_info import ContainerInfo
from .containers import examine

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
LEAST_MIX = 1e-6
"""The least power of the mono mix, as a share of the mean power of the channels: -60 dB."""
# libsndfile's count of frames is 2^63 - 1 if the file does not state it.
_UNKNOWN = 2**62
_DAMAGED = "the file is damaged or truncated, get or export it again"


class Sound(NamedTuple):
    """The samples of a file, and what is doubtful about them.

    >>> Sound(torch.zeros(1, 1, 80), 8000).notes
    ()
    """

    wav: Tensor
    """``(1, 1, L)`` float32, averaged over the channels; or all of these, ``(1, C, L)``."""
    rate: int
    """The sample rate in Hz."""
    notes: tuple[str, ...] = ()
    """What is doubtful about the length."""
    cancellation: str | None = None
    """How the channels cancel in their mean; None if they do not."""


class _Stream(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read once from the start.

    soundfile seeks after each block of a seekable file, which resets an MP3 decoder.
    """

    def seekable(self) -> bool:
        return False


class _Patched(io.RawIOBase):
    """A file that has other bytes at one position."""

    def __init__(self, file: BinaryIO, position: int, content: bytes) -> None:
        self._file, self._position, self._content = file, position, content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        start = self._file.tell()
        content = bytearray(self._file.read(len(buffer)))
        for place, value in enumerate(self._content, self._position - start):
            if 0 <= place < len(content):
                content[place] = value
        buffer[: len(content)] = bytes(content)
        return len(content)


class Energy(NamedTuple):
    """The sums of the squares of the mono mix, and of the channels, averaged over these.

    >>> block = torch.tensor([[1.0, -1.0], [0.5, -0.5]])
    >>> Energy().plus(block, mixed(block)).cancellation
    'its channels cancel, their mean is silent'
    """

    mix: float = 0.0
    channels: float = 0.0

    def plus(self, block: Tensor, mix: Tensor) -> "Energy":
        """Add a block ``(n, C)`` and its mix."""
        if block.shape[1] == 1:
            return self
        channels = float(block.double().square().mean(dim=1).sum())
        return Energy(self.mix + float(mix.double().square().sum()), self.channels + channels)

    @property
    def cancellation(self) -> str | None:
        """How the channels cancel in their mean; None if they do not."""
        if self.mix >= LEAST_MIX * self.channels:
            return None
        if self.mix == 0:
            return "its channels cancel, their mean is silent"
        level = -10 * math.log10(self.mix / self.channels)
        return f"its channels cancel, their mean is {level:.0f} dB below their own level"


def read_sound(path: Path, mixes: bool = True) -> Sound:
    """Read the samples of a file, averaged over its channels or, unless ``mixes``, as they are.

    Raises:
        AudioError: the file is refused; see :func:`~audiointerp.processing.audio.load_audio`.
        OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError: the system or the
            decoder refuses it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/clip.wav", torch.zeros(80, 2).numpy(), 8000)
    ...     sound = read_sound(Path(folder, "clip.wav"))
    >>> sound.wav.shape, sound.rate
    (torch.Size([1, 1, 80]), 8000)
    """
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise AudioError(
            f"{path}: {path.stat().st_size} bytes are more than the limit of {MAX_BYTES}; cut the "
            "file into clips"
        )
    samples = bytearray()
    rate, channels, energy = 0, 0, Energy()
    blocks = sound_blocks(path, MAX_SAMPLES)
    while True:
        try:
            block, rate = next(blocks)
        except StopIteration as end:
            notes: tuple[str, ...] = end.value
            break
        if not mixes and channels not in (0, block.shape[1]):
            raise AudioError(f"{path}: chained sounds of {channels} and {block.shape[1]} channels")
        channels = 1 if mixes else block.shape[1]
        mix = mixed(block)
        samples += (mix if mixes else block).numpy().tobytes()
        energy = energy.plus(block, mix)
        if len(samples) > 4 * MAX_SAMPLES:
            count = len(samples) // (4 * channels)
            raise AudioError(_length_error(path, f"{count} or more"))
    wav = torch.frombuffer(samples, dtype=torch.float32).view(-1, channels).T.contiguous()[None]
    return Sound(wav, rate, notes, energy.cancellation)


def mixed(block: Tensor) -> Tensor:
    """Average a block ``(n, C)`` over its channels, ``(1, 1, n)``.

    >>> mixed(torch.tensor([[1.0, 0.0]]))
    tensor([[[0.5000]]])
    """
    return block.T.contiguous()[None].mean(dim=-2, keepdim=True)


def sound_blocks(
    path: Path, most: int | None = None
) -> Generator[tuple[Tensor, int], None, tuple[str, ...]]:
    """Decode a file in blocks; what is doubtful about its length is returned at the end.

    Args:
        path: the file.
        most: the most samples per channel that its header may state; None for any number.

    Returns:
        The notes, see :class:`Sound`. It yields blocks ``(n, C)`` float32, n > 0, with the sample
        rate in Hz, the same for all blocks.

    Raises:
        AudioError: the file is refused, possibly after the last block, where samples are missing.
        OSError, soundfile.SoundFileError, RuntimeError, TypeError, ValueError: as in
            :func:`read_sound`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/clip.wav", torch.zeros(80, 2).numpy(), 8000)
    ...     [(block.shape, rate) for block, rate in sound_blocks(Path(folder, "clip.wav"))]
    [(torch.Size([80, 2]), 8000)]
    """
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; give one of its sound files")
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes)")
    with path.open("rb") as file:
        info = examine(file)
        if info.fault:
            raise AudioError(f"{path}: {info.fault}; {_DAMAGED}")
        rate, count = 0, 0
        for source in _sources(path, file, info):
            with _Stream(source) as stream:
                _check_header(path, stream, most)
                if rate not in (0, stream.samplerate):
                    raise AudioError(
                        f"{path}: chained sounds of {rate} and {stream.samplerate} Hz; export "
                        "them at one rate"
                    )
                rate = stream.samplerate
                for block in _decoded(path, stream, count):
                    count += len(block)
                    yield block, rate
    if not count:
        raise AudioError(f"{path}: the file has no samples")
    _check_count(path, count, info.samples or 0)
    notes = [info.note] if info.note else []
    if info.patch and info.samples and not info.note and count > info.samples:
        notes.append(f"its header states {info.samples} samples per channel, and {count} are there")
    return tuple(notes)


def _sources(path: Path, file: BinaryIO, info: ContainerInfo) -> Iterator[str | io.IOBase]:
    """The file, or each sound of a chained file, of which libsndfile reads only the first."""
    if len(info.links) > 1:
        for start, end in info.links:
            file.seek(start)
            yield io.BytesIO(_patched(file.read(end - start), start, info.patch))
    elif info.patch:
        # soundfile reads a file object from where it is.
        file.seek(0)
        yield _Patched(file, *info.patch)
    else:
        yield str(path)


def _patched(content: bytes, start: int, patch: tuple[int, bytes] | None) -> bytes:
    """Replace the bytes of the patch in a part of a file that begins at ``start``."""
    if patch is None or not start <= patch[0] < start + len(content):
        return content
    place = patch[0] - start
    return content[:place] + patch[1] + content[place + len(patch[1]) :]


def _check_header(path: Path, stream: _Stream, most: int | None) -> None:
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise AudioError(f"{path}: {stream.channels} channels are outside 1 to {MAX_CHANNELS}")
    if not RATES[0] <= stream.samplerate <= RATES[1]:
        raise AudioError(
            f"{path}: a rate of {stream.samplerate} Hz is outside {RATES[0]} to {RATES[1]} Hz"
        )
    if most is not None and most < stream.frames < _UNKNOWN:
        raise AudioError(_length_error(path, str(stream.frames)))


def _length_error(path: Path, count: str) -> str:
    return (
        f"{path}: {count} samples per channel are more than the limit of {MAX_SAMPLES}; cut the "
        "file into clips"
    )


def _decoded(path: Path, stream: _Stream, before: int) -> Iterator[Tensor]:
    """Give all samples in blocks ``(n, C)``, check them and their number; ``before`` came first."""
    if soundfile.SoundFile.seekable(stream):
        # As soundfile.read does; without it libsndfile's MP3 decoder returns other samples.
        stream.seek(0)
    frames, count = max(1, BLOCK // stream.channels), 0
    while True:
        block = torch.from_numpy(stream.read(frames, dtype="float32", always_2d=True))
        if fault := bad_sample(block, MAX_LEVEL, before + count, stream.samplerate):
            raise AudioError(f"{path}: {fault}; export the file again")
        count += len(block)
        if len(block):
            yield block
        if len(block) < frames:
            break
    # For MP3, libsndfile may have guessed the length from the first bit rate.
    is_guess = stream.subtype.startswith("MPEG") or stream.frames >= _UNKNOWN
    _check_count(path, count, 0 if is_guess else stream.frames)


def _check_count(path: Path, count: int, stated: int) -> None:
    if count < stated:
        raise AudioError(
            f"{path}: it should have {stated} samples per channel, but has {count}; {_DAMAGED}"
        )
