"""Unpack untrusted zip archives: completely or not at all, and never outside the folder."""

import os
import re
import shutil
import stat
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import DownloadError
from ..util import make_folder, one_line

MOST_FOLDERS = 32
"""How deep an entry may be nested."""
SLACK = 2**20
"""Bytes that any archive may unpack to; a small text may exceed the ratio."""
LONGEST_REASON = 200
HEADER_SIGNATURE = b"PK\x01\x02"
ZIP64_COUNT = 0xFFFF
"""Stated where the number of entries does not fit into 16 bits."""
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:|^/")
"""Control characters, backslashes, drive letters and absolute paths."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to.

    Attributes:
        members: the most entries.
        size: the most bytes in total.
        ratio: the most bytes in total for each byte of the archive.

    >>> Limits(members=10).size
    8589934592
    """

    members: int = 100_000
    size: int = 2**33
    ratio: float = 100.0


def extract(
    archive: str | os.PathLike[str], folder: str | os.PathLike[str], limits: Limits | None = None
) -> Path:
    """Unpack a zip archive into a new folder, which appears only when it is complete.

    Args:
        archive: the zip file.
        folder: the folder to create; it must not exist.
        limits: the defaults of :class:`Limits` if None.

    Returns:
        The path of the folder.

    Raises:
        DownloadError: the folder exists; the archive is damaged or exceeds a limit; or an entry is
            a link or a device, is a duplicate, or has a path outside the folder.

    >>> with tempfile.TemporaryDirectory() as place:
    ...     with zipfile.ZipFile(f"{place}/a.zip", "w") as file:
    ...         file.writestr("b/c.txt", "text")
    ...     folder = extract(f"{place}/a.zip", f"{place}/a")
    ...     (folder / "b" / "c.txt").read_text()
    'text'
    """
    archive, folder = Path(archive), Path(folder)
    if os.path.lexists(folder):
        raise DownloadError(f"{folder}: exists already; move it away to unpack {archive} there")
    partial = f".{folder.name}.partial-"
    try:
        with tempfile.TemporaryDirectory(dir=make_folder(folder.parent), prefix=partial) as place:
            # The temporary folder itself is private to this user; a folder inside is not.
            content = Path(place, "content")
            content.mkdir()
            _unpack(archive, content, limits or Limits())
            content.rename(folder)
    except DownloadError:
        raise
    # zipfile raises errors of many types on a damaged archive.
    except Exception as error:
        reason = one_line(getattr(error, "strerror", None) or error, LONGEST_REASON)
        raise DownloadError(f"{archive}: cannot be unpacked ({reason})") from error
    return folder


def _unpack(archive: Path, content: Path, limits: Limits) -> None:
    with archive.open("rb") as raw:
        # zipfile keeps an object for each entry in memory, so entries are counted before.
        chunks = iter(lambda: raw.read(2**20), b"")
        if sum(chunk.count(HEADER_SIGNATURE) for chunk in chunks) > limits.members:
            raise DownloadError(f"{archive}: has more than {limits.members} entries")
        with zipfile.ZipFile(raw) as file:
            entries = file.infolist()
            # zipfile ignores the number of entries that the last record states.
            raw.seek(-12 - len(file.comment), os.SEEK_END)
            stated = int.from_bytes(raw.read(2), "little")
            if stated not in (len(entries), ZIP64_COUNT):
                raise DownloadError(f"{archive}: states {stated} entries, lists {len(entries)}")
            # zipfile never reads more bytes of an entry than its header states.
            most_bytes = min(limits.size, int(limits.ratio * archive.stat().st_size) + SLACK)
            if sum(entry.file_size for entry in entries) > most_bytes:
                raise DownloadError(f"{archive}: unpacks to more than {most_bytes} bytes")
            for entry in entries:
                fault = _fault(entry) or _write(file, entry, content)
                if fault:
                    raise DownloadError(f"{archive}: entry {entry.orig_filename!r:.80} {fault}")


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Say why an entry must not be unpacked; None if it may be."""
    # zipfile cuts `filename` at a NUL; `orig_filename` is what the archive says.
    name = entry.orig_filename
    parts = name.removesuffix("/").split("/")
    leads_out = FORBIDDEN.search(name) or {"", ".."} & set(parts) or len(parts) > MOST_FOLDERS
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if leads_out:
        return "is not a path inside the folder"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in an unusual way"
    return None


def _write(file: zipfile.ZipFile, entry: zipfile.ZipInfo, content: Path) -> str | None:
    """Write an entry below the folder ``content``; say what is wrong with it, or None."""
    path = content / entry.orig_filename
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return "is a duplicate"
    with file.open(entry) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target)
        written = target.tell()
    if written != entry.file_size:
        return f"has {written} bytes, not {entry.file_size} as stated"
    return None
