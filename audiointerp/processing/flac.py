"""Whether a FLAC file holds more samples than its STREAMINFO block states.

libsndfile stops at the stated number. The last frame of the file states its own position, so it
tells whether there is more. Nothing is decoded.
"""

from typing import BinaryIO

from .container_info import ContainerInfo, read_bytes, read_number

LAST_BYTES = 2**18
"""The bytes at the end of a file in which the last frame begins."""
# The bytes after the frame number, by the codes of the block size and the sample rate.
_BLOCK_BYTES = {6: 1, 7: 2}
_RATE_BYTES = {12: 1, 13: 2, 14: 2}


def examine_flac(file: BinaryIO, start: int, size: int) -> ContainerInfo:
    """Read the stated number of samples; if there are more, replace it by 0 (unknown).

    Args:
        file: the file.
        start: the position of its marker ``fLaC``.
        size: the size of the file.

    >>> import io
    >>> import soundfile, torch
    >>> file = io.BytesIO()
    >>> soundfile.write(file, torch.zeros(9000).numpy(), 8000, format="FLAC")
    >>> examine_flac(file, 0, file.tell())
    ContainerInfo(samples=9000, fault=None, links=(), note=None, patch=None, next_file=None)
    """
    samples = read_number(file, start + 18, 8, "big") & (2**36 - 1)
    block_size = read_number(file, start + 10, 2, "big")
    first = max(start, size - LAST_BYTES)
    last_start = _last_frame_start(read_bytes(file, first, LAST_BYTES), block_size)
    patch = None
    if last_start is not None and last_start >= samples > 0:
        head = read_number(file, start + 21, 1, "big") & 0xF0
        patch = (start + 21, bytes([head, 0, 0, 0, 0]))
    return ContainerInfo(samples & 0xFFFFFFFF or None, patch=patch)


def _last_frame_start(content: bytes, block_size: int) -> int | None:
    """The first sample of the last frame in these bytes; None without a frame."""
    position = len(content)
    while (position := content.rfind(b"\xff", 0, position)) >= 0:
        first_sample = _frame_start(content[position : position + 16], block_size)
        if first_sample is not None:
            return first_sample
    return None


def _frame_start(head: bytes, block_size: int) -> int | None:
    """The first sample of the frame with this header; None if it is not a frame's header."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    # The number is coded as in UTF-8, with up to 6 further bytes of 6 bits.
    leading_ones = 8 - (~head[4] & 0xFF).bit_length()
    further = max(0, leading_ones - 1)
    number = head[4] & (0x7F >> leading_ones)
    for byte in head[5 : 5 + further]:
        number = number << 6 | byte & 0x3F
    end = 5 + further + _BLOCK_BYTES.get(head[2] >> 4, 0) + _RATE_BYTES.get(head[2] & 15, 0)
    if leading_ones == 1 or len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    is_variable = head[1] & 1
    return number if is_variable else number * block_size


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value
