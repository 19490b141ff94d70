"""What can go wrong, by the place where it goes wrong.

Every error that a user's input can cause is an :class:`AudioInterpError`; its message names the value, the place and
what to do. The command line prints that message as one line and exits with 1.
"""

from collections.abc import Iterable


class AudioInterpError(Exception):
    """Base of every error that this library raises on purpose."""


class AudioError(AudioInterpError):
    """A sound that cannot be read, or that holds no usable samples."""


class DatasetError(AudioInterpError):
    """A data folder, its CSV, a fold or a label that does not fit."""


class ModelError(AudioInterpError):
    """A network or a weights file that does not fit."""


class DownloadError(AudioInterpError):
    """A download or an archive that failed, or is not what it should be."""


class ArgumentError(AudioInterpError, ValueError):
    """A value outside what a function takes."""


class Stopped(AudioInterpError):
    """A run that was asked to stop, and can be gone on with."""


def choose(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``known``; otherwise raise an error that lists them.

    >>> choose("mask", "bin", ["bin", "minmax"])
    'bin'
    >>> choose("mask", "bim", ["bin", "minmax"])
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: unknown mask 'bim'; choose one of: bin, minmax
    """
    names = list(known)
    if name not in names:
        raise ArgumentError(f"unknown {kind} {name!r}; choose one of: {', '.join(names)}")
    return name
