"""The length that the container of a sound file states, compared with what the file holds.

A decoder reads what is there: a WAV file cut in half gives half the sound, without an error. It
also stops at the stated length, however much follows, and at the end of the first of joined files.
The containers checked here are WAV and AIFF (``chunks``), AU, FLAC (``flac``), Ogg (checksums, page
numbers, end-of-stream flag) and MP3 (``mpeg``), each also after ID3v2 tags. Any other file that
soundfile reads (W64, CAF, ...) is not checked. Nothing is decoded. Sizes are in bytes, samples are
per channel.
"""

import os
import zlib
from typing import BinaryIO

from .chunks import BYTE_ORDERS, examine_au, examine_chunks
from .container_info import ContainerInfo, read_bytes, skip_tags
from .flac import examine_flac
from .mpeg import examine_mpeg

_REVERSED_BITS = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def examine(file: BinaryIO) -> ContainerInfo:
    """Compare the length that the container states with the bytes of the file.

    A length that the format defines as unknown is not checked: 0 samples in FLAC's STREAMINFO, a
    size of 0xFFFFFFFF in AU. Other lengths that were never filled in are replaced, with a note.
    Chunks after the samples may be truncated, and a padding byte may be missing.

    >>> import io
    >>> header = b"RIFF" + bytes([44, 0, 0, 0]) + b"WAVE" + b"data" + bytes([8, 0, 0, 0])
    >>> examine(io.BytesIO(header + bytes(8))).fault is None
    True
    >>> examine(io.BytesIO(header + bytes(6))).fault
    'its data chunk should have 8 bytes, but has 6'
    """
    size = file.seek(0, os.SEEK_END)
    start = skip_tags(file, 0, size)
    info = _examine_one(file, start, size)
    links = []
    # A damaged header can point back to where it begins.
    while info.next_file is not None and info.next_file > start and info.fault is None:
        links.append((start, info.next_file))
        start = info.next_file
        info = _examine_one(file, start, size)
    if not links:
        return info
    joined = f"it is {len(links) + 1} files joined into one, all of which were read"
    note = f"{joined}; in the last, {info.note}" if info.note else joined
    return ContainerInfo(None, info.fault, (*links, (start, size)), note, info.patch)


def _examine_one(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Examine the file that begins at a position; others may follow it."""
    magic = read_bytes(file, start, 4)
    if magic in BYTE_ORDERS:
        return examine_chunks(file, start, size, magic)
    kinds = {b"fLaC": examine_flac, b"OggS": _examine_ogg, b".snd": examine_au}
    return kinds.get(magic, examine_mpeg)(file, start, size)


def _examine_ogg(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Check that each page is intact and in order, and that each stream is closed.

    A recorder that was switched off leaves a stream of whole pages without the closing one.
    """
    links: list[tuple[int, int]] = []
    # The number of the next page, by the serial number of each open stream.
    next_pages: dict[bytes, int] = {}
    position = link_start = start
    while position < size and (next_pages or read_bytes(file, position, 4) == b"OggS"):
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
    note = None
    if next_pages:
        links.append((link_start, position))
        note = f"its last Ogg page is missing after byte {size}"
    elif b"OggS" in read_bytes(file, position, 2**16):
        rest = size - position
        note = f"{rest} bytes after its last Ogg stream hold more pages, which were not read"
    return ContainerInfo(links=tuple(links), note=note)


def _read_ogg_page(file: BinaryIO, position: int) -> bytes | None:
    """The page at a position; None if it is truncated or its checksum is wrong."""
    head = read_bytes(file, position, 27)
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
