"""What ``interpret`` explains: sound files, folders of them, or a synthetic example."""

import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from ..errors import ArgumentError, AudioError, choose

if TYPE_CHECKING:
    from torch import Tensor

    from ..model import Classifier

EXAMPLE_NETWORK = "synthetic-mel"
"""The network that explains an example, unless another is given."""
FOLDERS = "folders"
"""Stands for the labels that the files' folders are named by."""
EXAMPLE_FOLD = 5
"""The fold of the examples; that network was not trained on it."""


class ClipSource(NamedTuple):
    """A clip to explain, its name, and its label if that is given.

    >>> ClipSource("dog.wav", Path("dog.wav")).name
    'dog.wav'
    """

    name: str
    audio: "Path | Tensor"
    label: str | None = None


def clip_sources(
    files: list[Path],
    example: str | None,
    classifier: "Classifier",
    label: str | None = None,
) -> list[ClipSource]:
    """Return the clips of the command line, each once.

    Args:
        files: of :func:`sound_files_of`; of several, those that cannot be read are left out.
        example: a class of the synthetic clips, instead of files.
        classifier: what they are read for.
        label: of all clips, or ``"folders"``: each is named by its file's folder.

    Raises:
        ArgumentError: the classifier does not know a label.
        AudioError: none of several files can be read.

    >>> from audiointerp import load
    >>> clip_sources([], "siren", load("synthetic-mel"))[0].name
    'siren (a made sound)'
    """
    if example is not None:
        return [_example(example, classifier)]
    labels = {path: _label_of(path, label, classifier) for path in files}
    readable = files if len(files) == 1 else _readable(files, classifier)
    return [ClipSource(name, path, labels[path]) for path, name in _names(readable).items()]


def _label_of(path: Path, label: str | None, classifier: "Classifier") -> str | None:
    """Return the label of a file, by the option --label."""
    if label is None:
        return None
    if label != FOLDERS:
        return choose("label", label, classifier.labels)
    # Not resolved: a link stands in the folder that its owner put it into.
    folder = path.absolute().parent.name
    if folder not in classifier.labels:
        raise ArgumentError(
            f"--label {FOLDERS}: the folder of {path} is not named as a label of the classifier "
            f"({', '.join(classifier.labels[:10])}, ...); give --label NAME, or leave it out"
        )
    return folder


def check_sources(paths: list[Path], example: str | None, label: str | None = None) -> None:
    """Refuse, before a network is opened, no clip at all, an unknown example, or both.

    Raises:
        ArgumentError: an example beside clips, or beside a label; or an unknown one.
        BadParameter: nothing is given, a usage error.

    >>> check_sources([Path("dog.wav")], "siren")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: --example siren replaces the clips; give one or the other
    """
    if example is not None and paths:
        raise ArgumentError(f"--example {example} replaces the clips; give one or the other")
    if example is not None and label is not None:
        raise ArgumentError(f"--label {label}: --example {example} has a label; leave out --label")
    if example is None and not paths:
        raise typer.BadParameter("give a sound file or a folder of them, or --example siren")
    if example is not None:
        from ..dataset import CLASSES

        choose("example", example, CLASSES)


def sound_files_of(paths: list[Path]) -> list[Path]:
    """Return the files that are given, and those of the folders that are given, each once.

    Folders below these are not entered, which a line says.

    Raises:
        ArgumentError: a folder has no sound file.

    >>> sound_files_of([Path("dog.wav"), Path("dog.wav")])
    [PosixPath('dog.wav')]
    """
    from ..dataset import sound_files

    files: list[Path] = []
    for path in paths:
        inside = sound_files(path) if path.is_dir() else [path]
        if not inside:
            raise ArgumentError(
                f"{path}: this folder has no sound file (folders in it are not searched); give "
                f"files, or folders that have some"
            )
        files += inside
        below = _folders_with_sounds(path) if path.is_dir() else []
        if below:
            typer.echo(f"{path}: the folders below are left out, e.g. {below[0]}", err=True)
    return list(dict.fromkeys(files))


def _folders_with_sounds(path: Path) -> list[Path]:
    from ..dataset import AUDIO_ENDINGS

    files = path.glob("*/*")
    return sorted({file.parent for file in files if file.suffix.lower() in AUDIO_ENDINGS})


def _names(paths: list[Path]) -> dict[Path, str]:
    """Return the names of files, with their folders where two have the same name."""
    counts = Counter(path.name for path in paths)
    return {path: path.name if counts[path.name] == 1 else str(path) for path in paths}


def refuse_left_out(left_out: int, count: int) -> None:
    """End with an error if files were left out, after the others were explained.

    Raises:
        AudioError: some were left out.

    >>> refuse_left_out(0, 3)
    >>> refuse_left_out(2, 3)
    Traceback (most recent call last):
    audiointerp.errors.AudioError: 2 of 3 clips could not be read; the other one is explained
    """
    if left_out:
        rest = "one is" if count - left_out == 1 else "ones are"
        raise AudioError(
            f"{left_out} of {count} clips could not be read; the other {rest} explained"
        )


def _readable(files: list[Path], classifier: "Classifier") -> list[Path]:
    """Read all files before the first is explained, which takes far longer; name the damaged ones.

    A single file is not read here: it is refused when it is explained.
    """
    from ..scoring import clip_of

    reasons: dict[Path, str] = {}
    with warnings.catch_warnings():
        # They are shown when the clip is explained.
        warnings.simplefilter("ignore")
        for path in files:
            try:
                clip_of(path, classifier)
            except AudioError as error:
                reasons[path] = str(error)
    if len(reasons) == len(files):
        raise AudioError("\n".join(reasons.values()))
    for reason in reasons.values():
        typer.echo(f"left out: {reason}", err=True)
    return [path for path in files if path not in reasons]


def _example(name: str, classifier: "Classifier") -> ClipSource:
    """Return the first synthetic clip of a class that was not trained on."""
    from ..dataset import Synthetic

    seconds = max(3.0, classifier.duration)
    clips = Synthetic((EXAMPLE_FOLD,), sample_rate=classifier.sample_rate, duration=seconds)
    target = (clips.labels.index(name),)
    index = next(index for index in range(len(clips)) if clips.targets(index) == target)
    return ClipSource(f"{name} (a made sound)", clips[index][0], name)
