"""The clips of a manifest as a data set, of which a few chunks of rows are in memory."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from ..errors import AudioError, AudioInterpError, DatasetError, choose
from ..processing import NORMALIZATIONS, load_levels, normalized
from ..util import CacheChoice, is_url, local_copy, open_cache, place_below
from .clip_dataset import Target, esc50_recording
from .clip_table import Row, file_of_row
from .clips import listed_labels, numbered
from .length import FixedLength
from .manifest import CHUNK, ManifestRow, open_manifest

KEPT_CHUNKS = 3
"""The chunks in memory: a clip may be compared with one of the next chunk or of the first."""


class ManifestClips(Dataset[tuple[Tensor, Target]]):
    r"""The clips of a manifest, read when they are asked for; see :func:`open_manifest`.

    A file that is missing or damaged is an error when its clip is read, as in any data set.

    Args:
        place: the path or URL of the manifest.
        labels: the class names by target; by default the sorted labels that occur.
        sample_rate, duration, normalize, cache: as in :class:`LabelledClips`.

    Raises:
        DatasetError, AudioInterpError: as for :func:`open_manifest`.
        ArgumentError: ``duration`` or ``normalize`` is invalid.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "clips.csv")
    ...     _ = path.write_text("path,label,recording\na.wav,dog,day 1\nb.wav,cat,day 2\n")
    ...     clips = ManifestClips(path)
    ...     len(clips), clips.labels, clips.clip_id(1), clips.recording(0), clips.targets(0)
    (2, ('cat', 'dog'), 'b.wav', 'day 1', (1,))
    """

    def __init__(
        self,
        place: str | Path,
        labels: Sequence[str] | None = None,
        *,
        sample_rate: int = 32000,
        duration: float | None = 5.0,
        normalize: str = "peak",
        cache: CacheChoice = None,
    ) -> None:
        # Another process may run in another folder.
        place = place if is_url(place) else Path(place).absolute()
        labels = listed_labels(labels, Path(place))
        self.manifest = open_manifest(place, labels)
        self._targets = numbered(self.manifest.labels, labels, Path(place))
        self.labels = tuple(labels or self.manifest.labels)
        self.sample_rate = sample_rate
        self.duration = duration
        self.normalize = choose("normalization", normalize, NORMALIZATIONS)
        self.cache = open_cache(cache)
        self._fix_length = FixedLength(duration, sample_rate)
        self._chunks: dict[int, list[ManifestRow]] = {}

    def __len__(self) -> int:
        return self.manifest.rows

    def __getitem__(self, index: int) -> tuple[Tensor, Target]:
        row = self.row(index)
        with self._file(row, index) as path:
            cache = False if self.cache is None else self.cache
            wav = load_levels(path, self.sample_rate, normalize=self.normalize, cache=cache)
            wav = self._fix_length(wav, str(path))
        targets = self._targets_of(row)
        wav = normalized(wav, self.normalize)[0]
        return wav, targets if self.manifest.has_several else targets[0]

    def row(self, index: int) -> ManifestRow:
        """The row of a clip.

        Raises:
            IndexError: there is no such clip.
            DatasetError: the manifest was changed.
        """
        rows = len(self)
        if not -rows <= index < rows:
            raise IndexError(f"clip {index}: there are {rows} clips, numbered from 0 to {rows - 1}")
        number, place = divmod(index % rows, CHUNK)
        # The chunk that was used last is the last one.
        chunk = self._chunks.pop(number, None) or self.manifest.chunk(number)
        self._chunks[number] = chunk
        if len(self._chunks) > KEPT_CHUNKS:
            del self._chunks[next(iter(self._chunks))]
        return chunk[place]

    def clip_id(self, index: int) -> str:
        """The clip's name in results."""
        return self.row(index).name

    def recording(self, index: int) -> str:
        """The recording that the clip was cut from."""
        row = self.row(index)
        return row.recording or esc50_recording(row.name)

    def targets(self, index: int) -> tuple[int, ...]:
        """The numbers of the clip's classes."""
        return self._targets_of(self.row(index))

    def _targets_of(self, row: ManifestRow) -> tuple[int, ...]:
        return tuple(sorted(self._targets[label] for label in row.labels))

    @contextmanager
    def _file(self, row: ManifestRow, index: int) -> Iterator[Path]:
        """Give the path of a clip's file; what is not on a disk is copied there for a while."""
        place = self.manifest.place
        if not is_url(row.file) and not is_url(place):
            cells = {"filename": row.file}
            yield file_of_row(Path(place).parent, Row(cells, Path(place), index + 1), bare=False)
            return
        if not is_url(row.file) and ".." in row.file.split("/"):
            raise DatasetError(
                f"{place}, row {index + 1}: {row.file!r:.80} leads out of its folder"
            )
        url = row.file if is_url(row.file) else place_below(place.rpartition("/")[0], row.file)
        with local_copy(url) as path, _named(path, url):
            yield path


@contextmanager
def _named(path: Path, url: str) -> Iterator[None]:
    """Name the URL in errors and warnings that name its temporary copy."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except AudioInterpError as error:
            raise AudioError(str(error).replace(str(path), url)) from error
    for warning in caught:
        text = str(warning.message).replace(str(path), url)
        warnings.warn(text, warning.category, stacklevel=4)
