"""The networks that come with the library, by name."""

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch

from ..errors import ArgumentError, ModelError, unknown_name
from .classifier import Classifier

SHIPPED = {
    "esc10-mel": "esc10_mel_cnn10.safetensors",
    "esc10-mel-absolute": "esc10_mel_cnn10_absolute.safetensors",
    "esc10-mel-long": "esc10_mel_cnn10_long.safetensors",
    "esc10-mel-noise": "esc10_mel_cnn10_noise.safetensors",
    "esc10-stft": "esc10_stft_cnn10.safetensors",
    "esc10-stft-absolute": "esc10_stft_cnn10_absolute.safetensors",
    "synthetic-mel": "synthetic_mel_cnn10.safetensors",
}
"""The files of the networks by their names; ``weights/README.md`` describes them."""


def load(name: str | os.PathLike[str], device: str | torch.device | None = None) -> Classifier:
    """Open a network that comes with the library, or a file that ``Classifier.save`` wrote.

    Args:
        name: a name in :data:`SHIPPED`, or the path of a file, see :func:`weights_path`.
        device: where to compute.

    Raises:
        ArgumentError: it is neither, or this machine has no such device.
        ModelError: the name is unknown, or the file is missing or is not a classifier.

    >>> load("esc10-mel").labels[:3]
    ('dog', 'rooster', 'rain')
    >>> load("esc10-mle")
    Traceback (most recent call last):
    audiointerp.errors.ModelError: unknown network 'esc10-mle'; did you mean 'esc10-mel'? ...
    """
    return Classifier.load(weights_path(name), device)


def weights_path(name: str | os.PathLike[str]) -> Path:
    """Return the file of a network: that of a name in :data:`SHIPPED`, otherwise the path itself.

    Args:
        name: a text is a path if it holds a separator, so ``"./esc10-mel"`` is a file in the
            working folder; and a ``Path`` always is.

    Raises:
        ArgumentError: it is neither a text nor a path.
        ModelError: the name is unknown and no file has it, or the file of a known name is missing.

    >>> weights_path("esc10-mel").name, weights_path("./esc10-mel").name
    ('esc10_mel_cnn10.safetensors', 'esc10-mel')
    """
    if not isinstance(name, str | os.PathLike):
        raise ArgumentError(
            f"give the name of a network ({', '.join(SHIPPED)}) or a file, not {name!r:.80}"
        )
    if not isinstance(name, str):
        return Path(name)
    if name in SHIPPED:
        return _shipped_file(SHIPPED[name])
    path = Path(name)
    # A path, even a wrong one, is not a misspelt name.
    if path.suffix or {os.sep, os.altsep} & set(name) or path.exists():
        return path
    raise ModelError(unknown_name("network", name, SHIPPED, more="; or give a file"))


@cache
def _shipped_file(file_name: str) -> Path:
    """Find a file of ``weights/``: in a clone it is beside the package, else pip put it in share.

    Raises:
        ModelError: it is in neither place.
    """
    root = Path(__file__).parents[2]
    # pip install --target puts both into one folder.
    beside = [root / folder / file_name for folder in ("weights", "share/audiointerp/weights")]
    candidates = [*beside, *_installed_files(file_name)]
    existing = next((path for path in candidates if path.is_file()), None)
    if existing is None:
        raise ModelError(
            f"{file_name}: this installation has no such weights; install audiointerp again, or "
            "give a file, e.g. of audiointerp train"
        )
    return existing


def _installed_files(file_name: str) -> list[Path]:
    """Return where pip says that it has put a file of this name."""
    try:
        files = distribution("audiointerp").files or []
    except PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == file_name]
