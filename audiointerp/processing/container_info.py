"""What a container states about its content, and reading numbers from one.

Sizes and positions are in bytes, samples are per channel.
"""

from typing import BinaryIO, Literal, NamedTuple

ByteOrder = Literal["little", "big"]


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
    """The start and end of each sound of a chained or joined file; empty or one: a single sound."""
    note: str | None = None
    """What is doubtful about the length of a file that can be read; None if nothing is."""
    patch: tuple[int, bytes] | None = None
    """A position and the bytes to read there instead: a length that was never filled in."""
    next_file: int | None = None
    """Where another file begins that was appended to this one; None if there is none."""


def read_bytes(file: BinaryIO, start: int, count: int) -> bytes:
    """Read the bytes at a position; fewer or none past the end of the file.

    >>> import io
    >>> read_bytes(io.BytesIO(b"RIFF"), 2, 4)
    b'FF'
    """
    file.seek(start)
    return file.read(count)


def read_number(file: BinaryIO, start: int, count: int, order: ByteOrder) -> int:
    """Read an unsigned integer of ``count`` bytes at a position.

    >>> import io
    >>> read_number(io.BytesIO(bytes([0, 1, 2])), 1, 2, "big")
    258
    """
    return int.from_bytes(read_bytes(file, start, count), order)


def size_fault(part: str, stated: int, unknown: int, available: int) -> str | None:
    """The fault of a part that has fewer bytes than stated; None if it has enough.

    Args:
        part: the name of the part, for the message.
        stated: the bytes that it should have.
        unknown: the value of ``stated`` that means an unknown length.
        available: the bytes that are there.

    >>> size_fault("data chunk", 8, 0, 6)
    'its data chunk should have 8 bytes, but has 6'
    """
    if stated == unknown or stated <= available:
        return None
    return f"its {part} should have {stated} bytes, but has {max(available, 0)}"


def skip_tags(file: BinaryIO, start: int, size: int) -> int:
    """The position after any ID3v2 tags, whose sizes have 7 bits per byte.

    >>> import io
    >>> skip_tags(io.BytesIO(b"ID3" + bytes(7) + b"fLaC"), 0, 14)
    10
    """
    while start < size and (head := read_bytes(file, start, 10))[:3] == b"ID3" and len(head) == 10:
        length = 0
        for byte in head[6:]:
            length = length << 7 | byte & 0x7F
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + length + footer
    return start
