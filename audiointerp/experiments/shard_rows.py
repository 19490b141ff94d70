"""The rows of one shard and one method, gathered clip by clip."""

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..dataset import LoadedClip
from ..scoring import MethodRows, rows_batch

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class _ClipRows:
    """The rows of one clip, as Arrow columns, and what a description says of it."""

    name: str
    sha256: str
    batch: "pa.RecordBatch"
    has_error: bool
    is_unread: bool
    is_silent: bool
    seconds: float
    attribution: dict[str, Tensor]


@dataclass(eq=False)
class ShardRows:
    """The rows of a shard and a method; clips may come in any order.

    Attributes:
        size: the number of clips.
        threads: the number of torch threads that they are computed with.
        keeps_attributions: whether to keep the attributions too.

    >>> ShardRows(1000, 1, False).is_complete
    False
    """

    size: int
    threads: int
    keeps_attributions: bool
    _clips: dict[int, _ClipRows] = field(default_factory=dict)

    def put(self, index: int, loaded: LoadedClip, computed: MethodRows) -> None:
        """Add the rows of a clip."""
        attribution: dict[str, Tensor] = {}
        if self.keeps_attributions and computed.attribution is not None:
            values = computed.attribution
            attribution = {
                "values": values.values.cpu().contiguous(),
                "probs": values.probs.cpu().contiguous(),
                "target": values.target.cpu().contiguous(),
            }
        self._clips[index] = _ClipRows(
            loaded.name,
            loaded.sha256,
            rows_batch(computed.rows),
            any(row["status"] == "error" for row in computed.rows),
            computed.rows[0]["stage"] == "read",
            # What a silent clip has of its energy, a part of it, is not defined.
            any(row["status"] == "ok" and math.isnan(row["ENERGY"]) for row in computed.rows),
            computed.seconds,
            attribution,
        )

    @property
    def is_complete(self) -> bool:
        """Whether the rows of all clips are there."""
        return len(self._clips) == self.size

    @property
    def batches(self) -> list["pa.RecordBatch"]:
        """The rows, in the order of the clips."""
        return [clip.batch for clip in self._ordered()]

    @property
    def attributions(self) -> dict[str, Tensor]:
        """The attributions, each by the number of the clip and what it is."""
        return {
            f"{index:09d}.{name}": tensor
            for index, clip in sorted(self._clips.items())
            for name, tensor in clip.attribution.items()
        }

    @property
    def description(self) -> dict[str, Any]:
        """Counts, and the digest of the clips that could be read."""
        clips = self._ordered()
        digests = "".join(clip.sha256 for clip in clips if not clip.is_unread)
        return {
            "rows": sum(clip.batch.num_rows for clip in clips),
            "errors": sum(clip.has_error for clip in clips),
            "clips_sha256": hashlib.sha256(digests.encode()).hexdigest(),
            "unread_clips": [clip.name for clip in clips if clip.is_unread],
            "silent_clips": [clip.name for clip in clips if clip.is_silent],
            "seconds": round(sum(clip.seconds for clip in clips), 3),
            "threads": self.threads,
        }

    def _ordered(self) -> list[_ClipRows]:
        return [clip for _, clip in sorted(self._clips.items())]
