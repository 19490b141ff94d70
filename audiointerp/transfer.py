"""Files over HTTPS: resumed, checked, whole or not there, and never waited for without end.

What is there so far is ``NAME.part``; beside it ``NAME.part.json`` says which version of the file it belongs to. Only a part
of the same version is continued, and the finished file takes its name after its checksum held.
"""

import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .connection import Patience, TryAgain, check_url, open_url, said
from .errors import DownloadError
from .files import make_folder, write_json

CHUNK = 2**16
PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers of a server that may do better next time


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    md5: str | None,
    largest: int,
    local: bool = False,
    patience: Patience | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Path:
    """Fetch a file to ``path``; nothing is fetched where the right one is there already.

    Args:
        url: its address.
        path: where it goes. A file there whose checksum is wrong is moved to ``NAME.wrong``.
        md5: its checksum; None if none is known, and then a file that is there is taken as it is.
        largest: bytes that it may have.
        local: whether plain HTTP to this machine is allowed.
        patience: how long the server is waited for.
        progress: told the bytes that are there and, where known, all.

    Raises:
        DownloadError: every try failed, the server's file is not the right one or too large, the disk has no room, or
            another process fetches it. What could be had is kept for the next call, but never under the file's name.
    """
    path, patience = Path(path), patience or Patience()
    check_url(url, local)
    if _there(path, md5):
        return path
    make_folder(path.parent)
    transfer = _Transfer(url, path, largest, md5 is not None, local, patience, progress)
    with _part_of(path) as part:
        for number in range(1, patience.tries + 1):
            try:
                resumed = transfer.attempt(part)
                if md5 is None or _md5(part) == md5:
                    part.flush()
                    os.fsync(part.fileno())
                    transfer.part_path.replace(path)
                    transfer.note_path.unlink(missing_ok=True)
                    _sync_folder(path.parent)
                    return path
                transfer.forget(part)
                if not resumed:
                    raise DownloadError(
                        f"{url}: gives another file than the one wanted (its MD5 is not {md5}); not kept"
                    )
                failure = "the parts that were fetched do not fit together"
            except TryAgain as error:
                failure = str(error)
            except OSError as error:  # of the disk: those of the network are TryAgain
                raise DownloadError(f"{path}: cannot be written ({error.strerror or error})") from error
            if number < patience.tries:
                time.sleep(patience.pause * 2 ** (number - 1))
    raise DownloadError(f"{url}: failed {patience.tries} times, lastly: {failure:.200}; the same command continues")


def check_room(path: Path, needed: int) -> None:
    """Raise a DownloadError where the disk of ``path``, whose folder exists, has not so many bytes left."""
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise DownloadError(f"{path}: needs {needed} bytes, the disk has {free} left")


def _there(path: Path, md5: str | None) -> bool:
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        raise DownloadError(f"{path}: is not a file; move it away")
    with path.open("rb") as file:
        if md5 is None or _md5(file) == md5:
            return True
    path.replace(path.with_name(path.name + ".wrong"))
    return False


