"""Where a run keeps what it has done: one part a clip and method, whole or not there, and the table made of the parts.

A method's folder holds ``parts/`` (a settings file, and a file a clip), ``attributions/``, and, when every clip has its part,
``metrics.csv`` and ``run.json``. A part never changes, but for one that tells an error: that clip is tried again.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import save_file

from .errors import ArgumentError, AudioInterpError
from .files import json_text, locked, make_folder, plain, read_json, replacing, write_json, write_text
from .interpretation import Attribution
from .rows import COLUMNS, Heard, MethodRows, read_rows

SETTINGS = "settings.json"
PART = {"clip_sha256", "status", "rows", "seconds", "csv"}
"""What a part tells."""
LONGEST_VALUE = 40
"""Characters of a setting that an error shows."""


@dataclass(frozen=True)
class Store:
    """The results of one method in one experiment.

    Attributes:
        folder: of the method.
        settings: what the results depend on: plain values.
        clips: their names, in the order of the table.
        attributions: whether these are kept too.
    """

    folder: Path
    settings: Mapping[str, Any]
    clips: Sequence[str]
    attributions: bool = True

    def begin(self) -> None:
        """Write down what the parts will depend on."""
        path = self.folder / "parts" / SETTINGS
        make_folder(path.parent)
        with self._alone():
            _write_if_other(path, json_text(self.settings))

    def lacks(self, index: int, heard: Heard) -> bool:
        """Whether a clip has no part yet, or one that tells an error.

        Raises:
            AudioInterpError: its part was made of another sound.
        """
        part = self._read(index)
        if part is None or part["status"] != "ok":
            return True
        if part["clip_sha256"] != heard.sha256:
            raise AudioInterpError(
                f"{self._part(index)}: {heard.name} is no longer the sound that this was made of; give another folder "
                f"(--out), or --no-resume to begin anew"
            )
        return self.attributions and not self._attribution(index).exists()

    def put(self, index: int, heard: Heard, made: MethodRows, seconds: float) -> None:
        """Keep what came of a clip."""
        if self.attributions and made.attribution is not None:
            _save_attribution(self._attribution(index), made.attribution)
        frame = pd.DataFrame(made.rows, columns=list(COLUMNS))
        part = {
            "clip_sha256": heard.sha256,
            "status": made.rows[0]["status"],
            "rows": len(frame),
            "seconds": round(seconds, 3),
            "csv": frame.to_csv(index=False, header=False, lineterminator="\n"),
        }
        write_json(self._part(index), part)

    def read(self) -> pd.DataFrame:
        """The rows of all clips that have a part."""
        return read_rows(io.StringIO(_table(self._parts())))

    def assemble(self, record: Mapping[str, Any]) -> bool:
        """Write ``metrics.csv`` and ``run.json`` if every clip has its part; whether they have.

        Args:
            record: what else ``run.json`` should tell.
        """
        parts = self._parts()
        if len(parts) < len(self.clips):
            return False
        with self._alone():
            _write_if_other(self.folder / "metrics.csv", _table(parts))
            told = {
                "method": self.folder.name,
                **self.settings,
                **record,
                "clips_sha256": _digest(parts),
                "rows": sum(part["rows"] for part in parts),
                "errors": sum(part["status"] == "error" for part in parts),
                "seconds": round(sum(part["seconds"] for part in parts), 1),
            }
            _write_if_other(self.folder / "run.json", json_text(told))
        return True

    def _alone(self) -> AbstractContextManager[None]:
        """Two shards may begin, or end, at once."""
        return locked(self.folder / ".lock-shared", wait=True)

    def _parts(self) -> list[dict[str, Any]]:
        found = (self._read(index) for index in range(len(self.clips)))
        return [part for part in found if part is not None]

    def _read(self, index: int) -> dict[str, Any] | None:
        part = read_json(self._part(index))
        return part if isinstance(part, dict) and part.keys() >= PART else None

    def _part(self, index: int) -> Path:
        return self.folder / "parts" / f"{index:05d}.json"

    def _attribution(self, index: int) -> Path:
        return self.folder / "attributions" / f"{quote(self.clips[index], safe=' ')}.safetensors"


@contextmanager
def opened(stores: Sequence[Store], shard: tuple[int, int], resume: bool) -> Iterator[None]:
    """Hold the stores for one writer, or for one of each shard.

    Args:
        stores: of the methods that will be run.
        shard: (i, n), from (1, 1).
        resume: whether to go on with what is there; otherwise it is thrown away.

    Raises:
        AudioInterpError: another process writes there.
        ArgumentError: to go on is impossible, since what is there was made with other settings; they are named.
    """
    if not resume and shard != (1, 1):
        raise ArgumentError("--no-resume with a shard would throw away what the others do: empty the folder first")
    with ExitStack() as held:
        for store in stores:
            held.enter_context(locked(store.folder / f".lock-{shard[0]}-of-{shard[1]}"))
            _refuse_other_division(store.folder, shard[1])
        for store in stores:
            if resume:
                _refuse_other_settings(store)
        for store in stores:
            if not resume:
                for name in ("parts", "attributions"):
                    shutil.rmtree(store.folder / name, ignore_errors=True)
            for stray in store.folder.rglob(".*.part*"):  # of a process that was killed; no other writes the same files
                if shard == (1, 1):
                    stray.unlink(missing_ok=True)
            store.begin()
        yield


def _refuse_other_division(folder: Path, shards: int) -> None:
    """Shards of one division share no clip; those of two may."""
    for path in folder.glob(".lock-*-of-*"):
        if not path.name.endswith(f"-of-{shards}"):
            with locked(path):
                pass


def _refuse_other_settings(store: Store) -> None:
    before = read_json(store.folder / "parts" / SETTINGS) or read_json(store.folder / "run.json")
    if not isinstance(before, dict):
        return
    now = plain(dict(store.settings))
    other = [difference for name in now for difference in _differences(name, before.get(name), now[name])]
    if other:
        raise ArgumentError(
            f"{store.folder} holds results of other settings ({'; '.join(other)}); give another folder (--out), or "
            f"--no-resume to replace them"
        )


def _differences(name: str, before: Any, now: Any) -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        inner = [_differences(f"{name}.{key}", before.get(key), now.get(key)) for key in {**before, **now}]
        return [difference for found in inner for difference in found]
    return [] if before == now else [f"{name}: {_shown(before)} there, {_shown(now)} now"]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _table(parts: Sequence[Mapping[str, Any]]) -> str:
    return ",".join(COLUMNS) + "\n" + "".join(part["csv"] for part in parts)


def _digest(parts: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256("".join(part["clip_sha256"] for part in parts).encode()).hexdigest()


def _write_if_other(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        write_text(path, text)


def _save_attribution(path: Path, attribution: Attribution) -> None:
    make_folder(path.parent)
    tensors = {"values": attribution.values.cpu().contiguous(), "probs": attribution.probs.cpu().contiguous()}
    told = json.dumps({"target": int(attribution.target), "method": attribution.method})
    with replacing(path) as part:
        try:
            save_file(tensors, part, metadata={"audiointerp": told})
        except SafetensorError as error:
            raise AudioInterpError(f"{path}: cannot be written ({error})") from error
