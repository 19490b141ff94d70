"""The sound files of a folder: by the endings of the formats that soundfile decodes."""

from pathlib import Path

import soundfile

from ..errors import DatasetError
from ..processing import UNREADABLE_ENDINGS, conversion

ENDINGS_OF = {
    "AIFF": (".aif", ".aiff", ".aifc"),
    "AU": (".au", ".snd"),
    "AVR": (".avr",),
    "CAF": (".caf",),
    "FLAC": (".flac",),
    "HTK": (".htk",),
    "IRCAM": (".sf",),
    "MP3": (".mp3",),
    "NIST": (".nist", ".sph"),
    "OGG": (".ogg", ".oga", ".opus"),
    "PAF": (".paf",),
    "PVF": (".pvf",),
    "RF64": (".rf64",),
    "SDS": (".sds",),
    "SVX": (".iff", ".svx"),
    "VOC": (".voc",),
    "W64": (".w64",),
    "WAV": (".wav", ".wave", ".bwf"),
    "WVE": (".wve",),
    "XI": (".xi",),
}
"""The endings of files by soundfile's name of their format; soundfile lists no endings. Files
without a header (RAW) and of general data (MAT4, MAT5) are no sound files by their ending."""
AUDIO_ENDINGS = frozenset(
    ending for name in soundfile.available_formats() for ending in ENDINGS_OF.get(name, ())
)
"""The endings of files that the installed libsndfile decodes."""
LONGEST_STATED = 1e6
"""The longest duration, in seconds, that a header is believed: 11 days."""


def sound_files(folder: Path) -> list[Path]:
    """The sound files of a folder, by their endings, sorted by name.

    The companion files ``._*``, which macOS writes beside every file, are not sound files.

    Raises:
        DatasetError: a file is audio by its ending, but of a format that soundfile cannot decode;
            without the error it would be left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = [Path(folder, name).touch() for name in ("b.wav", "a.flac", "notes.txt")]
    ...     [path.name for path in sound_files(Path(folder))]
    ['a.flac', 'b.wav']
    """
    files = [path for path in folder.iterdir() if path.is_file() and path.name[:2] != "._"]
    unreadable = sorted(path for path in files if path.suffix.lower() in UNREADABLE_ENDINGS)
    if unreadable:
        raise DatasetError(
            f"{unreadable[0]}: soundfile cannot decode {unreadable[0].suffix} files, of which "
            f"{len(unreadable)} in this folder would be left out; convert them, "
            f"{conversion(unreadable[0])}, and move the originals elsewhere"
        )
    return sorted(path for path in files if path.suffix.lower() in AUDIO_ENDINGS)


def class_folders(root: Path) -> dict[str, list[Path]]:
    """The sound files of a folder with one subfolder per class, by the class; sorted by name.

    Raises:
        DatasetError: the folder is missing, no subfolder has a sound file, or a subfolder has sound
            files in folders below it, which would be left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "dog").mkdir()
    ...     Path(folder, "dog", "a.wav").touch()
    ...     [(label, len(paths)) for label, paths in class_folders(Path(folder)).items()]
    [('dog', 1)]
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: no such data folder")
    folders = [folder for folder in sorted(root.iterdir()) if folder.is_dir()]
    by_label = {folder.name: paths for folder in folders if (paths := sound_files(folder))}
    nested = [
        below
        for folder in folders
        for below in sorted(folder.iterdir())
        if below.is_dir() and not below.name.startswith(".")
    ]
    deeper = next((below for below in nested if sound_files(below)), None)
    if deeper is not None and by_label:
        raise DatasetError(
            f"{deeper}: its sound files would be left out; put the clips of a class into its "
            "subfolder itself, or list them in a CSV table"
        )
    if deeper is not None:
        raise DatasetError(
            f"{root}: its subfolders are no classes, their clips are in folders below, e.g. "
            f"{deeper}; give the folder of the classes, e.g. {deeper.parent}"
        )
    if not by_label:
        raise DatasetError(
            f"{root}: no subfolder has a sound file; put the clips of each class into a "
            "subfolder with its name"
        )
    return by_label


def stated_seconds(path: Path) -> float:
    """The duration in seconds that a sound file's header states; 0 if it states none.

    >>> stated_seconds(Path("no such file.wav"))
    0.0
    """
    try:
        seconds = float(soundfile.info(path).duration)
    except (OSError, soundfile.SoundFileError, RuntimeError):
        return 0.0
    # Headers of streams may state a length that no file has.
    return seconds if seconds < LONGEST_STATED else 0.0
