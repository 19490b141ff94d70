"""A clip that was read, or the error that it gave."""

import hashlib
from dataclasses import dataclass

from torch import Tensor

from ..util import encodable
from .clip_dataset import ClipDataset, as_targets, recording_of

SEPARATOR = "; "
"""Between the labels of a clip that has several."""


@dataclass(frozen=True, eq=False)
class LoadedClip:
    """A clip that was read once, for all of its rows in the results.

    Attributes:
        name: its name in results.
        recording: what it was cut from.
        wav: ``(1, L)``; None if it cannot be read.
        label: the true label, or all of them, joined by :data:`SEPARATOR`; empty if it cannot be
            read.
        sha256: the hash of name, label and samples, or of name and error.
        error: why it cannot be read; None if it can.
        labels: the true labels: one, or any number where clips may have several.

    >>> LoadedClip("a.wav", "a", None, "", "0" * 64, OSError("no such file")).wav is None
    True
    """

    name: str
    recording: str
    wav: Tensor | None
    label: str
    sha256: str
    error: Exception | None = None
    labels: tuple[str, ...] = ()


def has_label(cell: str, label: str) -> bool:
    """Whether a clip's labels, joined as in :attr:`LoadedClip.label`, have this one.

    >>> has_label("cat; dog", "dog"), has_label("cat; dog", "do")
    (True, False)
    """
    return label == cell or label in cell.split(SEPARATOR)


def load_clip(dataset: ClipDataset, index: int) -> LoadedClip:
    """Read a clip; an error is stored in the result, so that a run can continue.

    >>> from pathlib import Path
    >>> from audiointerp.dataset import Clip, LabelledClips
    >>> clip = load_clip(LabelledClips([Clip(Path("missing.wav"), 0)], ["dog"]), 0)
    >>> clip.name, str(clip.error)
    ('missing.wav', 'missing.wav: no such audio file')
    """
    name = recording = encodable(dataset.clip_id(index))
    # A user's data set may raise anything.
    try:
        recording = encodable(recording_of(dataset, index))
        wav, target = dataset[index]
        labels = tuple(dataset.labels[number] for number in as_targets(target))
        content = wav.contiguous().numpy().tobytes()
    except Exception as error:
        return LoadedClip(name, recording, None, "", _sha256(f"{name}\n{error}"), error)
    label = SEPARATOR.join(labels)
    sha256 = _sha256(f"{name}\n{label}\n", content)
    return LoadedClip(name, recording, wav, label, sha256, labels=labels)


def _sha256(text: str, content: bytes = b"") -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace") + content).hexdigest()
