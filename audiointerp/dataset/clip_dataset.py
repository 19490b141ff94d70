"""The interface of a data set of clips, and the recording that each clip was cut from."""

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from ..errors import DatasetError

Target = int | tuple[int, ...]
"""The number of a clip's class; the numbers of all its classes if a clip may have several."""
_ESC50_NAME = re.compile(r"\d-(\d+)-[A-Z]-\d+(?:\.\w+)?")
T = TypeVar("T")


class ClipDataset(Protocol):
    """What a data set must have to be used by this library.

    An item is ``(wav (1, L) float32, target)``; ``labels`` are the class names by target;
    ``clip_id`` is a unique name for the results. A target is the number of the clip's class, or,
    where a clip may have several classes, a tuple of their numbers. Two methods are optional:
    ``recording(index) -> str`` (:func:`recording_of`), and ``targets(index) -> tuple[int, ...]``,
    which gives the classes without decoding the clip (:func:`targets_of`).

    >>> import torch
    >>> class Tones:
    ...     sample_rate, labels = 8000, ("low", "high")
    ...
    ...     def __len__(self):
    ...         return 2
    ...
    ...     def __getitem__(self, index):
    ...         return torch.sin(torch.arange(8000) * (index + 1) / 10)[None], index
    ...
    ...     def clip_id(self, index):
    ...         return self.labels[index]
    >>> dataset: ClipDataset = Tones()
    """

    sample_rate: int
    labels: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Tensor, Target]: ...

    def clip_id(self, index: int, /) -> str: ...


def esc50_recording(name: str) -> str:
    """The recording in a file name of ESC-50, ``fold-RECORDING-take-class``; else the name itself.

    >>> esc50_recording("5-151085-B-20.wav"), esc50_recording("dog.wav")
    ('151085', 'dog.wav')
    """
    match = _ESC50_NAME.fullmatch(name)
    return match[1] if match else name


def recording_of(dataset: ClipDataset, index: int) -> str:
    """The recording that a clip was cut from; confidence intervals resample recordings.

    Returns:
        ``dataset.recording(index)``; for a data set without that method, :func:`esc50_recording` of
        the clip's name.

    >>> from audiointerp.dataset import Synthetic
    >>> recording_of(Synthetic((5,)), 3)
    '50003'
    """
    recording = getattr(dataset, "recording", None)
    if callable(recording):
        return str(recording(index))
    return esc50_recording(dataset.clip_id(index))


def targets_of(dataset: ClipDataset, index: int) -> tuple[int, ...]:
    """The numbers of all classes of a clip, without decoding it if the data set keeps them.

    A data set keeps them if its class has a method ``targets(index)``; a subclass that overrides
    ``__getitem__`` alone may number its classes in another way, so its clips are decoded.

    >>> from audiointerp.dataset import Contaminated, Synthetic
    >>> targets_of(Contaminated(Synthetic((5,)), "white"), 79)
    (9,)
    """
    for kind in type(dataset).__mro__:
        if callable(vars(kind).get("targets")):
            return tuple(dataset.targets(index))  # type: ignore[attr-defined]
        if "__getitem__" in vars(kind):
            break
    return as_targets(dataset[index][1])


def as_targets(target: Target) -> tuple[int, ...]:
    """A target as a tuple of class numbers.

    >>> as_targets(3), as_targets((0, 2))
    ((3,), (0, 2))
    """
    return tuple(target) if isinstance(target, tuple) else (target,)


def only_target(dataset: ClipDataset, index: int, target: Target) -> int:
    """The class number of a clip that has one class.

    Raises:
        DatasetError: the clip has several classes, or none.

    >>> from audiointerp.dataset import Synthetic
    >>> only_target(Synthetic((5,)), 0, 3)
    3
    """
    targets = as_targets(target)
    if len(targets) != 1:
        names = ", ".join(dataset.labels[number] for number in targets) or "none"
        raise DatasetError(
            f"{dataset.clip_id(index)} has {len(targets)} labels ({names:.200}), but exactly one "
            "is needed here; leave such clips out, or give each clip one label"
        )
    return targets[0]


def clip_at(by_clip: Sequence[T], index: int) -> T:
    """The entry of clip ``index`` in a sequence with one entry per clip.

    Raises:
        IndexError: there is no such clip.

    >>> clip_at(["a", "b"], 2)
    Traceback (most recent call last):
    IndexError: clip 2: there are 2 clips, numbered from 0 to 1
    """
    if not -len(by_clip) <= index < len(by_clip):
        raise IndexError(
            f"clip {index}: there are {len(by_clip)} clips, numbered from 0 to {len(by_clip) - 1}"
        )
    return by_clip[index]
