"""A folder of tensors that are slow to make: decoded sounds and features.

It is off unless a call or the environment variable names it, since it writes copies of the user's
sounds to the disk. Each entry is a file of its own, named by the SHA-256 of everything that the
tensor depends on. So an entry is never out of date, any process can use the folder, and it, or a
part of it, can be deleted at any time.
"""

import hashlib
import json
import os
import threading
import time
import uuid
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..errors import ArgumentError, AudioInterpError
from .files import make_folder

VARIABLE = "AUDIOINTERP_CACHE"
"""The environment variable: a folder; ``on`` for the system's folder of caches; ``off``."""
MAX_BYTES = 2**33
"""The most bytes of a cache by default: 8 GiB, 13,000 clips of 5 s at 32 kHz."""
ROOM = 0.9
"""The share of the most bytes that is left after old entries are deleted."""
UNSEEN = 0.02
"""The share of the most bytes that is written before the folder is measured again."""
STALE_SECONDS = 3600.0
"""The age at which a half-written file is deleted: its process was killed."""
ENDING = ".safetensors"
PRIVATE = 0o700
"""Who may use a new folder: the user alone, as it holds sounds. One that exists stays as it is."""
_written: dict[Path, int] = {}
"""By folder: the bytes written by this process since the folder was measured."""
_lock = threading.Lock()


@dataclass(frozen=True)
class Cache:
    """Tensors in a folder, by the digest of what they depend on, see :func:`digest_of`.

    Attributes:
        folder: is made when first needed.
        max_bytes: the most bytes; beyond it, the entries that were not used for longest are
            deleted. Each process that writes at the same time can exceed it by 2 %.

    Raises:
        ArgumentError: ``max_bytes`` is not above 0.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache, key = Cache(Path(folder)), digest_of("a sound", 16000)
    ...     cache.put(key, torch.ones(2))
    ...     cache.get(key), cache.get(digest_of("another"))
    (tensor([1., 1.]), None)
    """

    folder: Path
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        if not self.max_bytes > 0:
            raise ArgumentError(f"max_bytes={self.max_bytes!r}: a cache needs more than 0 bytes")

    def get(self, key: str) -> Tensor | None:
        """Return the tensor of a key; None if there is none, or its file is damaged."""
        path = self._path(key)
        try:
            entry = load(path.read_bytes())
            tensor, checksum = entry["tensor"], bytes(entry["checksum"].tolist())
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        if checksum != _checksum(key, tensor):
            return None
        # Entries that were not read for longest are deleted first; the file may be gone by now.
        with suppress(OSError):
            os.utime(path)
        return tensor

    def put(self, key: str, tensor: Tensor) -> None:
        """Keep a tensor; what cannot be written is not kept, with a warning."""
        tensor = tensor.detach().cpu().contiguous()
        checksum = torch.tensor(list(_checksum(key, tensor)), dtype=torch.uint8)
        content = save({"tensor": tensor, "checksum": checksum})
        path = self._path(key)
        # A name of its own: two processes may write the same entry.
        partial = path.with_name(f".{uuid.uuid4().hex}.partial")
        try:
            # Made each time, since somebody may have deleted it.
            self.folder.mkdir(PRIVATE, parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
            self._make_room(len(content))
        except OSError as error:
            warnings.warn(
                f"{self.folder}: the cache cannot be written ({error.strerror or error}); free "
                f"space, or turn it off: {VARIABLE}=off or cache=False",
                stacklevel=2,
            )
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{ENDING}"

    def _make_room(self, written: int) -> None:
        """Delete the entries that were not used for longest, if there are too many bytes."""
        with _lock:
            unseen = _written.get(self.folder)
            # Measuring takes some milliseconds, so it is not done after each entry.
            if unseen is not None and unseen + written < UNSEEN * self.max_bytes:
                _written[self.folder] = unseen + written
                return
            _written[self.folder] = 0
            self._delete_oldest()

    def _delete_oldest(self) -> None:
        files = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.endswith((ENDING, ".partial")):
                    continue
                # Another process may have deleted it.
                try:
                    status = entry.stat()
                except OSError:
                    continue
                files.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in files)
        is_full = total > self.max_bytes * (1 - UNSEEN)
        for used, size, path in sorted(files):
            is_partial = path.endswith(".partial")
            is_stale = is_partial and time.time() - used > STALE_SECONDS
            if is_stale or (is_full and total > ROOM * self.max_bytes and not is_partial):
                Path(path).unlink(missing_ok=True)
                total -= size


CacheChoice = Cache | str | os.PathLike[str] | bool | None
"""A cache or its folder; True for the system's folder of caches; False for none; or None for what
the environment variable says."""


def open_cache(cache: CacheChoice = None) -> Cache | None:
    """Return a cache, or None if there is to be none.

    Args:
        cache: a :class:`Cache`, or its folder; True for the folder ``audiointerp`` among the user's
            caches (``~/.cache`` on Linux); False for none. None: what the environment variable
            ``AUDIOINTERP_CACHE`` says (a folder, ``on`` or ``off``); if it is unset, none.

    Raises:
        ArgumentError: it is something else.
        AudioInterpError: the folder cannot be made.

    >>> open_cache(False) is None
    True
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_cache(folder).max_bytes
    8589934592
    """
    if isinstance(cache, Cache):
        return cache
    if cache is None:
        named = os.environ.get(VARIABLE, "").strip()
        is_switch = named.lower() in ("", "0", "off", "no", "false", "1", "on", "yes", "true")
        cache = named.lower() in ("1", "on", "yes", "true") if is_switch else named
    if isinstance(cache, bool):
        return Cache(_default_folder()) if cache else None
    if not isinstance(cache, str | os.PathLike):
        raise ArgumentError(f"cache={cache!r:.40}: a folder, True, False, None or a Cache")
    return Cache(_made(Path(cache).expanduser()))


def _default_folder() -> Path:
    import pooch

    return _made(pooch.os_cache("audiointerp"))


def _made(folder: Path) -> Path:
    make_folder(folder.parent)
    try:
        folder.mkdir(PRIVATE, exist_ok=True)
    except OSError as error:
        raise AudioInterpError(
            f"{folder}: cannot make this folder ({error.strerror or error})"
        ) from error
    return folder


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 of plain values and tensors, as 64 hexadecimal digits.

    >>> digest_of("a", torch.zeros(2)) == digest_of("a", torch.zeros(3))
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype} {tuple(part.shape)}\n".encode())
            digest.update(_bytes_of(part))
        else:
            digest.update(json.dumps(part, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        OSError: it cannot be read.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     file_digest(Path(file.name))[:8]
    'e3b0c442'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(key: str, tensor: Tensor) -> bytes:
    return bytes.fromhex(digest_of(key, tensor))


def _bytes_of(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
