"""Files that are whole or not there."""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from .errors import AudioInterpError

LONGEST_COMMAND = 200
"""Characters of a command that a lock tells."""
ATTEMPTS = 5
"""To take a lock, some 20 ms apart."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path``, which takes its place when the block ends well and vanishes when it does not.

    What was written is on the disk before it takes its place, so a file that has its name is whole whatever happens.

    Raises:
        AudioInterpError: the folder is missing, or the system refuses to write there.
    """
    path = Path(path)
    if not path.name:
        raise AudioInterpError(f"{path}: names a folder, not a file")
    if not path.parent.is_dir():
        raise AudioInterpError(f"{path}: the folder {path.parent} does not exist")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        _to_disk(part)
        part.replace(path)
        _to_disk(path.parent)
    except OSError as error:
        raise AudioInterpError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str | os.PathLike[str], *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file; the system gives it up when the process ends, however it ends.

    Args:
        path: of the file, which tells who holds it, and stays.
        wait: whether to wait for another holder rather than to refuse.

    Raises:
        AudioInterpError: another process holds it; its number and command are named.
    """
    path = Path(path)
    make_folder(path.parent)
    with ExitStack() as held:
        try:
            file = held.enter_context(path.open("a+", encoding="utf-8", errors="backslashreplace"))
            _take(file, fcntl.LOCK_EX, wait)
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} ({shlex.join(sys.argv)[:LONGEST_COMMAND]})")
            file.flush()
        except OSError as error:
            raise AudioInterpError(f"{path}: cannot be written ({error.strerror or error})") from error
        yield


def refuse_held(path: Path) -> None:
    """Refuse to go on where another process holds a lock file.

    Raises:
        AudioInterpError: one does; its number and command are named.
    """
    with path.open(encoding="utf-8") as file:
        _take(file, fcntl.LOCK_SH, wait=False)


def _take(file: IO[str], kind: int, wait: bool) -> None:
    for attempt in range(1 if wait else ATTEMPTS):
        try:
            fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))
            return
        except BlockingIOError:  # held for long, or for the moment that another one looks
            time.sleep(0.02 * (attempt + 1 < ATTEMPTS))
    file.seek(0)
    holder = file.read().strip() or "another process"
    folder = Path(file.name).parent
    raise AudioInterpError(f"{folder}: {holder} writes there; wait for it, or give another folder")


def encodable(text: str) -> str:
    r"""A text that any file takes: what is no Unicode in it, a byte of a file's name say, is escaped.

    >>> encodable("d\udce9")
    'd\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made with its parents where it is missing.

    Raises:
        AudioInterpError: the system refuses, or a file stands in its place.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioInterpError(f"{folder}: cannot make this folder ({error.strerror or error})") from error
    return folder


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 file, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write plain values as JSON, whole or not at all; a NaN or an infinity becomes null, which JSON has a word for."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """Plain values as the JSON that :func:`write_json` writes."""
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds; None where there is none, or none that can be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def plain(content: Any) -> Any:
    """A value as JSON gives it back: keys are words, sequences are lists, what is no number is None."""
    if isinstance(content, dict):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [plain(value) for value in content]
    if isinstance(content, float) and (content != content or abs(content) == float("inf")):
        return None
    return content
