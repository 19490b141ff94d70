"""The errors that this library raises, one class for each kind of input.

Every error that a user's input can cause is an :class:`AudioInterpError`. Its message names the
value and the place, then what to do. The command line prints it as one line and exits with 1.

>>> try:
...     choose("mask", "bim", ["bin", "minmax"])
... except AudioInterpError as error:
...     print(error)
unknown mask 'bim'; choose one of: bin, minmax
"""

import difflib
from collections.abc import Iterable, Sequence

ALIKE = 0.75
"""The least similarity of a suggested name, in [0, 1]: cnn6 is none for cnn99, a typo is."""


class AudioInterpError(Exception):
    """Base class of the errors that this library raises on purpose.

    >>> issubclass(AudioError, AudioInterpError)
    True
    """


class AudioError(AudioInterpError):
    """A sound file cannot be read, or has no usable samples.

    >>> raise AudioError("dog.wav: no such audio file")
    Traceback (most recent call last):
    audiointerp.errors.AudioError: dog.wav: no such audio file
    """


class AudioWarning(UserWarning):
    """A sound was read or passed that may not be what it seems, e.g. a part of a recording.

    ``warnings.simplefilter("error", AudioWarning)`` makes errors of them.

    >>> issubclass(AudioWarning, UserWarning)
    True
    """


class DatasetError(AudioInterpError):
    """A data folder, its table of clips, a fold or a label is missing or wrong.

    >>> raise DatasetError("data: no such data folder")
    Traceback (most recent call last):
    audiointerp.errors.DatasetError: data: no such data folder
    """


class ModelError(AudioInterpError):
    """A network or a weights file is missing, damaged, or does not fit.

    >>> raise ModelError("mel.safetensors: no such weights file")
    Traceback (most recent call last):
    audiointerp.errors.ModelError: mel.safetensors: no such weights file
    """


class DownloadError(AudioInterpError):
    """A download failed, or the file or archive is not the expected one.

    >>> raise DownloadError("ESC-50.zip: not a zip archive")
    Traceback (most recent call last):
    audiointerp.errors.DownloadError: ESC-50.zip: not a zip archive
    """


class ArgumentError(AudioInterpError, ValueError):
    """An argument is outside the values that a function accepts.

    >>> issubclass(ArgumentError, ValueError)
    True
    """


class Stopped(AudioInterpError):
    """A run was interrupted; it can be resumed.

    >>> raise Stopped("stopped at clip 3 of 10; the same command resumes the run")
    Traceback (most recent call last):
    audiointerp.errors.Stopped: stopped at clip 3 of 10; the same command resumes the run
    """


def choose(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of the known names.

    Args:
        kind: what the name is of, for the message.
        name: the name to check.
        known: the accepted names.

    Raises:
        ArgumentError: ``name`` is not known; the message is :func:`unknown_name`.

    >>> choose("mask", "bin", ["bin", "minmax"])
    'bin'
    """
    names = list(known)
    if name not in names:
        raise ArgumentError(unknown_name(kind, name, names))
    return name


def unknown_name(
    kind: str,
    name: object,
    known: Iterable[str],
    more: str = "",
    meant: Sequence[str] | None = None,
) -> str:
    """Return the message about an unknown name: what was probably meant, and the known names.

    Args:
        kind: what the name is of.
        name: the unknown name.
        known: the accepted names.
        more: text after the known names.
        meant: at most one name; if None, the known name with the most similar spelling, if any is
            similar, or with the same letters. Upper and lower case make no difference.

    >>> unknown_name("label", "Dog", ["cat", "dog"])
    "unknown label 'Dog'; did you mean 'dog'? Choose one of: cat, dog"
    >>> unknown_name("label", 7, ["cat", "dog"])
    'unknown label 7; choose one of: cat, dog'
    """
    names = list(known)
    if meant is None:
        by_folded_name = {known_name.casefold(): known_name for known_name in names}
        folded = str(name).casefold()
        similar = difflib.get_close_matches(folded, by_folded_name, 1, ALIKE)
        # Of a short name with two letters swapped, too few stand in order.
        similar = similar or [each for each in by_folded_name if sorted(each) == sorted(folded)][:1]
        meant = [by_folded_name[folded_name] for folded_name in similar]
    guess = f"did you mean {meant[0]!r}? Choose" if meant else "choose"
    return f"unknown {kind} {name!r}; {guess} one of: {', '.join(names)}{more}"
