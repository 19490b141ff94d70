"""The results of one method in one experiment, on disk.

A method's folder holds ``clips/`` (the fingerprint and one record per clip), ``attributions/`` and,
once every clip has a record, ``metrics.csv`` and ``run.json``. Each file is whole or missing.
Records are immutable, except those of failed clips, which are retried.
"""

import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import save as tensors_as_bytes

from ..dataset import LoadedClip
from ..errors import AudioInterpError
from ..interpretation import Attribution
from ..scoring import COLUMNS, MethodRows, read_rows
from ..util import atomic_write, json_text, locked, make_folder, write_text
from .records import ClipRecord, cells, csv_text, read_record, write_record

LONGEST_NAME = 150
"""Characters of a clip's name in its attribution's file name; the clip's number makes it unique."""
OTHER_FOLDER = (
    "give another results folder, or delete the earlier results with resume=False (--no-resume)"
)
"""What to do about results that do not fit the run."""


@dataclass(frozen=True)
class Store:
    """The results of one method in one experiment.

    Attributes:
        folder: the method's folder.
        fingerprint: what the results depend on, as plain values; other values are refused.
        clips: the names of all clips, in the order of the table.
        attributions: whether to keep the attributions too.
        environment: versions that are recorded, but do not change the results.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(Path(folder) / "random", {"output": "softmax"}, ["a.wav", "b.wav"])
    ...     len(store.assemble())
    0
    """

    folder: Path
    fingerprint: Mapping[str, Any]
    clips: Sequence[str]
    attributions: bool = True
    environment: Mapping[str, Any] = field(default_factory=dict)

    def needs(self, index: int, loaded: LoadedClip, has_other: bool = False) -> bool:
        """Whether a clip must be computed: it has no record, a failed one, or no attribution.

        Also if the clip that it is compared with, in the null ``"other"``, could not be read or
        explained, so that a resumed run ends with the same rows as one where nothing failed.

        Args:
            index, loaded: the clip.
            has_other: whether the plan compares it with another clip.

        Raises:
            AudioInterpError: its record was computed from another sound or recording, or with
                other settings.
        """
        record = self._read(index)
        if record is None:
            return True
        if loaded.error is not None and record.has_scores:
            warnings.warn(
                f"{loaded.name} cannot be read now ({loaded.error}); its earlier results are kept",
                stacklevel=2,
            )
            return False
        if record.status != "ok":
            return True
        if record.clip_sha256 != loaded.sha256:
            raise AudioInterpError(
                f"{self._record_path(index)}: {loaded.name} is no longer the same sound: the clip "
                f"or the noise was changed, or the run began on another kind of processor; "
                f"{OTHER_FOLDER}"
            )
        if record.recording != loaded.recording:
            raise AudioInterpError(
                f"{self._record_path(index)}: {loaded.name} was of recording {record.recording!r} "
                f"and is now of {loaded.recording!r}, and intervals are over recordings; "
                f"{OTHER_FOLDER}"
            )
        if has_other and not record.has_other:
            return True
        path = self._attribution_path(index)
        return self.attributions and not (path.is_file() and path.stat().st_size > 0)

    def put(self, index: int, loaded: LoadedClip, computed: MethodRows, threads: int) -> None:
        """Keep the rows of a clip and its attribution.

        A record without error stays as it is, unless only the new one has the null ``"other"``.
        """
        if self.attributions and computed.attribution is not None:
            _save_attribution(self._attribution_path(index), computed.attribution)
        failed = any(row["status"] == "error" for row in computed.rows)
        record = ClipRecord(
            fingerprint_sha256=self._fingerprint_sha256,
            clip_sha256=loaded.sha256,
            status="error" if failed else "ok",
            seconds=round(computed.seconds, 3),
            threads=threads,
            rows=[cells(row) for row in computed.rows],
        )
        earlier = self._read(index)
        adds_other = record.has_other and not failed
        if earlier is None or earlier.status != "ok" or (adds_other and not earlier.has_other):
            write_record(self._record_path(index), record)

    def assemble(self) -> pd.DataFrame:
        """The rows of all clips so far; once none is missing, the tables are written too."""
        # Records are read under the lock too: otherwise another shard could end in between, and
        # its newer table would be replaced by this older one.
        with self.lock():
            records = self._records()
            rows = [row for record in records for row in record.rows]
            table = csv_text([COLUMNS, *rows])
            if len(records) == len(self.clips):
                self._write_table(records, table)
        return read_rows(io.StringIO(table))

    def _write_table(self, records: Sequence[ClipRecord], table: str) -> None:
        clip_digests = "".join(record.clip_sha256 for record in records if not record.unread)
        clips = zip(self.clips, records, strict=True)
        run = {
            "method": self.folder.name,
            **self.fingerprint,
            "environment": self.environment,
            "clips_sha256": hashlib.sha256(clip_digests.encode()).hexdigest(),
            "unread_clips": [name for name, record in clips if record.unread],
            "rows": sum(len(record.rows) for record in records),
            "errors": sum(record.status == "error" for record in records),
            "seconds": round(sum(record.seconds for record in records), 1),
            "threads": sorted({record.threads for record in records}),
        }
        _write_if_changed(self.folder / "metrics.csv", table)
        _write_if_changed(self.folder / "run.json", json_text(run))

    def lock(self) -> AbstractContextManager[None]:
        """A lock that the shards take in turn when they begin and end."""
        return locked(self.folder / ".lock-shared", wait=True)

    def _records(self) -> list[ClipRecord]:
        records = (self._read(index) for index in range(len(self.clips)))
        return [record for record in records if record is not None]

    def _read(self, index: int) -> ClipRecord | None:
        path = self._record_path(index)
        record = read_record(path, self.folder.name, self.clips[index])
        if record is not None and record.fingerprint_sha256 != self._fingerprint_sha256:
            raise AudioInterpError(f"{path}: was computed with other settings; {OTHER_FOLDER}")
        return record

    @cached_property
    def _fingerprint_sha256(self) -> str:
        return hashlib.sha256(json_text(self.fingerprint).encode()).hexdigest()

    def _record_path(self, index: int) -> Path:
        return self.folder / "clips" / f"{index:05d}.json"

    def _attribution_path(self, index: int) -> Path:
        return attribution_path(self.folder, index, self.clips[index])


def attribution_path(folder: Path, index: int, clip: str) -> Path:
    """Return where the attribution of a clip is kept.

    Args:
        folder: of the method.
        index, clip: the clip's number and name.

    >>> attribution_path(Path("lime"), 7, "a/b.wav").name
    '00007 a%2Fb.wav.safetensors'
    """
    name = quote(clip, safe=" ")[:LONGEST_NAME]
    return folder / "attributions" / f"{index:05d} {name}.safetensors"


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(path, text)


def _save_attribution(path: Path, attribution: Attribution) -> None:
    make_folder(path.parent)
    tensors = {
        "values": attribution.values.cpu().contiguous(),
        "probs": attribution.probs.cpu().contiguous(),
    }
    details = json.dumps({"target": int(attribution.target), "method": attribution.method})
    with atomic_write(path) as temporary:
        try:
            # safetensors itself makes files that only their owner can read.
            temporary.write_bytes(tensors_as_bytes(tensors, {"audiointerp": details}))
        except SafetensorError as error:
            raise AudioInterpError(f"{path}: cannot be written ({error})") from error
