"""Files by path or URL: what is not on a disk is read and written through fsspec.

fsspec takes the credentials of a store from where its own client looks for them, e.g. the
environment. Its packages are optional: s3fs for ``s3://``, gcsfs for ``gs://``.
"""

import io
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import AudioInterpError
from .files import atomic_write, make_folder

# A drive of Windows has one letter.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
ATTEMPTS = 4
"""How often a request is made, if the store fails."""
PAUSE = 0.1
"""Seconds before the second request; they double from one to the next."""


def is_url(place: str | Path) -> bool:
    """Return whether a place is a URL, and not a path.

    >>> is_url("s3://clips/a.wav"), is_url("clips/a.wav"), is_url("C:/clips/a.wav")
    (True, False, False)
    """
    return isinstance(place, str) and _URL.match(place) is not None


def place_below(place: str, *parts: str) -> str:
    """Return a path or URL below another.

    >>> place_below("s3://clips/", "dogs", "a.wav"), place_below("clips", "a.wav")
    ('s3://clips/dogs/a.wav', 'clips/a.wav')
    """
    return "/".join([place.rstrip("/"), *parts])


@contextmanager
def open_binary(place: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading, by path or URL; it can be read from any position.

    Raises:
        AudioInterpError: it cannot be opened.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt").write_text("text")
    ...     with open_binary(f"file://{folder}/a.txt") as file:
    ...         file.read()
    b'text'
    """
    try:
        file = _opened(place)
    except (OSError, ValueError) as error:
        raise AudioInterpError(f"{place}: cannot be opened ({_reason(error)})") from error
    with file:
        yield cast("BinaryIO", file)


def read_bytes(place: str | Path) -> bytes:
    """Read a whole file by path or URL; a store that fails is asked again.

    Raises:
        AudioInterpError: it cannot be read.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(f"{folder}/b/a.txt", b"text")
    ...     read_bytes(f"{folder}/b/a.txt")
    b'text'
    """
    try:
        if not is_url(place):
            return Path(place).read_bytes()
        file_system, path = _file_system(str(place))
        return cast("bytes", _retried(file_system.cat_file, path))
    except Exception as error:
        raise AudioInterpError(f"{place}: cannot be read ({_reason(error)})") from error


def write_bytes(place: str | Path, content: bytes) -> None:
    """Write a file by path or URL, completely or not at all; folders are made.

    Raises:
        AudioInterpError: it cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(f"file://{folder}/b/a.txt", b"text")
    ...     Path(folder, "b/a.txt").read_bytes()
    b'text'
    """
    if not is_url(place):
        make_folder(Path(place).parent)
        with atomic_write(place) as partial:
            partial.write_bytes(content)
        return
    try:
        file_system, path = _file_system(str(place))
        if "file" in file_system.protocol:
            write_bytes(path, content)
        else:
            # A store shows an object only when all of it is there.
            _retried(file_system.pipe_file, path, content)
    except AudioInterpError:
        raise
    except Exception as error:
        raise AudioInterpError(f"{place}: cannot be written ({_reason(error)})") from error


def file_names(place: str) -> list[str]:
    """List the names of the files in a folder by path or URL; none if it does not exist.

    Raises:
        AudioInterpError: the store does not answer.

    >>> file_names("no such folder")
    []
    """
    if not is_url(place):
        folder = Path(place)
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    try:
        file_system, path = _file_system(place)
        file_system.invalidate_cache()
        listed = _retried(file_system.ls, path, detail=False)
    except FileNotFoundError:
        return []
    except Exception as error:
        raise AudioInterpError(f"{place}: cannot be listed ({_reason(error)})") from error
    return sorted(name.rstrip("/").rsplit("/", 1)[-1] for name in listed)


def delete_file(place: str) -> None:
    """Delete a file by path or URL.

    Raises:
        AudioInterpError: it cannot be deleted.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(f"{folder}/a.txt", b"text")
    ...     delete_file(f"{folder}/a.txt")
    ...     file_names(folder)
    []
    """
    try:
        if not is_url(place):
            Path(place).unlink(missing_ok=True)
            return
        file_system, path = _file_system(place)
        _retried(file_system.rm_file, path)
    except Exception as error:
        raise AudioInterpError(f"{place}: cannot be deleted ({_reason(error)})") from error


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """Give a temporary file with the content of a URL, of the same name.

    Raises:
        AudioInterpError: it cannot be read.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_bytes(f"{folder}/a.txt", b"text")
    ...     with local_copy(f"file://{folder}/a.txt") as path:
    ...         path.name, path.read_bytes()
    ('a.txt', b'text')
    """
    content = read_bytes(url)
    with tempfile.TemporaryDirectory(prefix="audiointerp-") as folder:
        path = Path(folder, url.rstrip("/").rsplit("/", 1)[-1])
        path.write_bytes(content)
        yield path


def _file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path in it."""
    import fsspec

    file_system, path = fsspec.core.url_to_fs(url)
    return file_system, path


def _opened(place: str | Path) -> Any:
    if not is_url(place):
        return Path(place).open("rb")
    file_system, path = _file_system(str(place))
    file = _retried(file_system.open, path, "rb")
    # A file of a store is read in large blocks, but its readline takes no limit.
    return file if "file" in file_system.protocol else io.BufferedReader(file)


def _retried(request: Any, *arguments: Any, **options: Any) -> Any:
    """Make a request again if the store fails; what is missing or refused is not asked again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _request(request, *arguments, **options)
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except OSError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE * 2 ** (attempt - 1))
    raise AssertionError


def _request(function: Any, *arguments: Any, **options: Any) -> Any:
    """Make one request; the tests let it fail."""
    return function(*arguments, **options)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
