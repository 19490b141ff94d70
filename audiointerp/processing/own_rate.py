"""A masked part as a sound with the channels and the sample rate of its file.

A mask is a gain on the grid of a :class:`~audiointerp.processing.transform.Spectrogram`, which was
made from the mono mix at the classifier's rate. The same gain, over the same seconds and Hz, is
applied here to the STFT of each channel at the file's own rate. Its frames are as long as the
grid's in seconds, up to rounding to samples; gains between the grid's frames and bins are linear
interpolations. Frequencies above the grid's highest bin take that bin's gain, which is that of the
nearest band. Gains above 1, of fills that are louder than the clip, are 1 for several channels.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ..errors import ArgumentError
from .stft import Framing, amplified, analyse, synthesise
from .transform import Spectrogram, Transform


def masked_sound(part: Spectrogram, sound: Tensor, sample_rate: int) -> Tensor:
    """Apply the gains of a masked spectrogram to a recording of the same clip.

    All gains of 1 return the recording itself. The parts of masks m and 1 - m add up to it if their
    gains add up to 1: for 0/1 masks, and for any mask in the domain ``"magnitude"``.

    Args:
        part: of a clip ``(1, 1, F, T)``, masked; of the recording's mono mix, at any rate.
        sound: the recording ``(1, C, L)``.
        sample_rate: of the recording, in Hz.

    Returns:
        ``(1, C, L)``, on the device of ``part``.

    Raises:
        ArgumentError: the part has several clips, or its length is not that of the sound.

    >>> from audiointerp.processing import LogMel, mono, resample
    >>> song = torch.rand(1, 2, 44100) - 0.5
    >>> clip = LogMel()(resample(mono(song), 44100, 32000))
    >>> mask = (torch.rand_like(clip.db) < 0.3).float()
    >>> kept = masked_sound(clip.masked(mask), song, 44100)
    >>> removed = masked_sound(clip.masked(1 - mask), song, 44100)
    >>> kept.shape, bool(torch.allclose(kept + removed, song, atol=1e-5))
    (torch.Size([1, 2, 44100]), True)
    """
    transform, length = part.transform, sound.shape[-1]
    missing = abs(length / sample_rate - part.length / transform.sample_rate)
    if len(part.gain) != 1 or missing > 1 / min(sample_rate, transform.sample_rate):
        raise ArgumentError(
            f"{part} is not one clip of the length of this sound: {length / sample_rate:g} s, "
            f"{length} samples at {sample_rate} Hz"
        )
    sound = sound.to(part.gain.device)
    if bool((part.gain == 1).all()):
        return sound.clone()
    framing = framing_at(transform, sample_rate)
    first_frame, frame_step, bin_step = grid_steps(transform, framing, sample_rate)
    count = framing.num_frames(length)
    frames = first_frame + frame_step * torch.arange(count, dtype=torch.float64)
    bins = bin_step * torch.arange(framing.n_fft // 2 + 1, dtype=torch.float64)
    gain = _between(_between(transform.lift(part.gain), frames, 3), bins, 2)
    if sound.shape[1] > 1:
        # Gains are those of the mix: where channels cancel there, a fill that is louder than the
        # mix would raise them without limit.
        gain = gain.clamp_max(1.0)
    # One channel at a time, which bounds the memory.
    channels = [_masked_channel(channel, gain, framing) for channel in sound.split(1, 1)]
    return torch.cat(channels, 1)


def framing_at(transform: Transform, sample_rate: int) -> Framing:
    """Return the transform's framing at another rate: the same in seconds, in whole samples.

    >>> from audiointerp.processing import LogMel
    >>> framing = framing_at(LogMel(), 44100)
    >>> framing.n_fft, framing.hop_length
    (1412, 441)
    """
    framing, ratio = transform.framing, sample_rate / transform.sample_rate
    n_fft = max(4, 2 * round(framing.n_fft * ratio / 2))
    win_length = None
    if framing.win_length is not None:
        win_length = min(n_fft, max(3, round(framing.win_length * ratio)))
    longest_hop = (win_length or n_fft) // 2
    hop_length = min(longest_hop, max(1, round(framing.hop_length * ratio)))
    return replace(framing, n_fft=n_fft, win_length=win_length, hop_length=hop_length)


def grid_steps(
    transform: Transform, framing: Framing, sample_rate: int
) -> tuple[float, float, float]:
    """Return where the frames and bins of a framing lie on the grid of a transform.

    Returns:
        Where its first frame is, the step to the next one, in frames of the grid, and the step
        from bin to bin, in bins of the grid; 0, 1 and 1 for the framing of the grid itself.

    >>> from audiointerp.processing import LogMel
    >>> grid_steps(LogMel(), framing_at(LogMel(), 16000), 16000)
    (0.0, 1.0, 1.0)
    """
    # The samples of the two rates meet in whole numbers, so that equal rates have no rounding.
    of_grid, of_sound = sample_rate, transform.sample_rate
    hop = transform.hop_length * of_grid
    first = 0.0
    if not framing.center:
        first = (framing.n_fft * of_sound - transform.n_fft * of_grid) / 2 / hop
    frame_step = framing.hop_length * of_sound / hop
    return first, frame_step, (of_grid * transform.n_fft) / (framing.n_fft * of_sound)


def _between(gain: Tensor, positions: Tensor, axis: int) -> Tensor:
    """Interpolate linearly along an axis; beyond its ends, the ends are repeated."""
    positions = positions.clamp(0, gain.shape[axis] - 1).to(gain.device)
    below = positions.long()
    above = (below + 1).clamp_max(gain.shape[axis] - 1)
    weight = (positions - below).to(gain)
    # lerp of equal values is exactly that value.
    return torch.lerp(
        gain.index_select(axis, below),
        gain.index_select(axis, above),
        weight[:, None] if axis == 2 else weight,
    )


def _masked_channel(channel: Tensor, gain: Tensor, framing: Framing) -> Tensor:
    frames = amplified(analyse(channel, framing), gain)
    return synthesise(frames, framing, channel.shape[-1])
