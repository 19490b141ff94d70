"""Shards: contiguous parts of a data set, each of which becomes one Parquet file per method.

The plan depends on the number of clips and the size of a shard alone. A file's name has the clips
of its shard and a digest of everything that its rows depend on, so that a listing of the folder
says which shards are finished, and results of other settings are refused. A file is whole or
missing.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from ..errors import ArgumentError
from ..scoring import parquet_bytes, parquet_description
from ..util import (
    as_python,
    delete_file,
    file_names,
    json_text,
    open_binary,
    place_below,
    plain,
    whole_number,
    write_bytes,
)
from .differences import differences
from .shard_rows import ShardRows
from .store import OTHER_FOLDER

SHARD_SIZE = 1000
"""Clips of a shard."""
_NAME = re.compile(r"(\d{9,})-(\d{9,})-([0-9a-f]{12})\.(parquet|safetensors)")


@dataclass(frozen=True)
class Shard:
    """Clips from ``start`` up to, but not including, ``stop``.

    >>> Shard(1000, 1200).clips
    range(1000, 1200)
    """

    start: int
    stop: int

    @property
    def clips(self) -> range:
        """The numbers of the clips."""
        return range(self.start, self.stop)

    @property
    def stem(self) -> str:
        """The numbers of the first and the last clip, as they stand in file names."""
        return f"{self.start:09d}-{self.stop - 1:09d}"


def plan_shards(clips: int, size: int = SHARD_SIZE, part: tuple[int, int] = (1, 1)) -> list[Shard]:
    """Divide clips into shards.

    Args:
        clips: their number.
        size: the clips of a shard; the last one may have fewer.
        part: (i, n), to take only the i-th of n parts of the shards, from (1, 1).

    Raises:
        ArgumentError: the size is below 1, or there is no such part.

    >>> plan_shards(5, 2)
    [Shard(start=0, stop=2), Shard(start=2, stop=4), Shard(start=4, stop=5)]
    >>> plan_shards(5, 2, (2, 3))
    [Shard(start=2, stop=4)]
    """
    size = whole_number("shard_size", size, least=1)
    starts = range(0, clips, size)
    number, parts = checked_part(part)
    if number > len(starts):
        raise ArgumentError(
            f"shard {number}/{parts}: has no clips, since {clips} clips in shards of {size} are "
            f"{len(starts)}; give {len(starts)} parts or fewer, or a smaller shard size"
        )
    return [Shard(start, min(start + size, clips)) for start in starts[number - 1 :: parts]]


def checked_part(part: tuple[int, int]) -> tuple[int, int]:
    """Return the number of a part and that of all parts.

    Raises:
        ArgumentError: they are no whole numbers, or there is no such part.

    >>> checked_part("1/2")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: shard='1/2': give a pair, e.g. (1, 4) for the first of four
    """
    if not isinstance(part, list | tuple) or len(part) != 2:
        raise ArgumentError(f"shard={part!r:.40}: give a pair, e.g. (1, 4) for the first of four")
    number, parts = map(as_python, part)
    is_part = isinstance(number, int) and isinstance(parts, int) and 1 <= number <= parts
    if not is_part:
        raise ArgumentError(
            f"shard {number}/{parts}: the first is 1/{parts}, the last {parts}/{parts}"
        )
    return number, parts


@dataclass(frozen=True)
class ShardFolder:
    """The Parquet files of one method in one experiment.

    Attributes:
        place: the method's folder, a path or a URL; its files are in ``shards/`` below.
        fingerprint: what the rows depend on, as plain values; other values are refused.
        attributions: whether to keep the attributions too.
        environment: versions that are recorded, but do not change the results.

    >>> folder = ShardFolder("results/mel/own/lime", {"output": "softmax"}, False, {})
    >>> folder.file_of(Shard(0, 10))
    'results/mel/own/lime/shards/000000000-000000009-b568a0c875a6.parquet'
    """

    place: str
    fingerprint: Mapping[str, Any]
    attributions: bool
    environment: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What tells the files of these settings from others."""
        return hashlib.sha256(json_text(self.fingerprint).encode()).hexdigest()[:12]

    def file_of(self, shard: Shard, ending: str = "parquet") -> str:
        """The path or URL of a shard's file."""
        return place_below(self.place, "shards", f"{shard.stem}-{self.digest}.{ending}")

    def finished(self, shards: Sequence[Shard]) -> set[Shard]:
        """The shards that need not be computed.

        Raises:
            ArgumentError: the folder holds results of other settings, or of another division.
        """
        names = self._names()
        expected = {f"{shard.stem}-{self.digest}": shard for shard in shards}
        stems = {name.partition(".")[0] for name in names if name.endswith(".parquet")}
        if self.attributions:
            stems &= {name.partition(".")[0] for name in names if name.endswith(".safetensors")}
        return {shard for stem, shard in expected.items() if stem in stems}

    def check(self, shards: Sequence[Shard]) -> None:
        """Refuse a folder that holds files of other settings or of another division.

        Args:
            shards: all shards of the data set.

        Raises:
            ArgumentError: it does.
        """
        known = {shard.stem for shard in shards}
        for name in self._names():
            first, last, digest, ending = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
            if digest != self.digest:
                raise ArgumentError(
                    f"{self.place} holds results of other settings "
                    f"({self._changes(name, ending)}); {OTHER_FOLDER}"
                )
            if f"{first}-{last}" not in known:
                raise ArgumentError(
                    f"{self.place} holds the shard {name} of another division: give the same "
                    f"--shard-size as before; or {OTHER_FOLDER}"
                )

    def clear(self) -> None:
        """Delete the files of all shards."""
        for name in self._names():
            delete_file(place_below(self.place, "shards", name))

    def rows_of(self, shard: Shard, threads: int) -> ShardRows:
        """Return the rows of a shard, without any clip yet.

        Args:
            shard: the shard.
            threads: the number of torch threads that it is computed with.
        """
        return ShardRows(len(shard.clips), threads, self.attributions)

    def write(self, shard: Shard, rows: ShardRows) -> None:
        """Write the file of a shard, and its attributions first: with the rows it is finished."""
        if self.attributions:
            write_bytes(self.file_of(shard, "safetensors"), save(rows.attributions))
        description = {
            "fingerprint": plain(self.fingerprint),
            "environment": plain(self.environment),
            "start": shard.start,
            "stop": shard.stop,
            **rows.description,
        }
        write_bytes(self.file_of(shard), parquet_bytes(rows.batches, description))

    def describe(self, shard: Shard) -> dict[str, Any]:
        """What the file of a shard says of itself.

        Raises:
            AudioInterpError: it is missing or damaged.
        """
        place = self.file_of(shard)
        with open_binary(place) as file:
            return parquet_description(file, place)

    def _names(self) -> list[str]:
        return [name for name in file_names(place_below(self.place, "shards")) if _is_shard(name)]

    def _changes(self, name: str, ending: str) -> str:
        if ending != "parquet":
            return f"{name}: attributions"
        place = place_below(self.place, "shards", name)
        with open_binary(place) as file:
            earlier = parquet_description(file, place)
        return "; ".join(differences(earlier["fingerprint"], plain(self.fingerprint)))


def kept_attributions(folder: Path, index: int) -> Path | None:
    """Return the file with the attributions of a clip's shard, or None if none were kept.

    Args:
        folder: of the method.
        index: the clip's number.

    >>> kept_attributions(Path("no such folder"), 12) is None
    True
    """
    for path in sorted(folder.glob("shards/*.safetensors")):
        name = _NAME.fullmatch(path.name)
        if name is not None and int(name[1]) <= index <= int(name[2]):
            return path
    return None


def _is_shard(name: str) -> bool:
    return _NAME.fullmatch(name) is not None
