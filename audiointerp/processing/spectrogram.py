"""Sounds to log spectrograms and back: the forward and the inverse, born and tested as a pair.

Conventions, everywhere in this library:

- wav ``(N, 1, L)``; features ``db`` ``(N, 1, F, T)`` with ``T = 1 + L // hop_length``; STFT ``(N, 1, n_fft // 2 + 1, T)``.
- Levels are 10 * log10 of power, in dB. The floor, and so the meaning of silence, is -100 dB (a power of 1e-10).
- Frames are centred on multiples of the hop, under a periodic Hann window, the ends padded by reflection.
- A clip shorter than one window is analysed as if silence followed it up to ``n_fft`` samples; its sound comes back at
  its own length.
- The dtype and the device of the sound are kept throughout.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..conventions import FLOOR
from ..errors import ArgumentError, choose
from .filters import lifting, mel_filters
from .inversion import INVERSIONS, griffin_lim, stft_magnitude
from .masking import masked_levels


def decibels(power: Tensor) -> Tensor:
    """10 * log10 of power, not below :data:`FLOOR`.

    >>> decibels(torch.tensor([1.0, 0.1, 0.0])).tolist()
    [0.0, -10.0, -100.0]
    """
    return 10 * power.clamp_min(10 ** (FLOOR / 10)).log10()


@dataclass(frozen=True)
class Transform(ABC):
    """What turns a sound into features, and STFT frames back into a sound."""

    sample_rate: int
    n_fft: int
    hop_length: int

    def __post_init__(self) -> None:
        if self.n_fft < 2 or self.n_fft % 2 or not 0 < self.hop_length <= self.n_fft // 2:
            raise ArgumentError(
                f"n_fft={self.n_fft}, hop_length={self.hop_length}: n_fft must be even, and the hop at least 1 and at "
                f"most half of it, or the sound cannot be put together again"
            )

    @property
    @abstractmethod
    def num_bins(self) -> int:
        """F, the number of features in a frame."""

    @property
    @abstractmethod
    def frequencies(self) -> Tensor:
        """The centre of each feature in Hz, ``(F,)`` float64."""

    @abstractmethod
    def _features(self, power: Tensor) -> Tensor:
        """Power of the STFT bins to power of the features."""

    @abstractmethod
    def lift(self, gain: Tensor) -> Tensor:
        """Linear gains of the features ``(N, 1, F, T)`` to gains of the STFT bins ``(N, 1, n_fft // 2 + 1, T)``."""

    def num_frames(self, length: int) -> int:
        """T for a clip of ``length`` samples."""
        return 1 + max(length, self.n_fft) // self.hop_length

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values; :func:`transform_from_dict` is the inverse."""
        return {"name": type(self).__name__, **asdict(self)}

    def __call__(self, wav: Tensor) -> "Spectrogram":
        """Analyse sounds ``(N, 1, L)``.

        Raises:
            ArgumentError: the shape is another, the clip is empty, or a sample is not finite.
        """
        if not isinstance(wav, Tensor):
            raise ArgumentError(
                f"a sound is a float tensor (N, 1, L), load_audio(path) say, not a {type(wav).__name__}"
            )
        if wav.ndim != 3 or wav.shape[1] != 1 or wav.shape[2] == 0 or not wav.is_floating_point():
            raise ArgumentError(f"a sound is a float tensor (N, 1, L), not {wav.dtype} of shape {tuple(wav.shape)}")
        if not wav.isfinite().all():
            raise ArgumentError("the sound holds NaN or infinite samples")
        frames = self._analyse(wav)
        inside = self.num_frames(wav.shape[-1])
        stft = frames[..., :inside]
        db = decibels(self._features(stft.abs().square()))
        return Spectrogram(db, stft, self, wav.shape[-1], torch.ones_like(db), frames[..., inside:])

    def _window(self, like: Tensor) -> Tensor:
        return torch.hann_window(self.n_fft, dtype=like.dtype, device=like.device)

    def _analyse(self, wav: Tensor) -> Tensor:
        """All frames that the inverse needs: where the hop does not divide the length, one lies past the features' last.

        Without it the end of the clip is covered only by the foot of one window, and dividing by that foot makes a masked
        clip burst there.
        """
        wav = functional.pad(wav, (0, max(0, self.n_fft - wav.shape[-1])))
        padded = functional.pad(wav, (self.n_fft // 2, self.n_fft // 2), mode="reflect")
        padded = functional.pad(padded, (0, -wav.shape[-1] % self.hop_length))
        frames = torch.stft(
            padded[:, 0], self.n_fft, self.hop_length, window=self._window(wav), center=False, return_complex=True
        )
        return frames[:, None]

    def synthesise(self, frames: Tensor, length: int) -> Tensor:
        """Least-squares inverse of all frames (those of the features and the tail), cut to ``length`` samples."""
        window = self._window(frames.real)
        grains = torch.fft.irfft(frames[:, 0], n=self.n_fft, dim=1) * window[:, None]
        total = self.n_fft + self.hop_length * (grains.shape[-1] - 1)

        def overlap_add(columns: Tensor) -> Tensor:
            return functional.fold(columns, (1, total), (1, self.n_fft), stride=(1, self.hop_length))[:, :, 0]

        weight = overlap_add(window.square()[None, :, None].expand(1, -1, grains.shape[-1]))
        inside = slice(self.n_fft // 2, self.n_fft // 2 + length)
        return overlap_add(grains)[..., inside] / weight[..., inside]


@dataclass(frozen=True)
class LogSTFT(Transform):
    """Log power of the STFT: F = ``n_fft // 2 + 1``. The defaults are the published setting.

    >>> LogSTFT()(torch.randn(1, 1, 80000)).db.shape
    torch.Size([1, 1, 257, 313])
    """

    sample_rate: int = 16000
    n_fft: int = 512
    hop_length: int = 256

    @property
    def num_bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def frequencies(self) -> Tensor:
        return torch.arange(self.num_bins, dtype=torch.float64) * self.sample_rate / self.n_fft

    def _features(self, power: Tensor) -> Tensor:
        return power

    def lift(self, gain: Tensor) -> Tensor:
        return gain


@dataclass(frozen=True)
class LogMel(Transform):
    """Log mel power: F = ``n_mels``. The defaults are the published setting.

    ``mel_scale="slaney"`` gives librosa's and PANNs' own filters; see :func:`~audiointerp.processing.filters.mel_filters`.

    >>> LogMel()(torch.randn(1, 1, 160000)).db.shape
    torch.Size([1, 1, 64, 501])
    """

    sample_rate: int = 32000
    n_fft: int = 1024
    hop_length: int = 320
    n_mels: int = 64
    f_min: float = 50.0
    f_max: float = 14000.0
    mel_scale: str = "htk"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2 or self.n_mels < 1:
            raise ArgumentError(
                f"n_mels={self.n_mels}, f_min={self.f_min}, f_max={self.f_max}: needs at least one band and "
                f"0 <= f_min < f_max <= half the sample rate ({self.sample_rate / 2:g} Hz)"
            )

    @property
    def num_bins(self) -> int:
        return self.n_mels

    @property
    def filters(self) -> Tensor:
        """The mel filter bank ``(n_mels, n_fft // 2 + 1)``, float64."""
        return mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max, self.mel_scale)

    @property
    def frequencies(self) -> Tensor:
        import librosa

        edges = librosa.mel_frequencies(self.n_mels + 2, fmin=self.f_min, fmax=self.f_max, htk=self.mel_scale == "htk")
        return torch.from_numpy(edges[1:-1].copy())

    def _features(self, power: Tensor) -> Tensor:
        return self.filters.to(power) @ power

    def lift(self, gain: Tensor) -> Tensor:
        return lifting(self.filters).to(gain) @ gain


def transform_from_dict(settings: dict[str, Any]) -> Transform:
    """Rebuild a transform from what :meth:`Transform.to_dict` gave.

    >>> transform_from_dict(LogMel(n_mels=40).to_dict()).num_bins
    40
    """
    values = dict(settings)
    kinds: dict[str, type[Transform]] = {"LogSTFT": LogSTFT, "LogMel": LogMel}
    name = choose("transform", str(values.pop("name", None)), kinds)
    try:
        return kinds[name](**values)
    except TypeError as error:
        raise ArgumentError(f"settings of {name} do not fit: {error}") from error


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """A sound's features beside its complex STFT, so that any masked copy can be heard.

    Attributes:
        db: ``(N, 1, F, T)``, levels in dB, what the network sees.
        stft: ``(N, 1, n_fft // 2 + 1, T)``, complex, of the original sound; masking does not touch it.
        transform: what made it.
        length: samples of the sound.
        gain: ``(N, 1, F, T)``, the linear gain that masking gave each feature so far; 1 at first.
        tail: ``(N, 1, n_fft // 2 + 1, 0 or 1)``, the frame past the features' last that the inverse needs.
    """

    db: Tensor
    stft: Tensor
    transform: Transform
    length: int
    gain: Tensor
    tail: Tensor

    def __repr__(self) -> str:
        seconds = self.length / self.transform.sample_rate
        return f"Spectrogram({tuple(self.db.shape)}, {seconds:g} s, {self.transform})"

    def masked(self, mask: Tensor, domain: str = "db", fill: str = "silence") -> "Spectrogram":
        """Keep each bin in the measure of ``mask``: unchanged at 1, ``fill`` at 0.

        Args:
            mask: ``(N, 1, F, T)`` in [0, 1]. One mask serves many clips, and many masks make many copies of one clip.
            domain: what the mask scales: ``"db"`` the level above the floor, ``"magnitude"`` the amplitude, ``"log1p"``
                log(1 + amplitude), for STFT features only.
            fill: in the dB domain, what a removed bin becomes: ``"silence"`` (the floor), ``"mean"`` (the clip's mean
                level in that band), ``"noise"`` (Gaussian levels with the clip's mean and spread in that band, seeded,
                none above the band's loudest) or ``"blur"`` (the levels blurred over 15 bins and frames). Digital
                silence has nothing to amplify: there a fill other than silence is seen by the network, but not heard.

        Raises:
            ArgumentError: the mask leaves [0, 1] or does not fit, or a name is unknown.
        """
        try:
            mask, levels = torch.broadcast_tensors(mask.to(self.db), self.db)
        except RuntimeError as error:
            raise ArgumentError(f"mask {tuple(mask.shape)} does not fit features {tuple(self.db.shape)}") from error
        if not bool(((mask >= 0) & (mask <= 1)).all()):
            raise ArgumentError(f"a mask lies in [0, 1]; this one spans {mask.min():g} to {mask.max():g}")
        if domain == "log1p" and isinstance(self.transform, LogMel):
            raise ArgumentError(
                "domain 'log1p' is defined for STFT features; use 'db' or 'magnitude' with mel features"
            )
        db, gain = masked_levels(levels, mask, FLOOR, domain, fill)
        return replace(self, db=db, gain=self.gain * gain)

    def to_wav(self, method: str = "gain") -> Tensor:
        """The sound ``(N, 1, length)``.

        ``"gain"`` carries the gains of masking to the original STFT: an untouched spectrogram gives the sound back, and the
        parts under a 0/1 mask and its complement add up to the whole. The others rebuild magnitudes from ``db`` alone:
        ``"nnls"`` and ``"lstsq"`` (mel inversion by non-negative or plain least squares, with the original phase) and
        ``"griffinlim"`` (no phase is used); they lose much even where nothing was masked.

        >>> wav = torch.randn(1, 1, 16000)
        >>> bool(torch.allclose(LogMel()(wav).to_wav(), wav, atol=1e-4))
        True
        """
        choose("inversion", method, ("gain", *INVERSIONS))
        if method == "griffinlim":
            return griffin_lim(self._magnitude(method), self.transform.n_fft, self.transform.hop_length, self.length)
        gain = self.transform.lift(self.gain)
        frames = self.stft * gain if method == "gain" else torch.sgn(self.stft) * self._magnitude(method)
        tail = self.tail * gain[..., -1:]  # past the features' last frame, the mask of the last one holds
        return self.transform.synthesise(torch.cat([frames, tail], -1), self.length)

    def _magnitude(self, method: str) -> Tensor:
        filters = self.transform.filters if isinstance(self.transform, LogMel) else None
        return stft_magnitude(self.db, filters, method)
