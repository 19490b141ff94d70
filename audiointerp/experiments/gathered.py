"""Rows that an engine computes and that stay in memory: those of a call of ``score``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..dataset import ClipDataset, LoadedClip
from ..scoring import MethodRows
from .computation import Computation
from .engines import Engine, MissingShard, ShardJob
from .shards import Shard, plan_shards

PIECE = 20
"""The clips that a worker is given at a time; the rows do not depend on it."""


@dataclass(eq=False)
class _PlainRows:
    """The rows of a piece and a method, by clip."""

    size: int
    by_clip: dict[int, list[Mapping[str, Any]]] = field(default_factory=dict)

    def put(self, index: int, loaded: LoadedClip, computed: MethodRows) -> None:
        self.by_clip[index] = list(computed.rows)

    @property
    def is_complete(self) -> bool:
        return len(self.by_clip) == self.size


@dataclass(frozen=True)
class _ToDriver:
    """The output that returns the rows to the driver."""

    def rows_of(self, shard: Shard, threads: int) -> _PlainRows:
        return _PlainRows(len(shard.clips))

    def write(self, shard: Shard, rows: _PlainRows) -> dict[int, list[Mapping[str, Any]]]:
        return rows.by_clip


def rows_by_engine(
    engine: Engine,
    computation: Computation,
    clips: ClipDataset,
    advance: Callable[[int], None],
) -> list[Mapping[str, Any]]:
    """Return the rows of all clips, in the order of the clips, and of the methods in each.

    Args:
        engine: computes them.
        computation: what computes the rows of a clip.
        clips: the clips.
        advance: is told the number of clips that are done.

    Raises:
        AudioInterpError: the engine cannot go on.

    Example: :func:`~audiointerp.predict.score` calls it, with ``engine``.
    """
    methods = tuple(computation.explainers)
    job = ShardJob(clips, computation, dict.fromkeys(methods, _ToDriver()))
    pieces = [MissingShard(piece, methods) for piece in plan_shards(len(clips), PIECE)]
    gathered: dict[Shard, dict[str, Any]] = {}
    for missing, by_method in engine(job, pieces, lambda: False):
        gathered[missing.shard] = by_method
        advance(len(missing.shard.clips))
    rows: list[Mapping[str, Any]] = []
    for piece in pieces:
        for index in piece.shard.clips:
            for method in methods:
                rows += gathered[piece.shard][method][index]
    return rows
