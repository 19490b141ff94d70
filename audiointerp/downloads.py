"""What the library can fetch: the official PANNs checkpoints and ESC-50, from their own homes."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .archives import Limits, unpacked
from .connection import Patience, check_url
from .errors import DatasetError, DownloadError, choose
from .files import make_folder
from .transfer import check_room, fetch


@dataclass(frozen=True)
class Source:
    """A file that can be fetched.

    Attributes:
        url: its home.
        file: its name here.
        md5: its checksum, where its home gives a stable one.
        largest: bytes that it may have.
    """

    url: str
    file: str
    md5: str | None
    largest: int


def _panns(file: str, md5: str) -> Source:
    return Source(f"https://zenodo.org/records/3987831/files/{file}?download=1", file, md5, 2**30)


BACKBONES = {
    "cnn14": _panns("Cnn14_mAP=0.431.pth", "541141fa2ee191a88f24a3219fff024e"),
    "cnn10": _panns("Cnn10_mAP=0.380.pth", "bfb1f1f9968938fa8ef4012b8471f5f6"),
    "cnn6": _panns("Cnn6_mAP=0.343.pth", "e25e26b84585b14c7754c91e48efc9be"),
}
ESC50_HOME = "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip"
ESC50_ARCHIVE = Source(ESC50_HOME, ".ESC-50.download.zip", None, 2**31)  # never an archive of one's own
ESC50_LIMITS = Limits(members=5000, size=2**32, ratio=20.0)
ESC50_ROOM = 2 * 10**9  # bytes: 0.9e9 of clips beside their archive
CLIPS, CLASSES, FOLDS, SECONDS = 2000, 50, 5, 5.0
SOURCES = (*BACKBONES, "esc50")

Progress = Callable[[int, int | None], None]


def _silent(done: int, total: int | None) -> None:
    pass


def download(
    name: str,
    folder: str | os.PathLike[str],
    *,
    url: str | None = None,
    patience: Patience | None = None,
    progress: Progress = _silent,
) -> Path:
    """Fetch one of :data:`SOURCES`; nothing is fetched where it is there already.

    Args:
        name: ``"cnn14"``, ``"cnn10"``, ``"cnn6"`` or ``"esc50"``.
        folder: where it goes: the checkpoint under its official name, the data set as ``ESC-50``.
        url: a mirror in place of its home; it is held against the same checksum, or the same checks.
        patience: how long the server is waited for.
        progress: told the bytes that are there and, where known, all.

    Returns:
        The checkpoint, or the folder ``ESC-50``, each whole.

    Raises:
        ArgumentError: there is no such source.
        DownloadError: it could not be had, or is not what it should be.
    """
    choose("download", name, SOURCES)
    source = BACKBONES.get(name, ESC50_ARCHIVE)
    folder = Path(folder)
    if url is not None:
        check_url(url, local=True)
    target = folder / ("ESC-50" if name == "esc50" else source.file)
    if name == "esc50" and os.path.lexists(target):
        check_esc50(target)
        return target
    if name == "esc50":
        check_room(make_folder(folder) / source.file, ESC50_ROOM)
    path = fetch(
        url or source.url, folder / source.file, md5=source.md5, largest=source.largest, local=url is not None,
        patience=patience, progress=progress,
    )  # fmt: skip
    if name == "esc50":
        _install_esc50(path, target)
    return target


def _install_esc50(archive: Path, target: Path) -> None:
    """Unpack, check, and only then give the folder its name; the archive goes either way, for no checksum vouches for it."""
    try:
        with unpacked(archive, target, ESC50_LIMITS) as content:
            roots = [path for path in content.iterdir() if (path / "meta" / "esc50.csv").is_file()]
            if len(roots) != 1:
                raise DownloadError(f"{archive}: is not ESC-50, it holds no folder with meta/esc50.csv; not kept")
            check_esc50(roots[0], shown=archive)
            roots[0].rename(target)
    except OSError as error:
        raise DownloadError(f"{target}: cannot be made ({error.strerror or error})") from error
    finally:
        archive.unlink(missing_ok=True)


def check_esc50(root: str | os.PathLike[str], shown: str | os.PathLike[str] | None = None) -> None:
    """Hold a folder against what ESC-50 is: 2,000 clips of 5 s, 40 for each of 50 classes, 400 in each of 5 folds.

    Args:
        root: the folder.
        shown: what messages call it.

    Raises:
        DownloadError: its table cannot be read, or a clip, a class or a fold is missing, surplus or of another length.
    """
    from .dataset import ESC50

    root, shown = Path(root), shown or root
    try:
        clips = ESC50(root).clips
    except DatasetError as error:
        raise DownloadError(f"{shown}: is not a whole ESC-50 ({str(error).replace(f'{root}/', '')})") from error
    faults = []
    for kind, numbers, groups in (
        ("class", Counter(clip.target for clip in clips), CLASSES), ("fold", Counter(clip.fold for clip in clips), FOLDS),
    ):  # fmt: skip
        if sorted(numbers.values()) != [CLIPS // groups] * groups:
            faults.append(f"its table has not {CLIPS // groups} clips in each {kind} of {groups}")
    named = {clip.path.name for clip in clips}
    found = {path.name for path in (root / "audio").iterdir()} if (root / "audio").is_dir() else set()
    if missing := sorted(named - found):
        faults.append(f"{len(missing)} clips are missing, {missing[0]} say")
    if surplus := sorted(found - named):
        faults.append(f"{len(surplus)} files are not in its table, {surplus[0]!r:.80} say")
    if not faults:
        wrong = [clip.path.name for clip in clips if _seconds(clip.path) != SECONDS]
        faults += [f"{len(wrong)} clips are not audio of {SECONDS:g} s, {wrong[0]} say"] if wrong else []
    if faults:
        raise DownloadError(f"{shown}: is not a whole ESC-50: {'; '.join(faults)}")


def _seconds(path: Path) -> float | None:
    """The length that a sound file's head states; None where it has none, or the file is too short for it."""
    import soundfile

    try:
        info: Any = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, TypeError):
        return None
    return float(info.frames / info.samplerate)
