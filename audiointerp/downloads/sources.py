"""What can be downloaded: the official PANNs checkpoints and the data set ESC-50."""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DatasetError, DownloadError, choose
from ..util import make_folder
from .archives import Limits, extract
from .fetch import check_url, fetch


@dataclass(frozen=True)
class Checkpoint:
    """An official PANNs checkpoint.

    Attributes:
        file: its file name.
        md5: its checksum.

    >>> Checkpoint("Cnn6_mAP=0.343.pth", "e25e26b84585b14c7754c91e48efc9be").url
    'https://zenodo.org/records/3987831/files/Cnn6_mAP=0.343.pth?download=1'
    """

    file: str
    md5: str

    @property
    def url(self) -> str:
        """The official address of the file."""
        return f"https://zenodo.org/records/3987831/files/{self.file}?download=1"


CHECKPOINTS = {
    "cnn14": Checkpoint("Cnn14_mAP=0.431.pth", "541141fa2ee191a88f24a3219fff024e"),
    "cnn10": Checkpoint("Cnn10_mAP=0.380.pth", "bfb1f1f9968938fa8ef4012b8471f5f6"),
    "cnn6": Checkpoint("Cnn6_mAP=0.343.pth", "e25e26b84585b14c7754c91e48efc9be"),
}
LARGEST_CHECKPOINT = 2**30
ESC50_URL = "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip"
LARGEST_ESC50 = 2**31
ESC50_LIMITS = Limits(members=5000, size=2**32, ratio=20.0)
CLIPS, CLASSES, FOLDS, SECONDS = 2000, 50, 5, 5.0
SOURCES = (*CHECKPOINTS, "esc50")


def download(name: str, folder: str | os.PathLike[str], *, url: str | None = None) -> Path:
    """Download one of :data:`SOURCES`, unless it is already there; show progress on a terminal.

    Checkpoints have a known checksum. ESC-50 has none, so its content is checked instead.

    Args:
        name: ``"cnn14"``, ``"cnn10"``, ``"cnn6"`` or ``"esc50"``.
        folder: where to put it: a checkpoint under its official name, the data set as ``ESC-50``.
        url: a mirror to use instead of the official address (https, or http on this machine).

    Returns:
        The path of the checkpoint, or of the folder ``ESC-50``.

    Raises:
        ArgumentError: ``name`` is unknown.
        DownloadError: the download failed, or what it gave is not the expected content.

    >>> download("cnn99", "pretrained")
    Traceback (most recent call last):
    audiointerp.errors.ArgumentError: unknown download 'cnn99'; choose one of: cnn14, cnn10, ...
    """
    choose("download", name, SOURCES)
    if url is not None:
        check_url(url, local=True)
    folder = make_folder(folder)
    if name == "esc50":
        return _download_esc50(folder / "ESC-50", url)
    checkpoint = CHECKPOINTS[name]
    return fetch(
        url or checkpoint.url,
        folder / checkpoint.file,
        md5=checkpoint.md5,
        largest=LARGEST_CHECKPOINT,
        local=url is not None,
    )


def _download_esc50(target: Path, url: str | None) -> Path:
    if os.path.lexists(target):
        check_esc50(target)
        return target
    partial = f".{target.name}.partial-"
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=partial) as place:
            archive = Path(place, "ESC-50.zip")
            fetch(url or ESC50_URL, archive, md5=None, largest=LARGEST_ESC50, local=url is not None)
            content = extract(archive, Path(place, "content"), ESC50_LIMITS)
            roots = [path.parents[1] for path in content.glob("*/meta/esc50.csv")]
            if len(roots) != 1:
                raise DownloadError(
                    f"{url or ESC50_URL}: is not ESC-50: no folder in it has meta/esc50.csv"
                )
            check_esc50(roots[0], shown=url or ESC50_URL)
            roots[0].rename(target)
    except OSError as error:
        raise DownloadError(f"{target}: cannot be made ({error.strerror or error})") from error
    return target


def check_esc50(root: str | os.PathLike[str], shown: str | os.PathLike[str] | None = None) -> None:
    """Check that a folder is ESC-50: 2,000 clips of 5 s in 50 equal classes and 5 equal folds.

    Args:
        root: the folder.
        shown: what messages call it, if not by its path.

    Raises:
        DownloadError: the table cannot be read; a class or fold has too many or too few clips; or a
            clip is missing, not in the table, or of another length.

    >>> check_esc50("no such folder")
    Traceback (most recent call last):
    audiointerp.errors.DownloadError: no such folder: is not a complete ESC-50 (...)
    """
    from ..dataset import ESC50

    root, shown = Path(root), shown or root
    try:
        dataset = ESC50(root)
    except DatasetError as error:
        reason = str(error).replace(f"{root}/", "")
        raise DownloadError(f"{shown}: is not a complete ESC-50 ({reason})") from error
    clips = dataset.clips
    targets = [dataset.targets(index)[0] for index in range(len(clips))]
    faults = [
        *_group_faults("class", targets, CLASSES),
        *_group_faults("fold", [clip.fold for clip in clips], FOLDS),
        *_file_faults(root / "audio", {clip.path.name for clip in clips}),
    ]
    if not faults:
        wrong = [clip.path.name for clip in clips if _duration(clip.path) != SECONDS]
        if wrong:
            faults.append(f"{len(wrong)} clips are not audio of {SECONDS:g} s, e.g. {wrong[0]}")
    if faults:
        raise DownloadError(f"{shown}: is not a complete ESC-50: {'; '.join(faults)}")


def _group_faults(kind: str, numbers: Sequence[int], groups: int) -> list[str]:
    expected = CLIPS // groups
    if sorted(Counter(numbers).values()) == [expected] * groups:
        return []
    return [f"the table does not have {expected} clips in each {kind} of {groups}"]


def _file_faults(folder: Path, listed: set[str]) -> list[str]:
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing, surplus = sorted(listed - present), sorted(present - listed)
    faults = []
    if missing:
        faults.append(f"{len(missing)} clips are missing, e.g. {missing[0]}")
    if surplus:
        faults.append(f"{len(surplus)} files are not in the table, e.g. {surplus[0]!r:.80}")
    return faults


def _duration(path: Path) -> float | None:
    """Read the duration of a sound file in seconds; None if it is not a sound file."""
    import soundfile

    try:
        info: Any = soundfile.info(str(path))
    except (soundfile.SoundFileError, RuntimeError, TypeError):
        return None
    return float(info.frames / info.samplerate)
