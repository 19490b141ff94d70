"""Which process has which recordings of a folder."""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import ArgumentError
from ..util import locked, refuse_held

LOCK = re.compile(r"\.lock-([0-9a-f]{8})-(\d+)-of-(\d+)")
"""The lock of a shard: the digest of the names of all recordings, and the shard."""


@contextmanager
def shard_of(out: Path, names: Sequence[str], shard: tuple[int, int]) -> Iterator[None]:
    """Hold the lock of a shard; another process that has recordings of it is refused.

    Shards of another list of recordings are refused, too, since their division is another.

    Args:
        out: the folder of the results.
        names: of all recordings, of whichever shard.
        shard: (i, n) for the i-th of n parts.

    Raises:
        ArgumentError: to this file system, two names are one.
        AudioInterpError: another process has recordings of this shard, or another list.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with shard_of(Path(folder), ["a.wav", "b.wav"], (1, 2)):
    ...         with shard_of(Path(folder), ["a.wav", "b.wav"], (4, 4)):
    ...             print(len(list(Path(folder).glob(".lock-*"))))
    2
    """
    digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
    own_lock = out / f".lock-{digest}-{shard[0]}-of-{shard[1]}"
    # Its own lock comes first, so that of two processes that begin at once, one sees the other.
    with locked(own_lock):
        if own_lock.with_name(own_lock.name.upper()).exists():
            refuse_equal_names(names)
        for path in sorted(out.glob(".lock-*-of-*")):
            parts = LOCK.fullmatch(path.name)
            if parts is None or path == own_lock:
                continue
            number, count = int(parts[2]), int(parts[3])
            shares = (shard[0] - number) % math.gcd(shard[1], count) == 0
            if parts[1] != digest or shares:
                refuse_held(path)
        yield


def refuse_equal_names(names: Sequence[str]) -> None:
    """Refuse names that differ in nothing but upper and lower case.

    Raises:
        ArgumentError: there are two such names.

    >>> refuse_equal_names(["a.wav", "b.wav"])
    """
    known: dict[str, str] = {}
    for name in names:
        same = known.setdefault(name.casefold(), name)
        if same != name:
            raise ArgumentError(
                f"{same} and {name}: in this folder their results would be one; rename one, or "
                "write to a file system that tells upper from lower case"
            )
