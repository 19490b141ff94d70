"""The window of a long clip in which a label is heard the most."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..dataset import own_channels
from ..errors import choose
from ..model import Classifier, log_probabilities_by_window
from ..processing import normalized
from .data import clip_of

BATCH = 16
"""The most windows per forward."""
BATCH_SECONDS = 20.0
"""The most seconds of sound per forward: the memory of a network's activations grows with them."""
WINDOWS = ("strongest", "all")
"""What is explained of a clip that is more than a tenth longer than the classifier's windows: the
window in which p is the largest, which is the default; or all of it, by the mean p of its windows.
"""


LITTLE_LONGER = 1.1
"""A clip of at most so many windows is explained whole: files are often some samples longer."""
LITTLE_PADDING = 0.9
"""Of a clip that has at least this share of a window, padding is not said."""


class ChannelSamples(NamedTuple):
    """Samples ``(C, L)`` with their rate, in the form of an audio decoder's.

    >>> ChannelSamples(torch.zeros(2, 441), 44100).sample_rate
    44100
    """

    data: Tensor
    sample_rate: int


class ExplainedPart(NamedTuple):
    """The clip, or the window of it, that is explained.

    >>> ExplainedPart(torch.zeros(1, 1, 800), "a.wav", None, None).audio
    'a.wav'
    """

    wav: Tensor
    """``(1, 1, L)``, as the classifier takes it."""
    audio: Any
    """What it was made from: what was given, or a window of it with its own rate and channels."""
    target: int | None
    """The label, if it is known already."""
    limits: tuple[float, float] | None
    """Begin and end of the window in the clip, in seconds; None for the whole clip."""
    clip_seconds: float | None = None
    """The length of the clip that the window is of; None for the whole clip."""


def windows_per_forward(classifier: Classifier) -> int:
    """Return how many windows of a recording are classified at a time, at least one.

    >>> from audiointerp import Cnn6, LogMel
    >>> network = Cnn6(2, base_channels=4)
    >>> durations = (1.0, 5.0, 60.0)
    >>> classifiers = [Classifier(network, LogMel(), ["cat", "dog"], each) for each in durations]
    >>> [windows_per_forward(classifier) for classifier in classifiers]
    [16, 4, 1]
    """
    seconds = classifier.window_length / classifier.sample_rate
    return max(1, min(BATCH, int(BATCH_SECONDS / seconds)))


def window_name(clip: str | None, limits: tuple[float, float] | None) -> str | None:
    """Return the name of a clip, with the times of its window if there is one.

    >>> window_name("a.wav", None), window_name("a.wav", (2.5, 7.5))
    ('a.wav', 'a.wav, 2.50 to 7.50 s')
    """
    if limits is None:
        return clip
    return f"{clip or 'clip'}, {limits[0]:.2f} to {limits[1]:.2f} s"


def window_note(
    limits: tuple[float, float] | None, clip_seconds: float | None, label: str, option: str
) -> str:
    """Return a sentence on which window of a clip is explained; empty for a whole clip.

    Args:
        limits, clip_seconds: of the window, see :class:`ExplainedPart`.
        label: that is explained.
        option: how to explain the whole clip.

    >>> window_note((2.5, 7.5), 60.0, "dog", "--windows all")[:61]
    'Explained is one window of 5 s, from 2.5 to 7.5 s of a clip o'
    """
    if limits is None or clip_seconds is None:
        return ""
    begin, end = (round(limit, 2) for limit in limits)
    return (
        f"Explained is one window of {round(end - begin, 2):g} s, from {begin:g} to {end:g} s of a "
        f"clip of {round(clip_seconds, 2):g} s: the one with the largest p of {label}. {option} "
        f"explains the whole clip."
    )


def padding_note(seconds: float, classifier: Classifier) -> str:
    """Return a sentence on the silence after a clip; empty if there is little or none.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> padding_note(0.25, classifier)
    'The clip lasts 0.25 s, and is classified with silence after it, up to 1 s.'
    >>> padding_note(0.99, classifier)
    ''
    """
    if seconds > LITTLE_PADDING * classifier.duration:
        return ""
    return (
        f"The clip lasts {seconds:.2g} s, and is classified with silence after it, up to "
        f"{classifier.duration:g} s."
    )


def explained_part(
    classifier: Classifier, audio: Any, windows: str = WINDOWS[0], target: int | None = None
) -> ExplainedPart:
    """Return what of a clip is explained.

    Args:
        classifier: the classifier.
        audio: one clip, as ``interpret`` takes it.
        windows: a name in :data:`WINDOWS`. With ``"strongest"``, windows are half a duration apart
            and normalised each by itself, as by :func:`~audiointerp.events.scanning.scan`. All of a
            silent clip is explained.
        target: the label; None for the predicted one: of the window, that with the largest p.

    Raises:
        ArgumentError: the audio is no clip, or the name is unknown.
        AudioError: the sound file cannot be read.

    >>> from audiointerp import Cnn6, LogMel
    >>> classifier = Classifier(Cnn6(2, base_channels=4), LogMel(), ["cat", "dog"], duration=1.0)
    >>> part = explained_part(classifier, torch.randn(80000), "strongest", target=1)
    >>> part.wav.shape, part.limits[1] - part.limits[0]
    (torch.Size([1, 1, 32000]), 1.0)
    """
    choose("windows", windows, WINDOWS)
    wav = clip_of(audio, classifier)
    length, rate = classifier.window_length, classifier.sample_rate
    if windows == "all" or wav.shape[-1] <= LITTLE_LONGER * length or not wav.any():
        return ExplainedPart(wav, audio, target, None)
    last = wav.shape[-1] - length
    starts = [
        start
        for start in (*range(0, last, max(1, length // 2)), last)
        # No window of silence is the strongest, and not every network takes one.
        if wav[..., start:][..., :length].any()
    ]
    size = windows_per_forward(classifier)
    batches = [starts[first : first + size] for first in range(0, len(starts), size)]
    p = torch.cat([_probabilities(classifier, wav, batch) for batch in batches])
    columns = p if target is None else p[:, target : target + 1]
    row, column = divmod(int(columns.argmax()), columns.shape[1])
    window = normalized(wav[..., starts[row] :][..., :length], classifier.normalize)
    begin, end = starts[row] / rate, (starts[row] + length) / rate
    channels, own_rate = own_channels(audio, rate)
    part = channels[0, :, round(begin * own_rate) : round(end * own_rate)]
    chosen = column if target is None else target
    sound = ChannelSamples(part, own_rate)
    return ExplainedPart(window, sound, chosen, (begin, end), wav.shape[-1] / rate)


def _probabilities(classifier: Classifier, wav: Tensor, starts: list[int]) -> Tensor:
    """Return p ``(B, C)`` of the windows of a clip."""
    windows = torch.cat([wav[..., start:][..., : classifier.window_length] for start in starts])
    inputs = normalized(windows, classifier.normalize).to(classifier.device)
    return log_probabilities_by_window(classifier, classifier.transform(inputs))[0][0].exp()
