"""Maps that were computed elsewhere, e.g. masks of L-MAC or L2I, read from a folder."""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import ArgumentError
from .base import Explainer
from .score import Score

ENDINGS = (".npy", ".safetensors")


class MapsFolder(Explainer):
    """The maps of a folder, one file for each clip, as a method beside the others.

    A file holds one array ``(F, T)`` on the grid of the classifier, as ``.npy`` or
    ``.safetensors``; axes of 1 before are allowed. ``CLIP.npy`` explains the class that is
    predicted, ``CLIP@LABEL.npy`` the class with that label, which is looked for first. CLIP and
    LABEL are the clip's name in results (``dataset.clip_id``) and the label, with other characters
    than letters, digits, space, ``_``, ``-``, ``.`` and ``~`` escaped by
    ``urllib.parse.quote(name, safe=" ")``.

    It explains clips by their names, so it works where these are known: in ``score``, ``run`` and
    ``localise``, not in ``interpret``.

    Args:
        folder: with the files.
        sha256: of the names and contents of its maps, which runs record; None for any.

    Raises:
        ArgumentError: there is no such folder, or it has other maps. For a clip: it has no file, or
            one that does not fit the clip.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "a.wav.npy"), np.ones((2, 3), np.float32))
    ...     MapsFolder(folder).read("a.wav", "dog", (2, 3), predicted=True).shape
    torch.Size([1, 1, 2, 3])
    """

    name = "maps"
    black_box = True
    explains = "nothing"

    def __init__(self, folder: str | os.PathLike[str], sha256: str | None = None) -> None:
        # The maps are of any network; build_explainer puts that of the classifier in its place.
        super().__init__(nn.Identity())
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ArgumentError(f"maps: there is no folder {folder}")
        digest = _digest(self.folder)
        if sha256 not in (None, digest):
            raise ArgumentError(f"{folder}: the maps have the SHA-256 {digest}, not {sha256}")
        # A run is the same if the maps are, wherever they lie.
        self.made_with = ((str(folder),), {"sha256": digest})

    def path_of(self, clip: str, label: str | None = None) -> Path:
        """Return where the map of a clip is looked for, as ``.npy``.

        Args:
            clip: the clip's name in results.
            label: the explained class; None for the predicted one, whichever it is.
        """
        stem = quote(clip, safe=" ") + ("" if label is None else f"@{quote(label, safe=' ')}")
        return self.folder / f"{stem}.npy"

    def read(self, clip: str, label: str, size: tuple[int, int], *, predicted: bool) -> Tensor:
        """Return the map of a clip and class, ``(1, 1, F, T)`` float32.

        Args:
            clip: the clip's name in results.
            label: the explained class.
            size: F and T.
            predicted: whether that is the predicted class.

        Raises:
            ArgumentError: there is no such file, or it holds no finite array of this size.
        """
        possible = [self.path_of(clip, label)] + [self.path_of(clip)] * predicted
        paths = [path.with_name(path.stem + ending) for path in possible for ending in ENDINGS]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            names = " or ".join(path.name for path in possible)
            raise ArgumentError(f"{self.folder}: no map of {clip} for {label}; it would be {names}")
        values = _array(path)
        if values.shape[-2:] != size or values.numel() != size[0] * size[1]:
            raise ArgumentError(
                f"{path}: a map of this clip has {size[0]} bins and {size[1]} frames, not the "
                f"shape {tuple(values.shape)}"
            )
        if not values.isfinite().all():
            raise ArgumentError(f"{path}: the map holds NaN or infinite values")
        return values.float().view(1, 1, *size)

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        raise ArgumentError(
            f"{self.name}: the maps of a folder belong to named clips; use score, run or localise "
            f"with a data set"
        )


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in ENDINGS:
            digest.update(f"{path.name}\n".encode("utf-8", "backslashreplace"))
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _array(path: Path) -> Tensor:
    """Read a file's only array."""
    try:
        if path.suffix == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False))
        tensors = load_file(path)
    except (OSError, ValueError, TypeError, EOFError, SafetensorError) as error:
        raise ArgumentError(f"{path}: not an array of numbers ({error})") from error
    if len(tensors) == 1:
        return next(iter(tensors.values()))
    if "values" in tensors:
        return tensors["values"]
    raise ArgumentError(f"{path}: holds {', '.join(tensors)}, but one tensor is needed")
