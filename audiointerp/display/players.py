"""Players in HTML that contain their sounds, small enough for a page.

Short sounds are FLAC, without loss. If these would make a page too large, the sounds are MP3 with
as many bits as fit, and of a long sound there is one player, not one for each gain.
"""

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import soundfile
from torch import Tensor

from ..processing import mono, resample
from ..scoring import ExplainedClip

LOUDEST_GAIN = 60.0
"""Largest gain of a level-matched player, in dB."""
ENCODINGS: dict[str, dict[str, Any]] = {
    "FLAC": {"subtype": "PCM_16"},
    "MP3": {"bitrate_mode": "VARIABLE", "compression_level": 0.4},
}
"""Settings of soundfile per container: FLAC is lossless, MP3 has a fifth of the size."""
LARGEST_SOUNDS = 7_000_000
"""Bytes of all players of one clip, as text; with the picture a page stays below 8 MB."""
BITRATES = (33, 320)
"""The least and the most kbit/s of an MP3 that is fitted to a page."""
FAIR = 96
"""kbit/s with which there are players for both gains; below it, one for each sound."""
MP3_RATES = (16000, 22050, 24000, 32000, 44100, 48000)
MOST_CHANNELS = 2
QUIET = 20.0
"""dB below the clip; a quieter part of a long clip is played at the level of the clip."""
_MIME_TYPES = {"FLAC": "audio/flac", "MP3": "audio/mpeg"}


def shared_peak(results: Sequence[ExplainedClip]) -> float:
    """Largest absolute sample of all sounds of the results, at least 1 at a classifier's level.

    Sounds divided by it do not clip, and keep their relative levels. Sounds of a file have the
    file's level, which can be low.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> shared_peak([result])
    1.0
    """
    peaks = []
    for result in results:
        peaks += [float(wav.abs().max()) for _, wav in result.sounds]
    has_own_level = all(result.file_sounds for result in results)
    return (max(peaks) or 1.0) if has_own_level else max(1.0, *peaks)


def matched_player(
    wav: Tensor,
    result: ExplainedClip,
    container: str = "FLAC",
    least: float = 0.0,
    bitrate: float | None = None,
) -> str:
    """Player of a part at the level of the whole clip, followed by the gain in dB.

    The gain is limited by the part's peak and by 60 dB. A silent part has no player.

    Args:
        wav: the kept or the removed part, ``(1, C, L)``, of ``result.sounds``.
        result: the interpretation that the part belongs to.
        container: a name in :data:`ENCODINGS`.
        least: smallest gain, in dB, that gets a player of its own.
        bitrate: see :func:`player`.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> matched_player(0 * result.wav, result), matched_player(result.wav, result, least=1.0)
    ('silent', 'as it is: +0.0 dB')
    """
    gain = _matching_gain(wav, _rms(result.sounds.original))
    if gain is None:
        return "silent"
    decibels = 20 * math.log10(gain)
    if abs(decibels) < least:
        return f"as it is: {decibels:+.1f} dB"
    sound = player(wav * gain, result.sounds.sample_rate, container, bitrate)
    return f"{sound} {decibels:+.1f} dB"


def player(
    wav: Tensor, sample_rate: int, container: str = "FLAC", bitrate: float | None = None
) -> str:
    """HTML player that contains its sound.

    Args:
        wav: ``(1, C, L)``; samples outside [-1, 1] are clipped. Of more than two channels, the mean
            is played.
        sample_rate: in Hz.
        container: a name in :data:`ENCODINGS`.
        bitrate: the mean kbit/s of an MP3; the quality of :data:`ENCODINGS` if None.

    >>> import torch
    >>> player(torch.zeros(1, 1, 100), 16000)[:58]
    '<audio controls preload="metadata" src="data:audio/flac;ba'
    """
    if wav.shape[1] > MOST_CHANNELS:
        wav = mono(wav)
    if container == "MP3" and sample_rate not in MP3_RATES:
        higher = [rate for rate in MP3_RATES if rate > sample_rate]
        rate = min(higher, default=max(MP3_RATES))
        wav, sample_rate = resample(wav.cpu().float(), sample_rate, rate), rate
    source = sound_address(wav, sample_rate, container, bitrate)
    return f'<audio controls preload="metadata" src="{source}"></audio>'


