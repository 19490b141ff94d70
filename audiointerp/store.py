"""Where a run keeps what it has done: one part a clip and method, whole or not there, and the table made of the parts.

A method's folder holds ``parts/`` (a settings file, and a file a clip), ``attributions/``, and, when every clip has its part,
``metrics.csv`` and ``run.json``. A part never changes, but for one that tells an error: that clip is tried again.
"""

import csv
import hashlib
import io
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from safetensors import SafetensorError
from safetensors.torch import save_file

from .errors import ArgumentError, AudioInterpError
from .files import json_text, locked, make_folder, plain, read_json, refuse_held, replacing, write_json, write_text
from .interpretation import Attribution
from .rows import COLUMNS, Heard, MethodRows, read_rows

SETTINGS = "settings.json"
PART: dict[str, tuple[type, ...]] = {
    "settings_sha256": (str,), "clip_sha256": (str,), "status": (str,), "rows": (int,), "seconds": (int, float),
    "threads": (int,), "csv": (str,),
}  # fmt: skip
"""What a part tells, and in which types."""
LONGEST_NAME = 150
"""Characters of a clip's name in that of its attribution; the number before it tells it from others."""
LONGEST_VALUE = 40
"""Characters of a setting that an error shows."""
ANEW = "give another folder of results, or begin anew with resume=False (--no-resume)"


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

    def clear(self) -> None:
        """Throw away what is there; the tables first, so that none stands beside parts of another run."""
        for name in ("metrics.csv", "run.json"):
            (self.folder / name).unlink(missing_ok=True)
        for name in ("attributions", "parts"):
            if (self.folder / name).exists():
                shutil.rmtree(self.folder / name)

    def begin(self) -> None:
        """Write down what the parts will depend on.

        Raises:
            ArgumentError: what is there was made with other settings; they are named.
        """
        make_folder(self.folder / "parts")
        with self._alone():
            _refuse_other_settings(self)
            _write_if_other(self.folder / "parts" / SETTINGS, json_text(self.settings))

    def lacks(self, index: int, heard: Heard) -> bool:
        """Whether a clip has no part yet, or one that tells an error, or no attribution where they are kept.

        Raises:
            AudioInterpError: its part was made of another sound, or with other settings.
        """
        part = self._read(index)
        if part is None or part["status"] != "ok":
            return True
        if heard.error is not None:
            warnings.warn(f"{heard.name} cannot be read now ({heard.error}); what it gave before is kept", stacklevel=4)
            return False
        if part["clip_sha256"] != heard.sha256:
            raise AudioInterpError(
                f"{self._part(index)}: {heard.name} is no longer the sound that this was made of: the clip or the noise was "
                f"changed, or the run begun on another kind of processor; {ANEW}"
            )
        path = self._attribution(index)
        return self.attributions and not (path.is_file() and path.stat().st_size > 0)

    def put(self, index: int, heard: Heard, made: MethodRows, seconds: float, threads: int) -> None:
        """Keep what came of a clip, in how many seconds and by how many threads; a part that is well stays as it is."""
        if self.attributions and made.attribution is not None:
            _save_attribution(self._attribution(index), made.attribution)
        part = self._read(index)
        if part is not None and part["status"] == "ok":
            return
        frame = pd.DataFrame(made.rows, columns=list(COLUMNS))
        told = {
            "settings_sha256": self._settings_sha256,
            "clip_sha256": heard.sha256,
            "status": made.rows[0]["status"],
            "rows": len(frame),
            "seconds": round(seconds, 3),
            "threads": threads,
            "csv": frame.to_csv(index=False, header=False, lineterminator="\n"),
        }
        write_json(self._part(index), told)

    def assemble(self) -> pd.DataFrame:
        """The rows of all clips that have a part; if every clip has, ``metrics.csv`` and ``run.json`` are written too."""
        with self._alone():  # the parts too, lest another shard that ends now writes a newer table in between
            parts = self._parts()
            table = _table(parts)
            if len(parts) == len(self.clips):
                self._write(parts, table)
        return read_rows(io.StringIO(table))

    def _write(self, parts: Sequence[Mapping[str, Any]], table: str) -> None:
        told = {
            "method": self.folder.name,
            **self.settings,
            "clips_sha256": _digest(parts),
            "rows": sum(part["rows"] for part in parts),
            "errors": sum(part["status"] == "error" for part in parts),
            "seconds": round(sum(part["seconds"] for part in parts), 1),
            "threads": sorted({part["threads"] for part in parts}),
        }
        _write_if_other(self.folder / "metrics.csv", table)
        _write_if_other(self.folder / "run.json", json_text(told))

    def _alone(self) -> AbstractContextManager[None]:
        """Two shards may begin, or end, at once."""
        return locked(self.folder / ".lock-shared", wait=True)

    def _parts(self) -> list[dict[str, Any]]:
        found = (self._read(index) for index in range(len(self.clips)))
        return [part for part in found if part is not None]

    def _read(self, index: int) -> dict[str, Any] | None:
        """A clip's part; None where there is none, or what stands there is none of this clip and method."""
        part = read_json(self._part(index))
        if not isinstance(part, dict) or any(type(part.get(name)) not in kinds for name, kinds in PART.items()):
            return None
        if part["settings_sha256"] != self._settings_sha256:
            raise AudioInterpError(f"{self._part(index)}: was made with other settings than these; {ANEW}")
        rows = list(csv.reader(io.StringIO(part["csv"])))
        own = {(len(COLUMNS), self.folder.name, self.clips[index])}
        whole = len(rows) == part["rows"] and {(len(row), *row[:2]) for row in rows} == own
        return part if whole else None

    @cached_property
    def _settings_sha256(self) -> str:
        return hashlib.sha256(json_text(self.settings).encode()).hexdigest()

    def _part(self, index: int) -> Path:
        return self.folder / "parts" / f"{index:05d}.json"

    def _attribution(self, index: int) -> Path:
        name = quote(self.clips[index], safe=" ")[:LONGEST_NAME]
        return self.folder / "attributions" / f"{index:05d} {name}.safetensors"


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
        raise ArgumentError(
            "resume=False (--no-resume) with a shard would throw away what the others do: empty the folder first"
        )
    with ExitStack() as held:
        for store in stores:
            held.enter_context(locked(store.folder / f".lock-{shard[0]}-of-{shard[1]}"))
            _refuse_other_division(store.folder, shard[1])
        for store in stores:
            if not resume:
                store.clear()
            if shard == (1, 1):
                for stray in store.folder.rglob(
                    ".*.part*"
                ):  # of a process that was killed; no other writes the same files
                    stray.unlink(missing_ok=True)
            store.begin()
        yield


def _refuse_other_division(folder: Path, shards: int) -> None:
    """Shards of one division share no clip; those of two may."""
    for path in folder.glob(".lock-*-of-*"):
        if not path.name.endswith(f"-of-{shards}"):
            refuse_held(path)


def _refuse_other_settings(store: Store) -> None:
    found = (read_json(path) for path in (store.folder / "parts" / SETTINGS, store.folder / "run.json"))
    before = next((record for record in found if isinstance(record, dict)), None)
    if before is None:
        return
    now = plain(dict(store.settings))
    other = [difference for name in now for difference in _differences(name, before.get(name), now[name])]
    if other:
        raise ArgumentError(f"{store.folder} holds results of other settings ({'; '.join(other)}); {ANEW}")


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
