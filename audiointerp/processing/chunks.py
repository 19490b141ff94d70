"""The stated length of files that consist of chunks, WAV (RIFF, RIFX, RF64) and AIFF, and of AU.

The stated size of the samples can be wrong in three ways. A **placeholder** was never filled in:
recorders that were switched off and programs that write into a pipe leave 0 or a very large
number. What is there is read. A **truncated** file has fewer bytes than stated, which is a fault.
A size that is **too small** hides samples after it: bytes that are no chunk. They are read if they
can be samples, see :func:`_can_be_samples`. A whole file that was appended is read as one.

A small excess can be a wrong size or a truncated file. The size of the whole file, which the header
states too, tells them apart: only if it is right is nothing missing.
"""

from typing import BinaryIO, NamedTuple

from .container_info import ByteOrder, ContainerInfo, read_bytes, read_number, size_fault

MAX_CHUNKS = 10_000
"""The number of chunks read in search of the samples; real files have a dozen."""
BYTE_ORDERS: dict[bytes, ByteOrder] = {
    b"RIFF": "little",
    b"RIFX": "big",
    b"RF64": "little",
    b"FORM": "big",
}
"""The byte order of the containers that consist of chunks."""
PLACEHOLDERS = (2_000_000_000, 2**31, 2**32, 2**63, 2**64)
"""Sizes written where the length is not known; some writers subtract headers from them."""
NEAR = 2**16
"""The largest distance of a placeholder from those sizes, in bytes."""
EXCESS = 16
"""The bytes by which some writers count too many: a header, or a block of padding."""
PADDING = 2**16
"""Fewer zero bytes than these after the last chunk fill a block of a disk or card."""
LEAST_SAMPLES = 1024
"""Fewer bytes than these after the stated samples, e.g. an unknown tag, are not read as samples."""
OFFSETS = 8
"""The bytes of the SSND chunk before its samples."""
# The position and size of the numbers of channels, samples per channel and bits in a COMM chunk.
_COMMON_FIELDS = ((0, 2), (2, 4), (6, 2))
_FORMS = {b"WAVE", b"AIFF", b"AIFC"}
# Chunks that may follow the samples, and are no loss if truncated.
_TRAILING = {b"LIST", b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ", b"fact", b"COMM", b"NAME"}


def examine_chunks(file: BinaryIO, start: int, size: int, magic: bytes) -> ContainerInfo:
    """Check the size of the chunk with the samples (WAV, AIFF).

    Args:
        file: the file.
        start: the position of the container.
        size: the size of the file.
        magic: the first four bytes of the container.

    >>> import io
    >>> wav = b"RIFF" + bytes([20, 0, 0, 0]) + b"WAVE" + b"data" + bytes(4) + bytes(range(1, 9))
    >>> examine_chunks(io.BytesIO(wav), 0, len(wav), b"RIFF").note
    'its data chunk states 0 bytes, a placeholder, and 8 bytes are there'
    """
    chunks = _find_chunks(file, start, size, magic)
    name = b"SSND" if magic == b"FORM" else b"data"
    if name not in chunks:
        return ContainerInfo()
    order = BYTE_ORDERS[magic]
    content, stated = chunks[name]
    field, width = content - 4, 4
    total = read_number(file, start + 4, 4, order)
    if magic == b"RF64" and stated == 2**32 - 1 and b"ds64" in chunks:
        field, width = chunks[b"ds64"][0] + 8, 8
        total, stated = (read_number(file, at, 8, order) for at in (field - 8, field))
    part, available = f"{name.decode()} chunk", size - content
    common = _read_common(file, start, chunks) if magic == b"FORM" else _Common()
    if stated == 0:
        is_placeholder = _what_follows(file, content, size, order, padding=0).unknown > 0
    else:
        is_whole = start + 8 + total == size
        is_placeholder = _is_placeholder(stated, available, is_whole)
    rest = _Rest()
    if 0 < stated <= available:
        ends = {content + stated, content + stated + stated % 2}
        followers = [_what_follows(file, end, size, order) for end in ends]
        rest = min(followers, key=lambda follower: follower.unknown)
    is_direct = size - rest.unknown <= content + stated + stated % 2
    if is_placeholder or (is_direct and _can_be_samples(file, content + stated, rest.unknown)):
        info = placeholder_info(part, stated, available, field, width, order)
        # A frame has at least one byte: a larger number was never filled in either.
        return info._replace(samples=common.samples if common.samples <= available else None)
    fault = size_fault(part, stated, 256**width - 1, available)
    note = beyond_note(part, stated, rest.unknown) or common.note(stated)
    return ContainerInfo(common.samples or None, fault, note=note, next_file=rest.next_file)


class _Common(NamedTuple):
    """The length that the COMM chunk of an AIFF file states, beside that of the SSND chunk."""

    samples: int = 0
    """The number of samples per channel; of packets where they are compressed."""
    frame_size: int = 0
    """The bytes of a sample of all channels; 0 if it is not known."""

    def note(self, size: int) -> str | None:
        """The note on a length that is too small for the SSND chunk's size; None if it is not."""
        present = (size - OFFSETS) // self.frame_size if self.frame_size else 0
        if present <= self.samples:
            return None
        return f"its COMM chunk states {self.samples} samples per channel, and {present} are there"


def _read_common(file: BinaryIO, start: int, chunks: dict[bytes, tuple[int, int]]) -> _Common:
    if b"COMM" not in chunks:
        return _Common()
    content, _ = chunks[b"COMM"]
    channels, samples, bits = (
        read_number(file, content + place, count, "big") for place, count in _COMMON_FIELDS
    )
    # AIFC files can be compressed; then the number of bits says nothing about their size.
    is_plain = read_bytes(file, start + 8, 4) == b"AIFF"
    return _Common(samples, channels * -(-bits // 8) if is_plain else 0)


def examine_au(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Check the size of the samples of an AU file; 0xFFFFFFFF means an unknown length there.

    >>> import io
    >>> au = b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 4]) + bytes(12) + b"samples!"
    >>> examine_au(io.BytesIO(au), 0, len(au)).note
    'its header states 4 bytes of samples, but 4 more follow, which were not read'
    """
    content = start + read_number(file, start + 4, 4, "big")
    stated, available = read_number(file, start + 8, 4, "big"), size - content
    beyond = 0 if stated == 2**32 - 1 else max(0, available - stated)
    end = content + stated
    if beyond and end > start and read_bytes(file, end, 4) == b".snd":
        return ContainerInfo(next_file=end)
    if stated == 0 < available or _can_be_samples(file, end, beyond):
        return placeholder_info("header", stated, available, start + 8, 4, "big")
    fault = size_fault("samples", stated, 2**32 - 1, available)
    return ContainerInfo(fault=fault, note=beyond_note("header", stated, beyond))


def placeholder_info(
    part: str, stated: int, available: int, field: int, width: int, order: ByteOrder
) -> ContainerInfo:
    r"""The note on a placeholder or another wrong size, and the size to read instead of it.

    >>> placeholder_info("data chunk", 0, 8, 40, 4, "little").patch
    (40, b'\x08\x00\x00\x00')
    """
    excess = stated - available
    kind = f"{excess} too many" if 0 < excess <= EXCESS or excess == available else "a placeholder"
    if stated and excess < 0:
        kind = f"{-excess} too few"
    note = f"its {part} states {stated} bytes, {kind}, and {available} bytes are there"
    mended = min(available, 256**width - 1).to_bytes(width, order)
    return ContainerInfo(note=note, patch=(field, mended))


def beyond_note(part: str, stated: int, beyond: int) -> str | None:
    """The note on bytes that follow the stated samples; None without any.

    >>> beyond_note("data chunk", 8, 4)
    'its data chunk states 8 bytes of samples, but 4 more follow, which were not read'
    """
    if beyond == 0:
        return None
    return (
        f"its {part} states {stated} bytes of samples, but {beyond} more follow, which were not "
        "read"
    )


def _is_placeholder(stated: int, available: int, is_whole: bool) -> bool:
    if stated <= available:
        return False
    is_near = any(abs(stated - value) <= NEAR for value in PLACEHOLDERS)
    return is_near or (is_whole and (stated <= available + EXCESS or stated == 2 * available))


def _find_chunks(
    file: BinaryIO, start: int, size: int, magic: bytes
) -> dict[bytes, tuple[int, int]]:
    """The position and stated size of the content of the first chunk of each name."""
    chunks: dict[bytes, tuple[int, int]] = {}
    position = start + 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > size:
            break
        name = read_bytes(file, position, 4)
        length = read_number(file, position + 4, 4, BYTE_ORDERS[magic])
        chunks.setdefault(name, (position + 8, length))
        # Chunks are padded to an even size.
        position += 8 + length + length % 2
    return chunks


class _Rest(NamedTuple):
    """What follows the samples besides chunks, tags and padding."""

    unknown: int = 0
    """The bytes from the first on that are none of these."""
    next_file: int | None = None
    """Where another file begins."""


def _what_follows(
    file: BinaryIO, position: int, size: int, order: ByteOrder, padding: int = PADDING
) -> _Rest:
    """What follows from a position on that is neither other chunks nor a tag nor padding."""
    for _ in range(MAX_CHUNKS):
        rest = size - position
        head = read_bytes(file, position, 12)
        is_tag = rest == 128 and head.startswith(b"TAG")
        if rest < min(8, padding) or is_tag:
            break
        if rest < padding and not any(read_bytes(file, position, rest)):
            break
        if head[:4] in BYTE_ORDERS and head[8:] in _FORMS:
            return _Rest(next_file=position)
        length = int.from_bytes(head[4:8], order)
        is_name = head[:4].isascii() and head[:4].decode("latin-1").isprintable()
        fits = position + 8 + length <= size or head[:4] in _TRAILING
        if rest == 0:
            break
        if len(head) < 8 or not is_name or not fits:
            return _Rest(rest)
        position += 8 + length + length % 2
    return _Rest()


def _can_be_samples(file: BinaryIO, position: int, count: int) -> bool:
    """Tell whether bytes after the stated samples are samples rather than a tag or old content.

    Few bytes, text, and the zeros of a block that was allocated before it was needed are not.
    """
    head = read_bytes(file, position, PADDING)
    is_text = head[:64].isascii() and head[:64].decode("latin-1").isprintable()
    return count >= LEAST_SAMPLES and any(head) and not is_text
