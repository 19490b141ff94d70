"""The short-time Fourier transform and its exact inverse.

By default, frames are centred on multiples of the hop, under a periodic Hann window, and the ends
are padded by reflection. A clip shorter than one window is first padded with silence to ``n_fft``
samples.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ArgumentError, AudioWarning, choose
from ..util import FLOOR, is_number, take_as_python, whole_number
from .emphasis import deemphasise, emphasise
from .tapers import TAPERS, taper

# A warning filter would do, but changing filters makes Python forget which warnings it has shown.
_LEVEL_IS_KNOWN = ContextVar("level_is_known", default=False)
LOUDEST = 100.0
"""A larger |sample| gives a warning: it is an integer of a file, not a level in [-1, 1]."""
PADDINGS: dict[str, Literal["reflect", "constant"]] = {"reflect": "reflect", "zeros": "constant"}
"""How the ends of a clip are padded for centred frames, and torch's name for it."""


@dataclass(frozen=True)
class Framing:
    """How a sound is cut into frames: pre-emphasis, hop, window, ends.

    Attributes:
        n_fft: the samples of a frame, an even number.
        hop_length: the hop in samples, at most half of the window.
        win_length: the samples of the window, at most ``n_fft``, in the middle of the frame; None
            for ``n_fft``.
        window: a name in ``tapers.TAPERS``.
        center: whether frame t is centred on sample t * hop; if not, it begins there.
        padding: the samples beyond the ends of the clip, ``"reflect"`` or ``"zeros"``; for
            centred frames only.
        preemphasis: the coefficient a in y[t] = x[t] - a x[t - 1], in [0, 1); 0 for none.

    Raises:
        ArgumentError: a value is out of range, or the transform would have no inverse.

    >>> Framing(512, 160, 400, center=False).num_frames(16000)
    97
    """

    n_fft: int
    hop_length: int
    win_length: int | None = None
    window: str = "hann"
    center: bool = True
    padding: str = "reflect"
    preemphasis: float = 0.0

    def __post_init__(self) -> None:
        counts = ("n_fft", "hop_length", "win_length")
        take_as_python(self, *counts, "preemphasis")
        for name in counts:
            value = getattr(self, name)
            if value is not None or name != "win_length":
                whole_number(name, value, least=1)
        if self.n_fft < 2 or self.n_fft % 2 or not 0 < self.hop_length <= self.n_fft // 2:
            raise ArgumentError(
                f"n_fft={self.n_fft}, hop_length={self.hop_length}: n_fft must be even, and the "
                "hop from 1 to half of n_fft, or the transform has no inverse"
            )
        choose("window", self.window, TAPERS)
        choose("padding", self.padding, PADDINGS)
        if not isinstance(self.center, bool):
            raise ArgumentError(f"center={self.center!r:.40} must be True or False")
        if not is_number(self.preemphasis) or not 0 <= self.preemphasis < 1:
            raise ArgumentError(f"preemphasis={self.preemphasis!r:.40} must be in [0, 1)")
        if self.win_length is None:
            return
        if self.win_length > self.n_fft:
            raise ArgumentError(f"win_length={self.win_length} is above n_fft={self.n_fft}")
        # A symmetric window of two samples is zero.
        if not self.hop_length <= self.win_length // 2 or self.win_length < 3:
            raise ArgumentError(
                f"win_length={self.win_length}, hop_length={self.hop_length}: the hop must be at "
                "most half of win_length, and win_length at least 3, or the transform has no "
                "inverse"
            )

    def num_frames(self, length: int) -> int:
        """T for a clip of ``length`` samples."""
        length = max(length, self.n_fft)
        return 1 + (length if self.center else length - self.n_fft) // self.hop_length

    @property
    def frames_before(self) -> int:
        """The frames before the first of the features that the inverse needs."""
        return 0 if self.center else (self.n_fft - 1) // self.hop_length

    def taper(self, like: Tensor) -> Tensor:
        """The window, padded with zeros to ``(n_fft,)``, in the dtype of ``like``."""
        length = self.win_length or self.n_fft
        left = (self.n_fft - length) // 2
        window = taper(self.window, length, like)
        return functional.pad(window, (left, self.n_fft - length - left))


def decibels(power: Tensor) -> Tensor:
    """Convert power to dB, ``10 * log10(power)``, with a floor at -100 dB.

    >>> decibels(torch.tensor([1.0, 0.1, 0.0])).tolist()
    [0.0, -10.0, -100.0]
    """
    return 10 * power.clamp_min(10 ** (FLOOR / 10)).log10()


