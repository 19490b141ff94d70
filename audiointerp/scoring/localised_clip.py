"""A clip whose sources are known, analysed."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..dataset import ClipDataset, LoadedClip, parts_of, recording_of, targets_of
from ..errors import ArgumentError, AudioError
from ..model import Classifier, clip_log_probabilities
from ..processing import Spectrogram


@dataclass(frozen=True, eq=False)
class Source:
    """The source of one class in a clip.

    Attributes:
        target: the number of the class.
        recording: what it was cut from.
        ratio_db: its energy over that of the rest of the clip.
        db, rest_db: its levels and those of the rest, ``(1, 1, F, T)``.

    >>> Source(0, "a", 5.0, torch.zeros(1, 1, 2, 3), torch.zeros(1, 1, 2, 3)).ratio_db
    5.0
    """

    target: int
    recording: str
    ratio_db: float
    db: Tensor
    rest_db: Tensor


@dataclass(frozen=True, eq=False)
class MixedClip:
    """A clip that was read, with the sources of its classes.

    Attributes:
        loaded: the clip.
        spectrogram: of the clip.
        probs: its probabilities ``(C,)``.
        sources: of its classes, in their order.

    Example: :func:`mixed_clip` makes it.
    """

    loaded: LoadedClip
    spectrogram: Spectrogram
    probs: Tensor
    sources: tuple[Source, ...]


def mixed_clip(
    classifier: Classifier, dataset: ClipDataset, index: int, loaded: LoadedClip
) -> MixedClip:
    """Analyse a clip and its sources; whatever is wrong with them is raised.

    Raises:
        ArgumentError: a class has no source, or there is only one source.
        AudioError: the clip could not be read.

    >>> from audiointerp import Cnn6, LogMel, Synthetic
    >>> from audiointerp.dataset import load_clip
    >>> clips = Synthetic((5,), sample_rate=32000, duration=3.0)
    >>> network = Cnn6(10, base_channels=4)
    >>> classifier = Classifier(network, LogMel(), clips.labels, duration=3.0)
    >>> (source,) = mixed_clip(classifier, clips, 0, load_clip(clips, 0)).sources
    >>> source.target, source.db.shape
    (0, torch.Size([1, 1, 64, 301]))
    """
    if loaded.wav is None:
        raise loaded.error or AudioError(f"{loaded.name} cannot be read")
    spectrogram = classifier.transform(loaded.wav[None].to(classifier.device))
    probs = clip_log_probabilities(classifier, spectrogram)[0][0].exp()
    parts, names = parts_of(dataset, index), _recordings_of_sources(dataset, index)
    targets = targets_of(dataset, index)
    if len(targets) > len(parts) or len(parts) < 2:
        raise ArgumentError(
            f"{loaded.name} has {len(parts)} sources and {len(targets)} classes; each class needs "
            f"a source, and there must be another one"
        )
    lengths = [part.shape[-1] for part in parts]
    if set(lengths) != {loaded.wav.shape[-1]}:
        raise ArgumentError(
            f"{loaded.name} has {loaded.wav.shape[-1]} samples and its sources {lengths}; give "
            "each source as it lies in the clip, with silence around"
        )
    sources = []
    for number, target in enumerate(targets):
        rest = torch.stack([part for place, part in enumerate(parts) if place != number]).sum(0)
        db, rest_db = (
            classifier.transform(part.to(classifier.device)).db for part in (parts[number], rest)
        )
        recording = names[number] if number < len(names) else loaded.recording
        sources.append(Source(target, recording, _ratio(parts[number], rest), db, rest_db))
    return MixedClip(loaded, spectrogram, probs, tuple(sources))


def _recordings_of_sources(dataset: Any, index: int) -> tuple[str, ...]:
    recordings = getattr(dataset, "recordings", None)
    return tuple(recordings(index)) if callable(recordings) else (recording_of(dataset, index),)


def _ratio(source: Tensor, rest: Tensor) -> float:
    """Return the energy of a source over that of the rest, in dB, to a thousandth."""
    energies = [wav.double().square().sum() for wav in (source, rest)]
    return round(float(10 * (energies[0] / energies[1]).log10()), 3) + 0.0
