"""The clips that a classifier is scored on."""

from typing import Any

import numpy as np
from torch import Tensor

from ..dataset import ClipDataset, as_clip, as_dataset
from ..errors import ArgumentError
from ..model import Classifier


def dataset_of(clips: Any, classifier: Classifier) -> ClipDataset:
    """Return the data set that the classifier explains.

    Args:
        clips: a data set, or what :func:`~audiointerp.dataset.as_dataset` takes.
        classifier: the classifier.

    Raises:
        ArgumentError: the data set does not fit the classifier.

    >>> import torch
    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), ["cat", "dog"], duration=1.0)
    >>> len(dataset_of([((torch.zeros(32000), 32000), "cat")], classifier))
    1
    """
    dataset: ClipDataset = clips
    if not all(hasattr(clips, name) for name in ("sample_rate", "labels", "clip_id")):
        dataset = as_dataset(
            clips,
            classifier.sample_rate,
            labels=classifier.labels,
            files=classifier.normalize,
        )
    check_fits(classifier, dataset)
    return dataset


def check_fits(classifier: Classifier, dataset: ClipDataset) -> None:
    """Refuse a data set whose sample rate, normalisation or labels are not the classifier's.

    Raises:
        ArgumentError: they differ.

    >>> from audiointerp import Cnn6, LogMel, Synthetic
    >>> clips = Synthetic((5,), sample_rate=32000)
    >>> network = Cnn6(10, base_channels=4)
    >>> check_fits(Classifier(network, LogMel(), clips.labels), clips)
    """
    if dataset.sample_rate != classifier.sample_rate:
        raise ArgumentError(
            f"the data set has {dataset.sample_rate} Hz, the classifier takes "
            f"{classifier.sample_rate} Hz; give the data set sample_rate={classifier.sample_rate} "
            f"and duration={classifier.duration:g}, or score a folder or table by its path"
        )
    normalize = getattr(dataset, "normalize", classifier.normalize)
    if normalize != classifier.normalize:
        raise ArgumentError(
            f"the data set's clips are normalised by {normalize!r}, the classifier's by "
            f"{classifier.normalize!r}; give the data set normalize={classifier.normalize!r}"
        )
    if tuple(dataset.labels) != classifier.labels:
        is_superset = set(classifier.labels) < set(dataset.labels)
        advice = (
            "for the ESC-10 weights give subset='esc10' (--subset esc10)"
            if is_superset
            else "give data with the classifier's labels"
        )
        raise ArgumentError(
            f"the data set's labels ({', '.join(dataset.labels)}) are not the classifier's "
            f"({', '.join(classifier.labels)}): {advice}; for LabelledClips give "
            f"labels=classifier.labels"
        )


def clip_of(audio: Any, classifier: Classifier) -> Tensor:
    """Return one clip ``(1, 1, L)``; samples without a rate are taken as they are.

    Args:
        audio: what :func:`~audiointerp.dataset.as_clip` takes.
        classifier: says at what rate, and how recordings are normalised.

    Raises:
        ArgumentError: it is no finite mono clip.
        AudioError: the sound file cannot be read.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> clip_of(np.zeros(32000), Classifier(network, LogMel(), ["cat", "dog"])).shape
    torch.Size([1, 1, 32000])
    """
    is_samples = isinstance(audio, Tensor | np.ndarray)
    normalize = "none" if is_samples else classifier.normalize
    return as_clip(audio, classifier.sample_rate, normalize=normalize)
