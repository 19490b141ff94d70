"""ESC-50 and its subset ESC-10 (Piczak, ACM Multimedia 2015), in the layout of its repository."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DatasetError, choose
from ..util import CacheChoice
from .clip import Clip, in_folds
from .clip_dataset import esc50_recording
from .clip_table import check_unique_files, file_of_row, read_table
from .clips import LabelledClips
from .label_table import category_names

FOLDS = 5
COLUMNS = ("filename", "fold", "target", "category")


class ESC50(LabelledClips):
    """Environmental sounds, from ``ROOT/meta/esc50.csv`` and ``ROOT/audio/``.

    The table may name files of any type. ``ESC50.from_folder`` and ``ESC50.from_csv`` are those of
    :class:`~audiointerp.dataset.clips.LabelledClips` and return a ``LabelledClips``.

    Args:
        root: the folder that contains ``meta`` and ``audio``.
        folds: which of the five folds to use; all by default.
        subset: ``"esc10"`` takes its ten classes, renumbered 0 to 9 in the order of their targets.
        sample_rate, duration, normalize, cache: see
            :class:`~audiointerp.dataset.clips.LabelledClips`.

    Raises:
        DatasetError: the folder, its table, a column or a fold is missing, a row is incomplete, a
            file is listed twice or outside ``audio``, or a class has two names.

    >>> import tempfile
    >>> from audiointerp.dataset import Synthetic
    >>> synthetic = Synthetic((5,), sample_rate=8000, duration=3.0)
    >>> synthetic.rows = synthetic.rows[:2]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     synthetic.write(folder)
    ...     dataset = ESC50(folder, sample_rate=8000, duration=3.0)
    ...     dataset.clip_id(1), dataset.recording(1), dataset[1][0].shape
    ('5-50001-A-0.wav', '50001', torch.Size([1, 24000]))
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        folds: Sequence[int] | None = None,
        subset: str | None = None,
        *,
        sample_rate: int = 32000,
        duration: float | None = 5.0,
        normalize: str = "peak",
        cache: CacheChoice = None,
    ) -> None:
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such data folder")
        table = root / "meta" / "esc50.csv"
        if not table.is_file():
            raise DatasetError(
                f"{table}: the table of clips is missing; a folder with one subfolder per class, "
                "or another table, is opened by LabelledClips.open (--clips)"
            )
        rows = read_table(table, COLUMNS if subset is None else (*COLUMNS, "esc10"))
        check_unique_files(rows)
        if subset is not None:
            choose("subset", subset, ["esc10"])
            rows = [row for row in rows if row["esc10"].strip().lower() == "true"]
        names = category_names(table, rows)
        targets = {number: target for target, number in enumerate(names)}
        clips = [
            Clip(
                file_of_row(root / "audio", row, bare=True),
                targets[row.number("target")],
                row.number("fold", least=1, most=FOLDS),
                recording=esc50_recording(row["filename"]),
            )
            for row in rows
        ]
        super().__init__(
            in_folds(clips, folds, table),
            list(names.values()),
            sample_rate=sample_rate,
            duration=duration,
            normalize=normalize,
            cache=cache,
        )
