"""The gate for archives: zip and tar(.gz) from elsewhere become a folder, whole or not at all, and write nowhere else.

Sizes are counted while they are written: what an archive says of itself is not believed.
"""

import gzip
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from .errors import DownloadError
from .files import make_folder

CHUNK = 2**16
LONGEST_HEAD = 2**17  # bytes that one entry of a tar may take for its name and attributes
LONGEST_TAIL = 2**20  # bytes of nothing after a tar's last entry
DEEPEST = 32  # folders
SLACK = 2**20  # bytes that any archive may unpack to, so that the ratio does not forbid a small text
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:|^/")


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to: entries, bytes, and bytes for each of its own."""

    members: int = 100_000
    size: int = 2**33
    ratio: float = 100.0


@dataclass(frozen=True)
class Member:
    """An entry: its name, what it is (``"file"``, ``"folder"`` or what is refused), its size as stated, its content."""

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes] | None]


def extract(archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: Limits | None = None) -> Path:
    """Unpack a zip, tar or tar.gz file into a new folder, which appears when it is complete.

    Files and folders are made, with the system's usual permissions; nothing is executed, linked or overwritten.

    Args:
        archive: the file; its content, not its name, says which kind it is.
        folder: the folder to make; it must not be there.
        limits: what it may unpack to.

    Raises:
        DownloadError: the folder exists; the archive is damaged or past a limit; or an entry leads out of the folder, is a
            link or a device, or stands twice.
    """
    folder = Path(folder)
    if os.path.lexists(folder):
        raise DownloadError(f"{folder}: exists already; move it away to unpack {archive} there")
    make_folder(folder.parent)
    with unpacked(archive, folder, limits) as content:
        try:
            content.rename(folder)
        except OSError as error:
            raise DownloadError(f"{folder}: cannot be made ({error.strerror or error})") from error
    return folder


@contextmanager
def unpacked(
    archive: str | os.PathLike[str], beside: str | os.PathLike[str], limits: Limits | None = None
) -> Iterator[Path]:
    """The content of an archive in a temporary folder beside a path; it vanishes afterwards unless it was renamed.

    Raises:
        DownloadError: as for :func:`extract`.
    """
    archive, beside = Path(archive), Path(beside)
    if not archive.is_file():
        raise DownloadError(f"{archive}: no such archive")
    try:
        temporary = Path(tempfile.mkdtemp(dir=beside.parent, prefix=f".{beside.name}.part-"))
    except OSError as error:
        raise DownloadError(f"{beside.parent}: cannot be written ({error.strerror or error})") from error
    try:
        content = temporary / "content"  # with the usual permissions, which mkdtemp does not give
        content.mkdir()
        _unpack(archive, content, limits or Limits())
        yield content
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(archive: Path, content: Path, limits: Limits) -> None:
    try:
        allowed = min(limits.size, int(limits.ratio * archive.stat().st_size) + SLACK)
        written = 0
        for count, member in enumerate(_members(archive, limits), start=1):
            if count > limits.members:
                raise DownloadError(f"{archive}: more than {limits.members} entries")
            written += _write(archive, member, content, allowed - written)
    except DownloadError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        text = getattr(error, "strerror", None) or next(iter(str(error).splitlines()), type(error).__name__)
        raise DownloadError(f"{archive}: cannot be unpacked ({text:.200})") from error


def _write(archive: Path, member: Member, content: Path, allowed: int) -> int:
    """Write one entry; the bytes that it took."""
    path = content.joinpath(*_parts(archive, member))
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        raise DownloadError(f"{archive}: its entry {member.name!r:.80} stands twice")
    written = 0
    source = member.open()
    assert source is not None  # of a file
    with source, path.open("xb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > allowed:
                raise DownloadError(f"{archive}: unpacks to more than its limit, at its entry {member.name!r:.80}")
            file.write(chunk)
    if written != member.size:
        raise DownloadError(
            f"{archive}: its entry {member.name!r:.80} has {written} bytes, not {member.size} as stated"
        )
    return written


def _parts(archive: Path, member: Member) -> list[str]:
    """The folders and the name of an entry, all below the folder that is made."""
    if member.kind not in ("file", "folder"):
        raise DownloadError(f"{archive}: its entry {member.name!r:.80} is {member.kind}")
    parts = [part for part in member.name.rstrip("/").split("/") if part != "."]
    if (
        FORBIDDEN.search(member.name)
        or {"", ".."} & set(parts)
        or len(parts) > DEEPEST
        or not (parts or member.kind == "folder")
    ):
        raise DownloadError(f"{archive}: its entry {member.name!r:.80} is not a path inside the folder")
    return parts


def _members(archive: Path, limits: Limits) -> Iterator[Member]:
    with archive.open("rb") as file:
        start = file.read(262)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(archive, limits)
    if start.startswith(b"\x1f\x8b") or start[257:] == b"ustar":
        return _tar_members(archive, limits, packed=start.startswith(b"\x1f\x8b"))
    raise DownloadError(f"{archive}: not a zip, tar or tar.gz file")


def _zip_members(archive: Path, limits: Limits) -> Iterator[Member]:
    if _count(archive, b"PK\x01\x02", limits.members) > limits.members:  # before zipfile makes an object of each
        raise DownloadError(f"{archive}: more than {limits.members} entries")
    with zipfile.ZipFile(archive) as file:
        with archive.open("rb") as raw:
            raw.seek(-22 - len(file.comment) + 10, os.SEEK_END)  # the end record's own count, which zipfile ignores
            stated = int.from_bytes(raw.read(2), "little")
        if stated not in (len(file.infolist()), 0xFFFF):  # that, where it does not fit into 16 bits
            raise DownloadError(f"{archive}: states {stated} entries and lists {len(file.infolist())}")
        for info in file.infolist():
            name = info.orig_filename if "\0" in info.orig_filename else info.filename  # zipfile cuts names at a NUL
            kind = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "a symbolic link"}.get(
                stat.S_IFMT(info.external_attr >> 16), "a device"
            )
            if kind in ("file", "folder"):
                kind = "folder" if name.endswith("/") else "file"
            if info.flag_bits & 1:
                kind = "encrypted"
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                kind = "compressed in an unusual way"
            yield Member(name, kind, info.file_size, partial(file.open, info))


def _count(path: Path, mark: bytes, most: int) -> int:
    """How often a mark stands in a file, counted up to a little more than ``most``."""
    count, tail = 0, b""
    with path.open("rb") as file:
        while count <= most and (chunk := file.read(2**20)):
            count += (tail + chunk).count(mark)
            tail = chunk[-len(mark) + 1 :]
    return count


TAR_KINDS = {
    tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link", tarfile.GNUTYPE_SPARSE: "a sparse file",
}  # fmt: skip


def _tar_members(archive: Path, limits: Limits, packed: bool) -> Iterator[Member]:
    longest = limits.size + limits.members * 4 * 512
    with (
        gzip.open(archive) if packed else archive.open("rb") as raw,
        tarfile.open(fileobj=_Bounded(raw, longest), mode="r:") as file,  # type: ignore[call-overload]  # enough of a file
    ):
        for info in file:
            kind = "a sparse file" if info.issparse() else TAR_KINDS.get(info.type, "a device")
            yield Member(info.name, kind, info.size, partial(file.extractfile, info))
        raw.seek(file.offset)  # tarfile takes any broken head for the end
        tail = raw.read(LONGEST_TAIL + 1)  # reading it to its end checks gzip's own checksum, too
        if not 512 <= len(tail) <= LONGEST_TAIL or any(tail):
            raise DownloadError(f"{archive}: is damaged, or cut, at byte {file.offset} of its content")


class _Bounded:
    """A file that is not read too far, nor too much at a time: tarfile reads the head of an entry in one go."""

    def __init__(self, file: Any, longest: int) -> None:
        self.file, self.longest = file, longest

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LONGEST_HEAD:
            raise ValueError(f"the head of an entry has {size} bytes")
        data: bytes = self.file.read(size)
        return data

    def seek(self, place: int) -> int:
        if place > self.longest:
            raise ValueError(f"an entry ends at byte {place}")
        return int(self.file.seek(place))

    def tell(self) -> int:
        return int(self.file.tell())