def analyse(wav: Tensor, framing: Framing) -> tuple[Tensor, Tensor, Tensor]:
    """The complex STFT frames of a sound: before those of the features, those, and after them.

    Centred frames need none before. Where the hop does not divide the length, one frame lies past
    the last frame of the features. Without it, only the edge of one window covers the end of the
    clip, and the inverse, which divides by that edge, would amplify a masked clip there. Frames
    that are not centred need those that reach over both ends for the same reason.

    Args:
        wav: ``(N, 1, L)``.
        framing: how it is cut into frames.

    Returns:
        Three tensors ``(N, 1, n_fft // 2 + 1, frames)``; the frames of the second are ``T``.

    Raises:
        ArgumentError: the shape is wrong, the clip is empty, or a sample is not finite. A |sample|
            above ``LOUDEST`` gives an AudioWarning.

    >>> [part.shape[-1] for part in analyse(torch.randn(1, 1, 100), Framing(16, 8))]
    [0, 13, 1]
    >>> [part.shape[-1] for part in analyse(torch.randn(1, 1, 100), Framing(16, 8, center=False))]
    [1, 11, 2]
    """
    _check_sound(wav)
    n_fft, hop_length = framing.n_fft, framing.hop_length
    wav = functional.pad(wav, (0, max(0, n_fft - wav.shape[-1])))
    length = wav.shape[-1]
    if framing.preemphasis:
        wav = emphasise(wav, framing.preemphasis)
    if framing.center:
        padded = functional.pad(wav, (n_fft // 2, n_fft // 2), mode=PADDINGS[framing.padding])
        padded = functional.pad(padded, (0, -length % hop_length))
    else:
        last_start = (length - 1) // hop_length * hop_length
        before = framing.frames_before * hop_length
        padded = functional.pad(wav, (before, last_start + n_fft - length))
    frames = torch.stft(
        padded[:, 0],
        n_fft,
        hop_length,
        window=framing.taper(wav),
        center=False,
        return_complex=True,
    )[:, None]
    first, last = framing.frames_before, framing.frames_before + framing.num_frames(length)
    return frames[..., :first], frames[..., first:last], frames[..., last:]


def amplified(frames: tuple[Tensor, Tensor, Tensor], gain: Tensor) -> Tensor:
    """Multiply the frames of :func:`analyse` by gains, and join them.

    The frames before and after those of the features take the gains of the nearest ones.

    Args:
        frames: of :func:`analyse`; one sound can have the gains of many versions.
        gain: linear gains ``(N, 1, n_fft // 2 + 1, T)``.

    Returns:
        ``(N, 1, n_fft // 2 + 1, frames)``, for :func:`synthesise`.

    >>> frames = analyse(torch.randn(1, 1, 100), Framing(16, 8))
    >>> amplified(frames, torch.zeros(5, 1, 9, 13)).shape
    torch.Size([5, 1, 9, 14])
    """
    head, inside, tail = (part.mT for part in frames)
    gain = gain.mT
    if head.shape[-2] or tail.shape[-2]:
        first = gain[..., :1, :].expand(-1, -1, head.shape[-2], -1)
        last = gain[..., -1:, :].expand(-1, -1, tail.shape[-2], -1)
        inside, gain = torch.cat([head, inside, tail], -2), torch.cat([first, gain, last], -2)
    # The product has the memory layout of its first factor: frame by frame, as the inverse reads.
    return (inside * gain).mT


def synthesise(frames: Tensor, framing: Framing, length: int) -> Tensor:
    """The least-squares inverse of :func:`analyse` (Griffin and Lim, 1984).

    Args:
        frames: all frames ``(N, 1, n_fft // 2 + 1, frames)``.
        framing: how the sound was cut into frames.
        length: the samples of the sound.

    Returns:
        ``(N, 1, length)``.

    >>> wav, framing = torch.randn(1, 1, 100), Framing(16, 5, 10, "povey", center=False)
    >>> frames = torch.cat(analyse(wav, framing), -1)
    >>> torch.allclose(synthesise(frames, framing, 100), wav, atol=1e-5)
    True
    """
    n_fft, hop_length = framing.n_fft, framing.hop_length
    window = framing.taper(frames.real)
    windowed = torch.fft.irfft(frames[:, 0].mT, n=n_fft).mul_(window)
    weight = _overlap_add(window.square().expand(1, windowed.shape[1], n_fft), hop_length)
    start = n_fft // 2 if framing.center else framing.frames_before * hop_length
    inside = slice(start, start + length)
    wav = _overlap_add(windowed, hop_length)[..., inside] / weight[..., inside]
    return deemphasise(wav, framing.preemphasis) if framing.preemphasis else wav


def _overlap_add(frames: Tensor, hop_length: int) -> Tensor:
    """Add frames ``(N, frames, n_fft)``, each a hop later than the one before, ``(N, 1, L)``."""
    clips, count, _ = frames.shape
    # Cut into pieces of a hop, whose sums are whole slices; bit-equal to torch's fold, and faster.
    pieces = frames.split(hop_length, -1)
    sums = frames.new_zeros(clips, count + len(pieces) - 1, hop_length)
    for number, piece in enumerate(pieces):
        sums[:, number : number + count, : piece.shape[-1]] += piece
    return sums.view(clips, 1, -1)


@contextmanager
def level_is_known() -> Iterator[None]:
    """Within it, no warning is given on the level of a sound: for parts of one that was checked.

    >>> with level_is_known():
    ...     parts = analyse(torch.full((1, 1, 100), 32767.0), Framing(16, 8))
    """
    token = _LEVEL_IS_KNOWN.set(True)
    try:
        yield
    finally:
        _LEVEL_IS_KNOWN.reset(token)


def _check_sound(wav: Tensor) -> None:
    if not isinstance(wav, Tensor):
        raise ArgumentError(
            f"a sound is a float tensor (N, 1, L), not a {type(wav).__name__}; read a file by "
            "load_audio(path)"
        )
    if wav.ndim != 3 or wav.shape[1] != 1 or wav.shape[2] == 0 or not wav.is_floating_point():
        raise ArgumentError(
            f"a sound is a float tensor (N, 1, L), not {wav.dtype} of shape {tuple(wav.shape)}"
        )
    peak = float(wav.detach().abs().amax()) if wav.numel() else 0.0
    # The peak is NaN if any sample is.
    if not math.isfinite(peak):
        raise ArgumentError("the sound holds NaN or infinite samples")
    if peak > LOUDEST and not _LEVEL_IS_KNOWN.get():
        warnings.warn(
            f"the largest |sample| of the sound is {peak:.6g}, but samples are nominally in "
            "[-1, 1]; divide 16-bit integers by 32768, or read the file by load_audio(path)",
            AudioWarning,
            stacklevel=4,
        )
