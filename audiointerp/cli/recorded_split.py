"""What weights record of the clips that they were trained on, so that a run scores the others."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..dataset import LabelledClips, Split

BEGINNING = 2**16
"""Bytes: beyond the headers of a file, some of its sound."""


def split_record(split: "Split", validation: float | None, test: float | None) -> dict[str, Any]:
    """What the weights record of the clips that they were trained on; see :func:`recorded_split`.

    Example: ``audiointerp train --clips FOLDER`` calls it.
    """
    return {
        "clips": _digest("\n".join(sorted(_names(split.train.dataset)))),
        "seen": _seen(split),
        "validation": validation,
        "test": test,
    }


def recorded_split(
    record: Any, dataset: "LabelledClips", path: Path, *, must_be_known: bool
) -> "Split | None":
    """The division by which a network was trained; None if these clips are others.

    Args:
        record: of :func:`split_record`, or whatever stands in its place.
        dataset: the clips.
        path: of these, for the error.
        must_be_known: whether to refuse clips that the network was trained on, but that can no
            longer be divided as they were.

    Raises:
        ArgumentError: they are refused.

    Example: ``audiointerp run mel_clean --clips FOLDER`` calls it.
    """
    from ..dataset import split_clips

    if not isinstance(record, dict):
        return None
    names = _names(dataset)
    # Older weights do not record the files, so that only a change of the names is noticed.
    seen = record.get("seen")
    if record.get("clips") == _digest("\n".join(sorted(names))):
        split = split_clips(dataset, record.get("validation"), record.get("test"))
        if seen is None or seen == _seen(split):
            return split
    count = len(_files(dataset).intersection(seen)) if seen else 0
    if count and must_be_known:
        raise ArgumentError(
            f"{path}: these weights were trained on {count} of its {len(names)} clips, and its "
            "clips, recordings or folds have changed since, so the test clips are not known: "
            "restore them, or choose by --folds, or --part all"
        )
    return None


def _names(dataset: Any) -> list[str]:
    return [dataset.clip_id(index) for index in range(len(dataset))]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _seen(split: "Split") -> list[str]:
    """What tells the files for training and validation from others."""
    return sorted(_files(split.train) | _files(split.validation))


def _files(dataset: Any) -> set[str]:
    """Digests of the names of clips and of what their files begin with."""
    return {
        _digest(f"{dataset.clip_id(index)}\n{_beginning(dataset, index)}")[:12]
        for index in range(len(dataset))
    }


def _beginning(dataset: Any, index: int) -> str:
    """The SHA-256 of the first bytes of a clip's file; empty if it cannot be read."""
    clips = dataset
    while not hasattr(clips, "clips"):
        clips, index = clips.dataset, clips.indices[index]
    try:
        with clips.clips[index].path.open("rb") as file:
            return hashlib.sha256(file.read(BEGINNING)).hexdigest()
    except OSError:
        return ""
