"""The sound that a page holds of a clip, and how its script makes the parts of a mask from it.

It is the file's own sound, in its rate and channels, or else the clip as it was classified.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..processing import framing_at, grid_steps, mono, resample
from ..scoring import ExplainedClip
from .encoding import packed
from .players import MOST_CHANNELS, MP3_RATES

LARGEST_FLAC = 1_500_000
"""Samples of all channels; a longer clip is MP3, so that its page stays small."""
LARGEST_MP3 = 4_000_000
"""Bytes of a long clip as MP3 in base64, as far as 33 kbit/s allow."""
LEAST_BITRATE = 33.0
"""The fewest kbit/s of an MP3."""
MOST_BITRATE = 72.0
"""The most kbit/s of an MP3 for each channel; 5 s of one channel are then 60 kB in a page."""
QUIETEST = 2.0**-14
"""A page raises a quiet file up to full scale, but no more than so much."""


@dataclass(frozen=True, eq=False)
class PageSound:
    """What a page plays as the original.

    Attributes:
        wav: ``(1, C, L)`` in [-1, 1], divided by ``scale``.
        scale: a power of two, which loses nothing of 16 bits.
        sample_rate: in Hz.
        container: ``"FLAC"`` or ``"MP3"``.
        bitrate: the mean kbit/s of an MP3; None of a FLAC.
        is_own: whether it is the file's own sound.

    >>> PageSound(torch.zeros(1, 1, 800), 1.0, 8000, "FLAC", None, False).container
    'FLAC'
    """

    wav: Tensor
    scale: float
    sample_rate: int
    container: str
    bitrate: float | None
    is_own: bool


def page_sound(result: ExplainedClip, lossless: bool = True) -> PageSound:
    """Return the sound that a page of a clip holds.

    Args:
        result: of the clip.
        lossless: whether it is FLAC, if it is short enough, or MP3.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> song = (torch.rand(44100) - 0.5, 44100)
    >>> sound = page_sound(ai.interpret(classifier, song, "saliency", compared=0))
    >>> sound.wav.shape, sound.sample_rate, sound.container
    (torch.Size([1, 1, 44100]), 44100, 'FLAC')
    """
    wav, rate = result.sounds.original, result.sounds.sample_rate
    if wav.shape[1] > MOST_CHANNELS:
        wav = mono(wav)
    is_own = result.file_sounds is not None
    # A clip as classified keeps its level; a file can be quiet.
    least = QUIETEST if is_own else 1.0
    scale = _power_of_two(wav, least)
    if lossless and wav.numel() <= LARGEST_FLAC:
        return PageSound(wav / scale, scale, rate, "FLAC", None, is_own)
    if rate not in MP3_RATES:
        allowed = min((each for each in MP3_RATES if each > rate), default=max(MP3_RATES))
        wav, rate = resample(wav.cpu().float(), rate, allowed), allowed
        scale = _power_of_two(wav, least)
    fitting = fitting_bitrate(LARGEST_MP3, wav.shape[-1] / rate)
    bitrate = min(fitting, MOST_BITRATE * wav.shape[1])
    return PageSound(wav / scale, scale, rate, "MP3", bitrate, is_own)


def fitting_bitrate(size: int, seconds: float) -> float:
    """Return the kbit/s of a sound that has a size in base64, at least 33.

    >>> fitting_bitrate(4_000_000, 100.0)
    240.0
    """
    # Base64 has 8 bits for 6.
    return max(LEAST_BITRATE, size * 6 / 1000 / seconds)


def sound_data(result: ExplainedClip, sound: PageSound) -> dict[str, Any]:
    """Return what the script needs to make the parts: the STFT, and its place on the grid.

    Args:
        result: of the clip.
        sound: what the page holds of it.

    >>> import audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> data = sound_data(result, page_sound(result))
    >>> data["framing"]["hop"], data["place"]
    (320, {'firstFrame': 0.0, 'frameStep': 1.0, 'binStep': 1.0})
    """
    transform, rate = result.spectrogram.transform, sound.sample_rate
    is_own = sound.is_own or rate != transform.sample_rate
    framing = framing_at(transform, rate) if is_own else transform.framing
    first_frame, frame_step, bin_step = grid_steps(transform, framing, rate)
    channels, length = sound.wav.shape[1:]
    window = framing.taper(torch.zeros((), dtype=torch.float64))
    return {
        "sampleRate": rate,
        "channels": channels,
        "length": length,
        "scale": sound.scale,
        "framing": {
            "nFft": framing.n_fft,
            "hop": framing.hop_length,
            "center": framing.center,
            "reflect": framing.padding == "reflect",
            "preemphasis": framing.preemphasis,
            "window": packed(window.numpy().astype("<f4")),
        },
        "place": {"firstFrame": first_frame, "frameStep": frame_step, "binStep": bin_step},
        # As in masked_sound: where channels cancel, a fill could raise them without limit.
        "isLimited": is_own and result.sounds.original.shape[1] > 1,
    }


def _power_of_two(wav: Tensor, least: float) -> float:
    """Return the least power of two that no sample exceeds, or a larger one."""
    peak = max(float(wav.abs().max()), least)
    return 2.0 ** math.ceil(math.log2(peak))
