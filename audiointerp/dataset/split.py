"""The clips of a data set for training, validation and test, the same ones each time."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ArgumentError, AudioWarning, DatasetError
from .clip_dataset import ClipDataset, recording_of, targets_of
from .clips import LabelledClips
from .in_memory import Selection

LEAST_FOLDS = 3


@dataclass(frozen=True, eq=False)
class Split:
    """The clips for training, validation and test.

    Attributes:
        train, validation, test: the clips; no recording is in two of them, unless the folds of a
            table say so.
        how: how they were chosen, ``"by fold"`` or ``"by recording"``.

    >>> from audiointerp.dataset import Synthetic
    >>> len(split_clips(Synthetic((1, 2))).test)
    30
    """

    train: Selection
    validation: Selection
    test: Selection
    how: str


def split_clips(
    dataset: ClipDataset, validation: float | None = None, test: float | None = None
) -> Split:
    """Divide a data set into clips for training, validation and test.

    A table with at least three folds is divided by them: the last one is for test, the one before
    for validation; a recording of the last one that is in others, too, causes a warning. Any other
    data set, or one with given shares, is divided by recordings: in each class, these are put in
    the order of the SHA-256 of their names, and the first ones are for test, the next for
    validation. So the same clips are chosen on any machine.

    Args:
        dataset: the clips.
        validation: the share of each class's recordings, by default 0.2; at least one recording.
        test: likewise.

    Raises:
        ArgumentError: a share is not above 0, or no clip is left for training.
        DatasetError: a class has fewer than three recordings.

    >>> from audiointerp.dataset import Synthetic
    >>> split = split_clips(Synthetic((1,)), validation=0.25, test=0.25)
    >>> [len(part) for part in (split.train, split.validation, split.test)]
    [40, 20, 20]
    """
    if validation is None and test is None and isinstance(dataset, LabelledClips):
        folds = sorted({clip.fold for clip in dataset.clips})
        if len(folds) >= LEAST_FOLDS:
            return _by_fold(dataset, folds)
    shares = (0.2 if test is None else test, 0.2 if validation is None else validation)
    if not (min(shares) > 0 and sum(shares) < 1):
        raise ArgumentError(
            f"validation={shares[1]:g}, test={shares[0]:g}: each share must be above 0, and their "
            "sum below 1"
        )
    return _by_recording(dataset, shares)


def _by_fold(dataset: LabelledClips, folds: list[int]) -> Split:
    def clips_in(chosen: list[int]) -> Selection:
        numbers = [number for number, clip in enumerate(dataset.clips) if clip.fold in chosen]
        return Selection(dataset, numbers)

    train, validation, test = map(clips_in, (folds[:-2], folds[-2:-1], folds[-1:]))
    warn_of_shared_recordings(str(folds[-1]), (train, validation), test, stacklevel=3)
    return Split(train, validation, test, how="by fold")


def warn_of_shared_recordings(
    fold: str, others: Sequence[ClipDataset], test: ClipDataset, stacklevel: int = 2
) -> None:
    """Warn of test clips that are cut from a recording of the training or validation clips.

    Args:
        fold: the name of the fold that is tested.
        others: the training and the validation clips.
        test: the test clips.
        stacklevel: see :func:`warnings.warn`, counted from the caller.

    >>> from audiointerp.dataset import Synthetic
    >>> warn_of_shared_recordings("2", [Synthetic((1,))], Synthetic((2,)))
    """
    tested = _recordings(test)
    known = [_recordings(dataset) for dataset in others]
    shared = sorted(tested.intersection(set().union(*known)))
    if shared:
        warnings.warn(
            f"fold {fold}: {len(shared)} of its {len(tested)} recordings are in the other folds "
            f"too, e.g. {shared[0]}: its scores are not those of unheard recordings",
            AudioWarning,
            stacklevel=stacklevel + 1,
        )


def _recordings(dataset: ClipDataset) -> set[str]:
    return {recording_of(dataset, index) for index in range(len(dataset))}


def _by_recording(dataset: ClipDataset, shares: tuple[float, float]) -> Split:
    clips_of: dict[str, list[int]] = {}
    for index in range(len(dataset)):
        clips_of.setdefault(recording_of(dataset, index), []).append(index)
    by_class: dict[tuple[int, ...], list[str]] = {}
    for recording, indices in clips_of.items():
        # A recording with clips of several classes stays in one piece, with those of its first.
        by_class.setdefault(targets_of(dataset, indices[0])[:1], []).append(recording)
    parts: tuple[list[int], ...] = ([], [], [])
    for targets, recordings in by_class.items():
        ordered = sorted(recordings, key=_order)
        tests, validations = (max(1, round(share * len(ordered))) for share in shares)
        if tests + validations >= len(ordered):
            label = dataset.labels[targets[0]] if targets else "without a label"
            raise DatasetError(
                f"class {label} has {len(ordered)} recordings, of which {tests} would be for test "
                f"and {validations} for validation, and none for training; give more clips, or "
                "smaller shares"
            )
        ends = (tests, tests + validations)
        cuts = (ordered[ends[1] :], ordered[ends[0] : ends[1]], ordered[: ends[0]])
        for part, chosen in zip(parts, cuts, strict=True):
            for recording in chosen:
                part += clips_of[recording]
    train, validation, test = (Selection(dataset, sorted(part)) for part in parts)
    return Split(train, validation, test, how="by recording")


def _order(recording: str) -> str:
    return hashlib.sha256(recording.encode("utf-8", "surrogatepass")).hexdigest()