def sound_address(
    wav: Tensor, sample_rate: int, container: str = "FLAC", bitrate: float | None = None
) -> str:
    """Return a sound in [-1, 1] as a data URI.

    Args:
        wav: ``(1, C, L)``.
        sample_rate: in Hz; of an MP3, one of :data:`MP3_RATES`.
        container: a name in :data:`ENCODINGS`.
        bitrate: the mean kbit/s of an MP3; the quality of :data:`ENCODINGS` if None.

    >>> import torch
    >>> sound_address(torch.zeros(1, 1, 100), 16000)[:21]
    'data:audio/flac;base6'
    """
    settings = ENCODINGS[container]
    if bitrate is not None:
        # libsndfile's scale from the most to the least bits; at the end itself it refuses.
        least, most = (32, 320) if sample_rate >= 32000 else (8, 160)
        level = min(0.997, max(0.0, (most - bitrate) / (most - least)))
        settings = {"bitrate_mode": "AVERAGE", "compression_level": level}
    buffer = io.BytesIO()
    samples = wav[0].T.cpu().float().numpy()
    soundfile.write(buffer, samples, sample_rate, format=container, **settings)
    sound = base64.b64encode(buffer.getvalue()).decode()
    return f"data:{_MIME_TYPES[container]};base64,{sound}"


def players_table(result: ExplainedClip) -> str:
    """Table of players: the clip and its parts, with p of each, in less than 7 MB up to 7 minutes.

    All sounds have one shared gain, and beside it the parts are at the clip's level; of long
    sounds, there is one player each.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> players_table(result).count("<audio")
    5
    """
    sounds = result.sounds
    channels, length = sounds.original.shape[1:]
    # FLAC seldom has less than a quarter of the size of its samples, 2 bytes each.
    if 5 * 2 * min(channels, MOST_CHANNELS) * length * 4 / 3 <= 4 * LARGEST_SOUNDS:
        table = _players_of_both_gains(result, "FLAC", None)
        if len(table) <= LARGEST_SOUNDS:
            return table + _about(result, None)
    # Base64 has 8 bits for 6.
    bits_per_second = LARGEST_SOUNDS * 6 / (length / sounds.sample_rate)
    fair, least = (min(BITRATES[1], bits_per_second / count / 1000) for count in (5, 3))
    if fair >= FAIR:
        return _players_of_both_gains(result, "MP3", fair) + _about(result, fair)
    bitrate = max(BITRATES[0], least)
    return _one_player_each(result, bitrate) + _about(result, bitrate)


def _players_of_both_gains(result: ExplainedClip, container: str, bitrate: float | None) -> str:
    peak, rate = shared_peak([result]), result.sounds.sample_rate
    rows = []
    for (name, wav), p in zip(result.sounds, ("p", "p_in", "p_out"), strict=True):
        shared = player(wav / peak, rate, container, bitrate)
        matched = "" if p == "p" else matched_player(wav, result, container, bitrate=bitrate)
        rows.append(f"<tr><th>{name}<td>{shared}<td>{result.heard[p]:.3f}<td>{matched}")
    heads = (
        "<th><th>one shared gain<th>p of the sound"
        "<th>at the original's level, as far as the peak allows"
    )
    return f"<table><tr>{heads}{''.join(rows)}</table>"


def _one_player_each(result: ExplainedClip, bitrate: float) -> str:
    peak, rate = shared_peak([result]), result.sounds.sample_rate
    level = _rms(result.sounds.original)
    rows = []
    for (name, wav), p in zip(result.sounds, ("p", "p_in", "p_out"), strict=True):
        if 0 < _rms(wav) < level * 10 ** (-QUIET / 20):
            sound = f"{matched_player(wav, result, 'MP3', bitrate=bitrate)}, against the original"
        else:
            sound = player(wav / peak, rate, "MP3", bitrate)
        rows.append(f"<tr><th>{name}<td>{sound}<td>{result.heard[p]:.3f}")
    heads = f"<th><th>one shared gain; if more than {QUIET:g} dB quieter, the original's level"
    return f"<table><tr>{heads}<th>p of the sound{''.join(rows)}</table>"


def _about(result: ExplainedClip, bitrate: float | None) -> str:
    """Say what the players play, where it is not the clip that was classified, or not exact."""
    notes = []
    if result.file_sounds:
        channels = result.file_sounds.original.shape[1]
        count = "one channel" if channels == 1 else f"{channels} channels"
        mixed = "; the players have their mean" if channels > MOST_CHANNELS else ""
        notes.append(
            f"The sounds have the file's own {result.file_sounds.sample_rate} Hz and {count}"
            f"{mixed}. p is that of their mean, resampled to {result.sample_rate} Hz as the "
            "classifier takes it."
        )
    if bitrate is not None:
        notes.append(
            f"The players have MP3 with {bitrate:.0f} kbit/s, so that this page is not too large; "
            "the WAV files that are written beside it (or by result.save) are exact."
        )
    return f"<p><small>{' '.join(notes)}</small></p>" if notes else ""


def _matching_gain(wav: Tensor, level: float) -> float | None:
    """Return the gain that brings a part to an RMS level; None if either is silent."""
    rms, peak = _rms(wav), float(wav.abs().max())
    if rms == 0 or level == 0:
        return None
    return min(level / rms, 1 / peak, 10 ** (LOUDEST_GAIN / 20))


def _rms(wav: Tensor) -> float:
    return float(wav.double().square().mean().sqrt())
