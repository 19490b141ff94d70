"""Detection of truncated sound files, by the length that their containers state.

A decoder reads what is there: a WAV file cut in half gives half the sound, without an error. The
containers checked here are WAV (RIFF, RIFX, RF64) and AIFF (size of the chunk with the samples),
FLAC (samples in STREAMINFO), Ogg (checksums, page numbers, end-of-stream flag) and MP3 (see
``mpeg``), each also after ID3v2 tags. Any other file that soundfile reads (W64, CAF, AU, ...) is
not checked. Nothing is decoded. Sizes are in bytes, samples are per channel.
"""

import os
import zlib
from typing import BinaryIO, Literal, NamedTuple

from .mpeg import mpeg_length

MAX_CHUNKS = 10_000
"""The number of chunks read in search of the samples; real files have a dozen."""
SOX_PIPE = range(0x7FFFE000, 0x7FFFF001)
"""The sizes that SoX writes into a pipe, where it cannot know the length."""
# The byte order of the containers that consist of chunks.
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {
    b"RIFF": "little",
    b"RIFX": "big",
    b"RF64": "little",
    b"FORM": "big",
}
_REVERSED_BITS = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


class ContainerInfo(NamedTuple):
    """What a container states about its content.

    >>> ContainerInfo(samples=8000).fault is None
    True
    """

    samples: int | None = None
    """The least number of samples per channel; None if the container does not state it."""
    fault: str | None = None
    """How the file contradicts its container; None if it does not."""
    links: tuple[tuple[int, int], ...] = ()
    """The start and end of each sound of an Ogg file; chained files have several."""


def examine(file: BinaryIO) -> ContainerInfo:
    """Compare the length that the container states with the bytes of the file.

    A length that the writer could not know is not checked: a RIFF size of 0xFFFFFFFF, SoX's size in
    pipes, 0 samples in FLAC's STREAMINFO. Chunks after the samples may be truncated, and a padding
    byte may be missing.

    >>> import io
    >>> header = b"RIFF" + bytes([44, 0, 0, 0]) + b"WAVE" + b"data" + bytes([8, 0, 0, 0])
    >>> examine(io.BytesIO(header + bytes(8))).fault is None
    True
    >>> examine(io.BytesIO(header + bytes(6))).fault
    'its data chunk should have 8 bytes, but has 6'
    """
    size = file.seek(0, os.SEEK_END)
    start = _skip_tags(file, size)
    magic = _read(file, start, 4)
    if magic in _BYTE_ORDERS:
        return _examine_chunks(file, start, size, magic)
    if magic == b"fLaC":
        return ContainerInfo(_read_number(file, start + 18, 8, "big") & 0xFFFFFFFF or None)
    if magic == b"OggS":
        return _examine_ogg(file, start, size)
    length = mpeg_length(file, start)
    fault = _size_fault(f"{length.header} header", length.size, 0, size - start)
    return ContainerInfo(length.samples or None, fault)


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    """The bytes at a position; fewer or none past the end of the file."""
    file.seek(start)
    return file.read(count)


def _read_number(file: BinaryIO, start: int, count: int, order: Literal["little", "big"]) -> int:
    return int.from_bytes(_read(file, start, count), order)


def _skip_tags(file: BinaryIO, size: int) -> int:
    """The position after any ID3v2 tags, whose sizes have 7 bits per byte."""
    start = 0
    while start < size and (head := _read(file, start, 10))[:3] == b"ID3" and len(head) == 10:
        length = 0
        for byte in head[6:]:
            length = length << 7 | byte & 0x7F
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + length + footer
    return start


def _size_fault(part: str, stated: int, unknown: int, available: int) -> str | None:
    if stated == unknown or stated <= available:
        return None
    return f"its {part} should have {stated} bytes, but has {max(available, 0)}"


def _find_chunks(
    file: BinaryIO, start: int, size: int, magic: bytes
) -> dict[bytes, tuple[int, int]]:
    """The position and stated size of the content of the first chunk of each name."""
    chunks: dict[bytes, tuple[int, int]] = {}
    position = start + 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > size:
            break
        name = _read(file, position, 4)
        length = _read_number(file, position + 4, 4, _BYTE_ORDERS[magic])
        chunks.setdefault(name, (position + 8, length))
        # Chunks are padded to an even size.
        position += 8 + length + length % 2
    return chunks


def _examine_chunks(file: BinaryIO, start: int, size: int, magic: bytes) -> ContainerInfo:
    """Check the size of the chunk with the samples (WAV, AIFF)."""
    chunks = _find_chunks(file, start, size, magic)
    name = b"SSND" if magic == b"FORM" else b"data"
    if name not in chunks:
        return ContainerInfo()
    content, stated = chunks[name]
    unknown = 2**32 - 1
    if magic == b"RF64" and stated == unknown and b"ds64" in chunks:
        stated, unknown = _read_number(file, chunks[b"ds64"][0] + 8, 8, "little"), 2**64 - 1
    if magic == b"RIFF" and stated in SOX_PIPE:
        return ContainerInfo()
    samples = None
    if magic == b"FORM" and b"COMM" in chunks:
        samples = _read_number(file, chunks[b"COMM"][0] + 2, 4, "big") or None
    fault = _size_fault(f"{name.decode()} chunk", stated, unknown, size - content)
    return ContainerInfo(samples, fault)


def _examine_ogg(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Check that each page is intact and in order, and that each stream is closed.

    Bytes after the last stream are ignored.
    """
    links: list[tuple[int, int]] = []
    # The number of the next page, by the serial number of each open stream.
    next_pages: dict[bytes, int] = {}
    position = link_start = start
    while position < size and (next_pages or _read(file, position, 4) == b"OggS"):
        page = _read_ogg_page(file, position)
        if page is None:
            fault = f"its Ogg page at byte {position} of {size} is truncated or damaged"
            return ContainerInfo(fault=fault)
        serial, number = page[14:18], int.from_bytes(page[18:22], "little")
        is_first, is_last = bool(page[5] & 2), bool(page[5] & 4)
        if is_first == (serial in next_pages) or next_pages.get(serial, number) != number:
            fault = f"it has missing, duplicate or unordered Ogg pages before byte {position}"
            return ContainerInfo(fault=fault)
        next_pages[serial] = number + 1
        position += len(page)
        if is_last:
            del next_pages[serial]
        if not next_pages:
            links.append((link_start, position))
            link_start = position
    if next_pages:
        return ContainerInfo(fault=f"its last Ogg page is missing after byte {size}")
    return ContainerInfo(links=tuple(links))


def _read_ogg_page(file: BinaryIO, position: int) -> bytes | None:
    """The page at a position; None if it is truncated or its checksum is wrong."""
    head = _read(file, position, 27)
    if len(head) < 27 or head[:4] != b"OggS":
        return None
    sizes = file.read(head[26])
    body = file.read(sum(sizes))
    is_whole = len(sizes) == head[26] and len(body) == sum(sizes)
    # Ogg's CRC-32 is zlib's with the bits of each byte and of the sum reversed, and without the
    # inversions at the start and end.
    without_checksum = head[:22] + bytes(4) + head[26:] + sizes + body
    checksum = zlib.crc32(without_checksum.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    stated_checksum = int.from_bytes(head[22:26].translate(_REVERSED_BITS), "big")
    return head + sizes + body if is_whole and checksum == stated_checksum else None
