"""Files that are whole or not there."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import AudioInterpError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary name beside ``path``, which takes its place when the block ends well and vanishes when it does not.

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
        part.replace(path)
    except OSError as error:
        raise AudioInterpError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


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
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    if isinstance(content, float) and (content != content or abs(content) == float("inf")):
        return None
    return content
