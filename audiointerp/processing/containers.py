"""What a sound file's container states about its length, and whether the bytes keep it; nothing is decoded here.

A decoder reads what is there and calls it the whole: a WAV cut in half is half a WAV. The containers know better. Read
here are RIFF, RIFX, RF64, W64, AIFF, CAF and AU (size of the chunk of samples), FLAC (samples in STREAMINFO), Ogg
(checksums, page numbers, end-of-stream flag) and MP3 (counts of a Xing, Info or VBRI frame), each also behind ID3v2
tags. Sizes are in bytes, samples are those of each channel.
"""

import os
import zlib
from typing import BinaryIO, Literal, NamedTuple

MAX_CHUNKS = 10_000
"""Chunks walked through before the one with the samples; real files have a dozen."""
SOX_PIPE = range(0x7FFFE000, 0x7FFFF001)
"""Sizes that SoX writes into a pipe, where it cannot know the length: 0x7FFFF000 down to a whole block."""
_KILOBITS = {  # of MPEG 1 and of MPEG 2 and 2.5, layer III, by the header's 4 bits
    1152: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    576: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MPEG_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
MPEG_DELAY = 529
"""Samples that an MP3 decoder lags behind; players cut at least these off where a tag tells the encoder's delay."""
_BITS_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


class Stated(NamedTuple):
    """What a container says of itself."""

    samples: int | None = None
    """At least these many samples of each channel are promised; None where the container does not say."""
    fault: str | None = None
    """What is promised and not there, in words."""
    links: tuple[tuple[int, int], ...] = ()
    """Where each sound of an Ogg file begins and ends; a chained file has several."""


class _Layout(NamedTuple):
    """How a container made of chunks writes them: name, size, content, padding."""

    order: Literal["little", "big"]
    first: int
    name: int = 4
    size: int = 4
    size_counts_header: bool = False
    align: int = 2


_LAYOUTS = {
    b"RIFF": _Layout("little", 12),
    b"RIFX": _Layout("big", 12),
    b"RF64": _Layout("little", 12),
    b"FORM": _Layout("big", 12),
    b"caff": _Layout("big", 8, size=8, align=1),
    b"riff": _Layout("little", 40, name=16, size=8, size_counts_header=True, align=8),
}


def examine(file: BinaryIO) -> Stated:
    """Read what the container states and compare it with the bytes that are there.

    A length that the writer could not know is no promise: a RIFF or AU size of 0xFFFFFFFF, the size that SoX writes into
    pipes, a FLAC with 0 samples in STREAMINFO. An MP3 without a Xing, Info or VBRI frame promises what its frames hold.
    Chunks behind the samples may be cut, and a padding byte may be missing: the sound is whole.

    >>> import io
    >>> header = b"RIFF" + bytes([44, 0, 0, 0]) + b"WAVE" + b"data" + bytes([8, 0, 0, 0])
    >>> examine(io.BytesIO(header + bytes(8))).fault is None
    True
    >>> examine(io.BytesIO(header + bytes(6))).fault
    'its data chunk promises 8 bytes, 6 are there'
    """
    size = file.seek(0, os.SEEK_END)
    start = _after_tags(file, size)
    magic = _bytes(file, start, 4)
    if magic in _LAYOUTS:
        return _chunked(file, start, size, magic)
    if magic == b"fLaC":
        return Stated(samples=_number(file, start + 18, 8, "big") & 0xFFFFFFFFF or None)
    if magic == b"OggS":
        return _ogg(file, start, size)
    if magic in (b".snd", b"dns."):
        order: Literal["little", "big"] = "big" if magic == b".snd" else "little"
        content = start + _number(file, start + 4, 4, order)
        return Stated(fault=_short("header", _number(file, start + 8, 4, order), 2**32 - 1, size - content))
    return _mpeg(file, start, size)


def _bytes(file: BinaryIO, start: int, count: int) -> bytes:
    """The bytes at a place; fewer, or none, where the file ends before."""
    file.seek(start)
    return file.read(count)


def _number(file: BinaryIO, start: int, count: int, order: Literal["little", "big"]) -> int:
    return int.from_bytes(_bytes(file, start, count), order)


def _after_tags(file: BinaryIO, size: int) -> int:
    """Where the sound begins behind any ID3v2 tags, whose sizes have 7 bits a byte."""
    start = 0
    while start < size and (head := _bytes(file, start, 10))[:3] == b"ID3" and len(head) == 10:
        length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        start += 10 + length + (10 if head[5] & 0x10 else 0)
    return start


def _short(what: str, promised: int, unknown: int, there: int) -> str | None:
    if promised == unknown or promised <= there:
        return None
    return f"its {what} promises {promised} bytes, {max(there, 0)} are there"


def _chunks(file: BinaryIO, layout: _Layout, start: int, size: int) -> dict[bytes, tuple[int, int]]:
    """Where the content of the first chunk of each name begins, and the size stated for it."""
    found: dict[bytes, tuple[int, int]] = {}
    at, header = start + layout.first, layout.name + layout.size
    for _ in range(MAX_CHUNKS):
        if at + header > size:
            break
        name = _bytes(file, at, layout.name)[:4]
        length = _number(file, at + layout.name, layout.size, layout.order)
        length -= header if layout.size_counts_header else 0
        if length < 0:
            break
        found.setdefault(name, (at + header, length))
        at += header + length + -(header + length) % layout.align
    return found


def _chunked(file: BinaryIO, start: int, size: int, magic: bytes) -> Stated:
    layout = _LAYOUTS[magic]
    found = _chunks(file, layout, start, size)
    name = b"SSND" if magic == b"FORM" else b"data"
    if name not in found:
        return Stated()
    content, promised = found[name]
    unknown = 256**layout.size - 1
    if magic == b"RF64" and promised == unknown and b"ds64" in found:
        promised, unknown = _number(file, found[b"ds64"][0] + 8, 8, "little"), 2**64 - 1
    if magic == b"RIFF" and promised in SOX_PIPE:
        return Stated()
    frames = _number(file, found[b"COMM"][0] + 2, 4, "big") if magic == b"FORM" and b"COMM" in found else 0
    return Stated(frames or None, _short(f"{name.decode()} chunk", promised, unknown, size - content))


def _mpeg(file: BinaryIO, start: int, size: int) -> Stated:
    """The counts in an MP3's first frame, or else its frames themselves: without counts libsndfile guesses a length.

    One frame fewer is let pass: some writers count the one that holds the counts.
    """
    head, size = _bytes(file, start, 256), size - start
    frame = _mpeg_frame(head[:4])[0]
    if not frame:
        return Stated()
    if head[36:40] == b"VBRI":
        promised, frames = int.from_bytes(head[46:50], "big"), int.from_bytes(head[50:54], "big")
        return Stated(max(0, (frames - 2) * frame - MPEG_DELAY) or None, _short("VBRI header", promised, 0, size))
    for at in (13, 15, 21, 23, 36, 38):  # behind the side information: by version, channels, checksum
        if head[at : at + 4] in (b"Xing", b"Info"):
            break
    else:
        return Stated(max(0, (_mpeg_frames(file, start) - 1) * frame - MPEG_DELAY) or None)
    flags, at = int.from_bytes(head[at + 4 : at + 8], "big"), at + 8
    counts = []
    for bit, length in ((1, 4), (2, 4), (4, 100), (8, 4)):
        counts.append(int.from_bytes(head[at : at + min(length, 4)], "big") if flags & bit else 0)
        at += length if flags & bit else 0
    trims = int.from_bytes(head[at + 21 : at + 24], "big")  # 12 bits of the encoder's delay, 12 of its padding
    samples = (counts[0] - 1) * frame - (trims >> 12) - max(trims & 0xFFF, MPEG_DELAY)
    return Stated(max(0, samples) or None, _short("Xing header", counts[1], 0, size))


def _mpeg_frame(head: bytes) -> tuple[int, int]:
    """Samples and bytes of the layer III frame with this header; ``(0, 0)`` where it is none."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0, 0
    version, kilobits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version not in _MPEG_RATES or kilobits in (0, 15) or rate == 3:
        return 0, 0
    samples = 1152 if version == 3 else 576
    return samples, samples * 125 * _KILOBITS[samples][kilobits - 1] // _MPEG_RATES[version][rate] + (head[2] >> 1 & 1)


def _mpeg_frames(file: BinaryIO, at: int) -> int:
    """Frames from here on, one behind the other."""
    count = 0
    while length := _mpeg_frame(_bytes(file, at, 4))[1]:
        at += length
        count += 1
    return count


def _ogg(file: BinaryIO, start: int, size: int) -> Stated:
    """Walk through the pages: each whole and in its place, each stream closed. What follows the last stream is no matter."""
    links: list[tuple[int, int]] = []
    following: dict[bytes, int] = {}  # the next page of each open stream
    at = begin = start
    while at < size and (following or _bytes(file, at, 4) == b"OggS"):
        page = _ogg_page(file, at)
        if page is None:
            return Stated(fault=f"its Ogg page at byte {at} of {size} is cut or damaged")
        serial, number = page[14:18], int.from_bytes(page[18:22], "little")
        first = bool(page[5] & 2)
        if first == (serial in following) or following.get(serial, number) != number:
            return Stated(fault=f"Ogg pages are missing, doubled or in disorder before byte {at} of {size}")
        following[serial] = number + 1
        at += len(page)
        if page[5] & 4:
            del following[serial]
        if not following:
            links.append((begin, at))
            begin = at
    if following:
        return Stated(fault=f"it ends at byte {size} without the Ogg page that closes a stream")
    return Stated(links=tuple(links))


def _ogg_page(file: BinaryIO, at: int) -> bytes | None:
    """One page, if it is whole and its checksum right."""
    head = _bytes(file, at, 27)
    if len(head) < 27 or head[:4] != b"OggS":
        return None
    sizes = file.read(head[26])
    body = file.read(sum(sizes))
    whole = len(sizes) == head[26] and len(body) == sum(sizes)
    # Ogg's CRC is zlib's with the bits of each byte, and of the sum, in the other order, and without inversions.
    unsigned = (head[:22] + bytes(4) + head[26:] + sizes + body).translate(_BITS_REVERSED)
    right = int.from_bytes(head[22:26].translate(_BITS_REVERSED), "big")
    if not whole or zlib.crc32(unsigned, 0xFFFFFFFF) ^ 0xFFFFFFFF != right:
        return None
    return head + sizes + body
