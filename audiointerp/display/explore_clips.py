"""The clips that a person can choose from: a data set, sound files, an upload, a recording."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..dataset import targets_of
from ..errors import ArgumentError
from ..model import Classifier
from ..scoring import clip_of, dataset_of


@dataclass(frozen=True, eq=False)
class Source:
    """One clip before it is read.

    Attributes:
        name: of the clip.
        code: the Python expression that gives the clip again.
        load: gives what ``interpret`` takes.
        label: gives its classes, in a text that is empty if they are not known.

    >>> Source("dog.wav", "'dog.wav'", lambda: "dog.wav").load()
    'dog.wav'
    """

    name: str
    code: str
    load: Callable[[], Any]
    label: Callable[[], str] = str


def sources_of(clips: Any, classifier: Classifier) -> list[Source]:
    """Return the clips of a data set, or of a list of clips without labels.

    Args:
        clips: the path of a sound file; a list of what :func:`~audiointerp.dataset.as_clip` takes
            alone, e.g. of paths; or a data set, see :func:`~audiointerp.scoring.dataset_of`.
        classifier: says at what rate.

    Raises:
        ArgumentError: the clips do not fit the classifier, or there is none.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> [source.code for source in sources_of(["a.wav", torch.zeros(32000)], classifier)]
    ["'a.wav'", 'clips[1]']
    """
    if isinstance(clips, str | os.PathLike) and Path(clips).is_file():
        clips = [clips]
    if isinstance(clips, list | tuple) and len(clips) == 0:
        raise ArgumentError("there is no clip to explore: give at least one")
    if isinstance(clips, list) and all(_is_bare(clip) for clip in clips):
        return [_bare(clip, number) for number, clip in enumerate(clips)]
    return _labelled(clips, classifier)


def _is_bare(clip: Any) -> bool:
    return isinstance(clip, str | os.PathLike | Tensor | np.ndarray | Mapping)


def _bare(clip: Any, number: int) -> Source:
    if isinstance(clip, str | os.PathLike):
        return Source(Path(clip).name, repr(os.fspath(clip)), lambda: clip)
    return Source(f"clip {number}", f"clips[{number}]", lambda: clip)


def _labelled(clips: Any, classifier: Classifier) -> list[Source]:
    dataset = dataset_of(clips, classifier)
    code = "clips"
    if isinstance(clips, str | os.PathLike):
        # As dataset_of reads it.
        form = "classifier.sample_rate, classifier.labels, files=classifier.normalize"
        code = f"ai.as_dataset({os.fspath(clips)!r}, {form})"
    pairs: Sequence[Any] | None = clips if isinstance(clips, list | tuple) else None

    def source(number: int) -> Source:
        def load() -> Any:
            return dataset[number][0] if pairs is None else pairs[number][0]

        def label() -> str:
            return ", ".join(dataset.labels[target] for target in targets_of(dataset, number))

        return Source(dataset.clip_id(number), f"{code}[{number}][0]", load, label)

    return [source(number) for number in range(len(dataset))]


def uploaded(name: Any, content: bytes, classifier: Classifier) -> Source:
    """Return a sound file that was sent as bytes.

    Args:
        name: of the file.
        content: its bytes.
        classifier: reads it once, so that a fault is known at once.

    Raises:
        ArgumentError, AudioError: it is no sound that can be classified.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> uploaded("dog.wav", b"", classifier)
    Traceback (most recent call last):
    audiointerp.errors.AudioError: dog.wav: ...
    """
    name = Path(str(name)).name
    audio = {"path": name, "bytes": bytes(content)}
    clip_of(audio, classifier)
    return Source(name, repr(name), lambda: audio)


def recorded(content: bytes, rate: Any, classifier: Classifier) -> Source:
    """Return a recording that was sent as samples.

    Args:
        content: float32, little-endian, one channel.
        rate: in Hz.
        classifier: as for :func:`uploaded`.

    Raises:
        ArgumentError: samples are not finite, there are none, or the rate is not one.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> recorded(np.zeros(800, "<f4").tobytes(), 8000, classifier).name
    'recording'
    """
    if len(content) % 4:
        raise ArgumentError(f"a recording of {len(content)} bytes is no list of float32 samples")
    samples = torch.from_numpy(np.frombuffer(bytes(content), "<f4").copy())
    audio = (samples, rate)
    clip_of(audio, classifier)
    return Source("recording", "(samples, rate)", lambda: audio)
