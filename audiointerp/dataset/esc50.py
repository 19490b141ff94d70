"""ESC-50 and its ten-class subset ESC-10 (Piczak, ACM Multimedia 2015), in the layout of the data set's repository."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DatasetError, choose
from .clips import Clip, LabelledClips, in_folds
from .table import file_in, no_file_twice, read_table

FOLDS = 5
COLUMNS = ("filename", "fold", "target", "category")


class ESC50(LabelledClips):
    """Environmental sounds: ``ROOT/meta/esc50.csv`` and ``ROOT/audio/``; any file type that the table names.

    Args:
        root: the folder that holds ``meta`` and ``audio``.
        folds: which of the five folds, all by default.
        subset: ``"esc10"`` takes its ten classes, renumbered 0 to 9 in the order of their targets.
        sample_rate, duration, normalize: see :class:`~audiointerp.dataset.clips.LabelledClips`.

    Raises:
        DatasetError: the folder, its table, a column or a fold is missing, a row is not whole, a file stands twice or has no
            bare name, or a class has two names.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        folds: Sequence[int] | None = None,
        subset: str | None = None,
        *,
        sample_rate: int = 32000,
        duration: float = 5.0,
        normalize: str = "peak",
    ) -> None:
        root = Path(root)
        if not root.is_dir():
            raise DatasetError(f"{root}: no such data folder")
        table = root / "meta" / "esc50.csv"
        rows = read_table(table, COLUMNS if subset is None else (*COLUMNS, "esc10"))
        no_file_twice(rows)
        if subset is not None:
            choose("subset", subset, ["esc10"])
            rows = [row for row in rows if row["esc10"].strip().lower() == "true"]
        names: dict[int, str] = {}
        for row in rows:
            target = row.number("target")
            if names.setdefault(target, row["category"]) != row["category"]:
                raise DatasetError(f"{table}: target {target} is both {names[target]!r} and {row['category']!r}")
        numbers = {target: number for number, target in enumerate(sorted(names))}
        labels = [names[target] for target in numbers]
        if len(set(labels)) < len(labels):
            raise DatasetError(f"{table}: one category has two targets")
        clips = [
            Clip(
                file_in(root / "audio", row, bare=True),
                numbers[row.number("target")],
                row.number("fold", least=1, most=FOLDS),
            )
            for row in rows
        ]
        super().__init__(
            in_folds(clips, folds, table),
            labels,
            sample_rate=sample_rate,
            duration=duration,
            normalize=normalize,
        )
