"""Files that are written completely or not at all, locks, and JSON."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import AudioInterpError

LONGEST_COMMAND = 200
"""Characters of the holder's command that a lock file keeps."""
LOCK_ATTEMPTS = 5
LOCK_PAUSE = 0.02
"""Seconds between two attempts to take a lock."""


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``; the file written there replaces ``path`` at the end.

    If the block raises, the temporary file is removed and ``path`` stays as it was. The content is
    flushed to the disk before it is renamed, so ``path`` is complete even after a power cut. A
    killed process leaves ``.NAME.partial.SUFFIX`` behind.

    Raises:
        AudioInterpError: the folder is missing, the path is a folder, a device or a pipe, or the
            system refuses to write there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(f"{folder}/note.txt") as partial:
    ...         _ = partial.write_text("complete")
    ...     Path(folder, "note.txt").read_text()
    'complete'
    """
    path = Path(path)
    if not path.name:
        raise AudioInterpError(f"{path}: names a folder, not a file")
    if not path.parent.is_dir():
        raise AudioInterpError(f"{path}: the folder {path.parent} does not exist")
    if path.exists() and not path.is_file():
        # Else a device or a pipe, e.g. /dev/null of a root user, would become a file.
        raise AudioInterpError(f"{path}: exists and is no file")
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        _flush_to_disk(partial)
        partial.replace(path)
        # Windows cannot open a folder, and needs no flush of one.
        if os.name == "posix":
            _flush_to_disk(path.parent)
    except OSError as error:
        raise AudioInterpError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    # Windows flushes only what is open for writing; elsewhere, a folder can only be read.
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str | os.PathLike[str], *, wait: bool = False) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system releases it when the process ends.

    The file names the process that holds it, and is not deleted. Systems without ``fcntl``
    (Windows) take no lock: there, do not let two processes write to one folder.

    Args:
        path: the lock file; its folder is created if missing.
        wait: whether to wait while another process holds the lock, instead of raising an error.

    Raises:
        AudioInterpError: another process holds the lock (the message names it), or the file cannot
            be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(f"{folder}/.lock"):
    ...     Path(folder, ".lock").read_text().startswith("process ")
    True
    """
    path = Path(path)
    make_folder(path.parent)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("a+", encoding="utf-8", errors="backslashreplace"))
            _take_lock(file, shared=False, wait=wait)
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} ({shlex.join(sys.argv)[:LONGEST_COMMAND]})")
            file.flush()
        except OSError as error:
            raise AudioInterpError(
                f"{path}: cannot be written ({error.strerror or error})"
            ) from error
        yield


def refuse_held(path: Path) -> None:
    """Raise an error if another process holds the lock on a file.

    Raises:
        AudioInterpError: another process holds the lock; the message names it.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     refuse_held(Path(file.name))
    """
    with path.open(encoding="utf-8") as file:
        _take_lock(file, shared=True, wait=False)


def _take_lock(file: IO[str], *, shared: bool, wait: bool) -> None:
    try:
        import fcntl
    except ImportError:
        return
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    if wait:
        fcntl.flock(file, operation)
        return
    # Another process may hold the lock only for the moment in which it calls `refuse_held`.
    for attempt in range(LOCK_ATTEMPTS):
        if attempt:
            time.sleep(LOCK_PAUSE)
        try:
            fcntl.flock(file, operation | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            continue
    file.seek(0)
    holder = file.read().strip() or "another process"
    folder = Path(file.name).parent
    raise AudioInterpError(f"{folder}: {holder} writes there; wait for it, or give another folder")


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder, with its parents, if it does not exist; return its path.

    Raises:
        AudioInterpError: the system refuses, or a file has that name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(f"{folder}/a/b").is_dir()
    True
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioInterpError(
            f"{folder}: cannot make this folder ({error.strerror or error})"
        ) from error
    return folder


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 file, completely or not at all.

    Raises:
        AudioInterpError: as for :func:`atomic_write`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(f"{folder}/note.txt", "short")
    ...     Path(folder, "note.txt").read_text()
    'short'
    """
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write plain values as a JSON file, completely or not at all.

    Args:
        path: the file.
        content: see :func:`plain`; NaN and infinities become null.

    Raises:
        AudioInterpError: as for :func:`atomic_write`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(f"{folder}/run.json", {"seed": 0})
    ...     read_json(f"{folder}/run.json")
    {'seed': 0}
    """
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """Return the JSON text that :func:`write_json` writes.

    >>> print(json_text({"p": float("nan")}), end="")
    {
      "p": null
    }
    """
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: str | os.PathLike[str]) -> Any:
    """Return the content of a JSON file; None if it is missing or cannot be read.

    >>> read_json("no such file.json") is None
    True
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def plain(content: Any) -> Any:
    """Return a value as it comes back from JSON: text keys, lists, and None for NaN and infinities.

    >>> plain({1: (2, float("inf"))})
    {'1': [2, None]}
    """
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if isinstance(content, float) and (content != content or abs(content) == float("inf")):
        return None
    return content