def _md5(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(2**20):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _part_of(path: Path) -> Iterator[IO[bytes]]:
    """The part, open and locked; an empty one is removed afterwards."""
    name = path.with_name(path.name + ".part")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        file = os.fdopen(os.open(name, flags, 0o666), "r+b")
    except OSError as error:
        raise DownloadError(f"{name}: cannot be written ({error.strerror or error})") from error
    try:
        if not _locked(file, name):
            raise DownloadError(f"{path}: another process is fetching it")
        try:
            yield file
        finally:
            with suppress(OSError):
                if name.stat().st_size == 0:
                    name.unlink()
                    name.with_name(name.name + ".json").unlink(missing_ok=True)
    finally:
        with suppress(OSError):  # what could not be written was told already
            file.close()


def _locked(file: IO[bytes], name: Path) -> bool:
    """Whether the part is now this process's; where the system knows no locks, it is."""
    if os.name != "posix":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network disks
        return True
    try:
        return os.path.samestat(os.fstat(file.fileno()), name.stat())  # another may just have given it the file's name
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # where a folder cannot be opened, Windows say, there is nothing to do
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class _Transfer:
    """One file of one server."""

    url: str
    path: Path
    largest: int
    checked: bool  # by a checksum, which finds parts that do not fit together
    local: bool
    patience: Patience
    progress: Callable[[int, int | None], None]

    @property
    def part_path(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def note_path(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def forget(self, part: IO[bytes]) -> None:
        """Begin again at the next try."""
        part.truncate(0)
        self.note_path.unlink(missing_ok=True)

    def attempt(self, part: IO[bytes]) -> bool:
        """Fetch what is missing of the file; whether a part was continued.

        Raises:
            TryAgain: the network or the server failed; what was had is in the part.
            DownloadError: another try would fail too.
        """
        note = self._note()
        have = part.seek(0, os.SEEK_END) if note and (note["version"] or self.checked) else 0
        if have and have == note["total"]:
            return True
        headers = {"User-Agent": "audiointerp", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if note["version"]:
                headers["If-Range"] = note["version"]
        try:
            with open_url(self.url, headers, self.local, self.patience) as response:
                return self._receive(part, response, have, note)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:
                self.forget(part)
                raise TryAgain("the part was longer than the server's file") from error
            if error.code not in PASSING:
                raise DownloadError(f"{self.url}: the server says {error.code} {said(error):.80}") from error
            raise TryAgain(f"the server says {error.code}") from error

    def _note(self) -> dict[str, Any]:
        """Which version of the file the part belongs to; empty where that is not known."""
        try:
            note = json.loads(self.note_path.read_text(encoding="utf-8"))
            fits = (
                note["url"] == self.url and isinstance(note["version"], str | None) and isinstance(note["total"], int)
            )
            return dict(note) if fits and (note["version"] is None or note["version"].isprintable()) else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}

    def _receive(self, part: IO[bytes], response: Any, have: int, note: dict[str, Any]) -> bool:
        version = _version(response.headers)
        if response.status not in (200, 206):
            raise DownloadError(f"{self.url}: the server answers {response.status} instead of the file")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(f"{self.url}: the server sends it packed, which was not asked for")
        if response.status == 206:
            total = _continues(response.headers, have)
            if not have or total != note["total"] or (note["version"] and version and version != note["version"]):
                self.forget(part)
                raise TryAgain("the file has changed on the server, or it sends another part than was asked for")
        else:
            have, total = 0, response.length
            self.forget(part)
        if total is not None:
            self._check_room(total, have)
            if response.status != 206:
                write_json(self.note_path, {"url": self.url, "version": version, "total": total})
        received = self._copy(part, response, have, total)
        if total is not None and received < total:
            raise TryAgain(f"cut at byte {received} of {total}")
        return have > 0

    def _check_room(self, total: int, have: int) -> None:
        if total > self.largest:
            raise DownloadError(f"{self.url}: {total} bytes are more than such a file has ({self.largest} at most)")
        check_room(self.path, total - have)

    def _copy(self, part: IO[bytes], response: Any, have: int, total: int | None) -> int:
        part.seek(have)
        while True:
            self.progress(have, total)
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise TryAgain(said(error)) from error
            if not chunk:
                part.flush()
                return have
            have += len(chunk)
            if have > self.largest:
                self.forget(part)
                raise DownloadError(f"{self.url}: sends more than such a file has ({self.largest} bytes at most)")
            part.write(chunk)


def _version(headers: Any) -> str | None:
    """What names this version of the file: a strong ETag, or else the date of its last change."""
    tag = headers.get("ETag")
    version: str | None = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    return version


def _continues(headers: Any, have: int) -> int | None:
    """The size of the whole file, where the answer begins at byte ``have`` and reaches its end; None elsewhere."""
    unit, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    wanted = f"{have}-{int(total) - 1}" if total.isdecimal() and len(total) < 20 else ""
    return int(total) if unit == "bytes" and span == wanted else None
