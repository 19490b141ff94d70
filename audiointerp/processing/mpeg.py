"""The length that an MP3 file states, or the length of its frames, and where joined files begin.

Many encoders put a Xing, Info or VBRI header, with the number of frames and bytes, into the first
frame. Without it libsndfile guesses the length from the first bit rate, so the frames are counted
here. Nothing is decoded.

A file can consist of several files, one after the other. libsndfile stops where the header of the
first one ends.
"""

from typing import BinaryIO, NamedTuple

from .container_info import ContainerInfo, read_bytes, read_number, size_fault, skip_tags

DECODER_DELAY = 529
"""The delay of an MP3 decoder in samples; players that trim the delay cut at least this."""
LEAST_FRAMES = 10
"""The frames after the stated size that are a sound of their own; fewer are a miscount."""
# In kbit/s for layer III, by the samples of a frame (1152: MPEG 1; 576: MPEG 2 and 2.5) and the 4
# bits of the header, from 1.
_BIT_RATES = {
    1152: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    576: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# In Hz, by the header's version: 3 is MPEG 1, 2 is MPEG 2, 0 is MPEG 2.5.
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# The header follows the side information, whose length depends on version, channels and checksum.
_XING_OFFSETS = (13, 15, 21, 23, 36, 38)


class MpegLength(NamedTuple):
    """The length of an MP3 file.

    >>> MpegLength(samples=1152, header="Xing", size=417).size
    417
    """

    samples: int = 0
    """The least number of samples per channel; 0 if unknown."""
    header: str = ""
    """The header that states the length."""
    size: int = 0
    """The size in bytes that the header states; 0 if it states none."""


def examine_mpeg(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Compare the stated sizes with the file's; find the sounds of files joined to one.

    Args:
        file: the file.
        start: the position of the first frame in bytes.
        size: the size of the file in bytes.

    >>> import io
    >>> examine_mpeg(io.BytesIO(b"no frame"), 0, 8).samples is None
    True
    """
    links: list[tuple[int, int]] = []
    samples = 0
    position: int | None = start
    while position is not None:
        begin = position
        length = mpeg_length(file, begin)
        fault = size_fault(f"{length.header} header", length.size, 0, size - begin)
        if fault:
            return ContainerInfo(fault=fault)
        samples += length.samples
        position = _next_sound(file, begin + length.size, size) if length.size else None
        links.append((begin, size if position is None else position))
    return ContainerInfo(samples or None, links=tuple(links) if len(links) > 1 else ())


def _next_sound(file: BinaryIO, position: int, size: int) -> int | None:
    """The position of the next sound's first frame, after the tags of both; None if none."""
    while True:
        tag = read_bytes(file, position, 8)
        after = skip_tags(file, position, size)
        if tag == b"APETAGEX":
            after = position + 32 + read_number(file, position + 12, 4, "little")
        elif tag[:3] == b"TAG":
            after = position + 128
        if after == position:
            break
        position = after
    has_length = bool(mpeg_length(file, position, count=False).header)
    if has_length or _count_frames(file, position) >= LEAST_FRAMES:
        return position
    return None


def mpeg_length(file: BinaryIO, start: int, *, count: bool = True) -> MpegLength:
    """Read the length that the first frame states, or count the frames.

    One frame is subtracted, since some encoders count the frame of the header itself.

    Args:
        file: the file.
        start: the position of the first frame in bytes.
        count: whether to count the frames if no header states their number.

    >>> import io
    >>> mpeg_length(io.BytesIO(b"no frame"), 0)
    MpegLength(samples=0, header='', size=0)
    """
    file.seek(start)
    head = file.read(256)
    frame_samples = _frame_length(head[:4])[0]
    if not frame_samples:
        return MpegLength()
    if head[36:40] == b"VBRI":
        frames = _number(head[50:54])
        samples = (frames - 2) * frame_samples - DECODER_DELAY
        return MpegLength(max(0, samples), "VBRI", _number(head[46:50]))
    for offset in _XING_OFFSETS:
        if head[offset : offset + 4] in (b"Xing", b"Info"):
            return _xing_length(head[offset:], frame_samples)
    if not count:
        return MpegLength()
    samples = (_count_frames(file, start) - 1) * frame_samples - DECODER_DELAY
    return MpegLength(max(0, samples))


def _xing_length(header: bytes, frame_samples: int) -> MpegLength:
    flags = _number(header[4:8])
    position = 8
    fields = []
    # The optional fields: frames, bytes, table of contents, quality.
    for bit, size in ((1, 4), (2, 4), (4, 100), (8, 4)):
        value = _number(header[position : position + min(size, 4)])
        fields.append(value if flags & bit else 0)
        position += size if flags & bit else 0
    # LAME's extension: 12 bits of the encoder's delay, 12 bits of its padding.
    trimmed = _number(header[position + 21 : position + 24])
    samples = (fields[0] - 1) * frame_samples - (trimmed >> 12)
    samples -= max(trimmed & 0xFFF, DECODER_DELAY)
    return MpegLength(max(0, samples), "Xing", fields[1])


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")


def _frame_length(head: bytes) -> tuple[int, int]:
    """The samples and bytes of the layer III frame with this header; ``(0, 0)`` if it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0, 0
    version, bit_rate, sample_rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in _SAMPLE_RATES or bit_rate in (0, 15) or sample_rate == 3:
        return 0, 0
    samples = 1152 if version == 3 else 576
    bits = samples * 125 * _BIT_RATES[samples][bit_rate - 1]
    padding = head[2] >> 1 & 1
    return samples, bits // _SAMPLE_RATES[version][sample_rate] + padding


def _count_frames(file: BinaryIO, position: int) -> int:
    """The number of consecutive frames from a position on."""
    count = 0
    file.seek(position)
    while length := _frame_length(file.read(4))[1]:
        position += length
        count += 1
        file.seek(position)
    return count
