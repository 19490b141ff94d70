"""The sounds that a listener gets: a clip and its parts, at the rate and in the channels of a file.

A classifier hears the mono mix at its own rate. A listener has the file: the mask is applied to
each of its channels at its own rate, and for p, each sound is mixed, resampled and scaled as the
clip was.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..dataset import own_channels
from ..errors import AudioError, AudioWarning
from ..processing import Spectrogram, masked_sound, mono, resample


@dataclass(frozen=True, eq=False)
class Sounds:
    """A clip and its parts as sounds.

    Attributes:
        original, kept, removed: ``(1, C, L)``; under a 0/1 mask, original = kept + removed.
        sample_rate: in Hz.

    >>> import torch
    >>> sounds = Sounds(*torch.zeros(3, 1, 2, 441), sample_rate=44100)
    >>> [(name, wav.shape[1]) for name, wav in sounds]
    [('original', 2), ('kept', 2), ('removed', 2)]
    """

    original: Tensor
    kept: Tensor
    removed: Tensor
    sample_rate: int

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        return iter((("original", self.original), ("kept", self.kept), ("removed", self.removed)))


@dataclass(frozen=True, eq=False)
class Recording:
    """A sound with its own rate, channels and level, and what a classifier makes of it.

    Attributes:
        wav: ``(1, C, L)``, as in the file or as given.
        sample_rate: of ``wav``, in Hz.
        heard_rate: of the classifier.
        gain: from the mono mix to the level of the classifier's clip.

    >>> import torch
    >>> recording = Recording(torch.ones(1, 2, 441), 44100, 32000, 2.0)
    >>> recording.as_heard(recording.wav).shape
    torch.Size([1, 1, 320])
    """

    wav: Tensor
    sample_rate: int
    heard_rate: int
    gain: float

    def parts(self, kept: Spectrogram, removed: Spectrogram) -> Sounds:
        """Return the recording under the gains of a mask and of its complement."""
        kept_sound, removed_sound = (
            masked_sound(part, self.wav, self.sample_rate).cpu() for part in (kept, removed)
        )
        return Sounds(self.wav, kept_sound, removed_sound, self.sample_rate)

    def heard(self, sounds: Sounds) -> dict[str, Tensor]:
        """Return the parts ``(1, 1, L)`` as the classifier hears them, by the names of their p."""
        return {"p_in": self.as_heard(sounds.kept), "p_out": self.as_heard(sounds.removed)}

    def as_heard(self, sound: Tensor) -> Tensor:
        """Mix, resample and scale a part of it ``(1, C, L)`` as the classifier's clip was."""
        return resample(mono(sound), self.sample_rate, self.heard_rate) * self.gain


def recording_of(audio: Any, wav: Tensor, sample_rate: int) -> Recording | None:
    """Return what a clip was made from; None if the clip already has all that it holds.

    Args:
        audio: what :func:`~audiointerp.dataset.as_clip` takes: a file, or samples with a rate; or
            None, if it is not known.
        wav: the clip ``(1, 1, L)``, read, mixed, resampled and normalised.
        sample_rate: of the clip, in Hz.

    >>> import torch
    >>> recording_of(torch.zeros(800), torch.zeros(1, 1, 800), 8000) is None
    True
    >>> recording_of((torch.ones(441), 44100), torch.ones(1, 1, 80), 8000).sample_rate
    44100
    """
    if audio is None:
        return None
    try:
        channels, rate = own_channels(audio, sample_rate)
    except AudioError as error:
        # The clip was read before, so only the number of samples over all channels is too large.
        warnings.warn(
            f"{error}; the parts are given in mono at {sample_rate} Hz", AudioWarning, stacklevel=4
        )
        return None
    if rate == sample_rate and channels.shape[1] == 1:
        return None
    peak = float(resample(mono(channels), rate, sample_rate).abs().max())
    gain = float(wav.abs().max()) / peak if peak else 1.0
    return Recording(channels, rate, sample_rate, gain)
