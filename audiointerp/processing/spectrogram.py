"""Transforms from sounds to log spectrograms, with their inverse.

Conventions of the whole library:

- wav ``(N, 1, L)``; features ``db`` ``(N, 1, F, T)`` with ``T = 1 + L // hop_length``; STFT
  ``(N, 1, n_fft // 2 + 1, T)``.
- Levels are 10 * log10 of power, in dB. The floor, which stands for silence, is -100 dB.
- A clip shorter than one window is analysed as if padded with silence to ``n_fft`` samples; its
  inverse has the original length.
- All results have the dtype and the device of the sound.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..util import FLOOR
from .filters import lifting, mel_filters
from .inversion import INVERSIONS, griffin_lim, stft_magnitude
from .masking import masked_levels
from .stft import analyse, decibels, synthesise


@dataclass(frozen=True)
class Transform(ABC):
    """The base class of all transforms, and of your own.

    A subclass defines ``num_bins``, ``frequencies`` and ``band_filters``. Where the features are
    not linear bands of the STFT, it overrides ``to_features`` and ``lift`` instead of
    ``band_filters``; then ``domain="log1p"`` and the lossy inversions are refused.

    ``sample_rate`` is in Hz; the window ``n_fft`` (even) and ``hop_length`` (at most half of it)
    are in samples. Other values raise an ArgumentError.

    >>> @dataclass(frozen=True)
    ... class LinearBands(Transform):
    ...     width: int = 4
    ...
    ...     @property
    ...     def num_bins(self):
    ...         return self.n_fft // 2 // self.width
    ...
    ...     @property
    ...     def frequencies(self):
    ...         first_bins = torch.arange(self.num_bins, dtype=torch.float64) * self.width
    ...         return (first_bins + (self.width - 1) / 2) * self.sample_rate / self.n_fft
    ...
    ...     @property
    ...     def band_filters(self):
    ...         bands = torch.eye(self.num_bins).repeat_interleave(self.width, 1)
    ...         return torch.nn.functional.pad(bands, (0, self.n_fft // 2 + 1 - bands.shape[1]))
    >>> spec = LinearBands(16000, 256, 128)(torch.randn(1, 1, 16000))
    >>> spec.db.shape, spec.masked(torch.zeros_like(spec.db)).to_wav().abs().max().item()
    (torch.Size([1, 1, 32, 126]), 0.0)
    """

    sample_rate: int
    n_fft: int
    hop_length: int

    def __post_init__(self) -> None:
        if self.n_fft < 2 or self.n_fft % 2 or not 0 < self.hop_length <= self.n_fft // 2:
            raise ArgumentError(
                f"n_fft={self.n_fft}, hop_length={self.hop_length}: n_fft must be even, and the "
                "hop from 1 to half of n_fft, or the transform has no inverse"
            )

    @property
    @abstractmethod
    def num_bins(self) -> int:
        """F, the number of features in a frame."""

    @property
    @abstractmethod
    def frequencies(self) -> Tensor:
        """The centre of each feature in Hz, ``(F,)`` float64."""

    @property
    def band_filters(self) -> Tensor | None:
        """The filter bank ``(F, n_fft // 2 + 1)``, or None if the features are the STFT bins.

        Raises:
            ArgumentError: the transform does not define it.
        """
        raise ArgumentError(
            f"{type(self).__name__} has no band_filters: use a domain other than 'log1p' and "
            "to_wav('gain'); a transform must define band_filters, or both to_features and lift"
        )

    def to_features(self, power: Tensor) -> Tensor:
        """Convert the power of the STFT bins ``(N, 1, n_fft // 2 + 1, T)`` to ``(N, 1, F, T)``."""
        filters = self.band_filters
        return power if filters is None else filters.to(power) @ power

    def lift(self, gain: Tensor) -> Tensor:
        """Convert linear gains ``(N, 1, F, T)`` to gains of STFT bins; gains of 1 stay 1."""
        filters = self.band_filters
        return gain if filters is None else lifting(filters).to(gain) @ gain

    def num_frames(self, length: int) -> int:
        """T for a clip of ``length`` samples."""
        return 1 + max(length, self.n_fft) // self.hop_length

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values; :func:`transform_from_dict` is the inverse."""
        return {"name": type(self).__name__, **asdict(self)}

    def __call__(self, wav: Tensor) -> "Spectrogram":
        """Compute the spectrograms of sounds ``(N, 1, L)``.

        Raises:
            ArgumentError: the shape is wrong, the clip is empty, or a sample is not finite. A
                |sample| above 100 gives an AudioWarning: samples are nominally in [-1, 1].
        """
        frames = analyse(wav, self.n_fft, self.hop_length)
        num_frames = self.num_frames(wav.shape[-1])
        stft, tail = frames[..., :num_frames], frames[..., num_frames:]
        db = decibels(self.to_features(stft.abs().square()))
        return Spectrogram(db, stft, self, wav.shape[-1], gain=torch.ones_like(db), tail=tail)


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

    @property
    def band_filters(self) -> None:
        return None


@dataclass(frozen=True)
class LogMel(Transform):
    """Log mel power: F = ``n_mels``. The defaults are the published setting.

    ``mel_scale="slaney"`` gives the filters of librosa and PANNs, see ``filters.mel_filters``.

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
                f"n_mels={self.n_mels}, f_min={self.f_min}, f_max={self.f_max}: needs n_mels >= 1 "
                f"and 0 <= f_min < f_max <= half the sample rate ({self.sample_rate / 2:g} Hz)"
            )

    @property
    def num_bins(self) -> int:
        return self.n_mels

    @property
    def band_filters(self) -> Tensor:
        """The mel filter bank ``(n_mels, n_fft // 2 + 1)``, float64; a new tensor each time."""
        return mel_filters(
            self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max, self.mel_scale
        )

    filters = band_filters

    @property
    def frequencies(self) -> Tensor:
        import librosa

        edges = librosa.mel_frequencies(
            self.n_mels + 2, fmin=self.f_min, fmax=self.f_max, htk=self.mel_scale == "htk"
        )
        return torch.from_numpy(edges[1:-1].copy())


def transform_from_dict(settings: dict[str, Any]) -> Transform:
    """Rebuild a ``LogMel`` or ``LogSTFT`` from the result of :meth:`Transform.to_dict`.

    Raises:
        ArgumentError: the name or a setting is unknown, or a value is out of range.

    >>> transform_from_dict(LogMel(n_mels=40).to_dict()).num_bins
    40
    """
    values = dict(settings)
    kinds: dict[str, type[Transform]] = {"LogSTFT": LogSTFT, "LogMel": LogMel}
    name = choose("transform", str(values.pop("name", None)), kinds)
    try:
        return kinds[name](**values)
    except TypeError as error:
        raise ArgumentError(f"invalid settings of {name}: {error}") from error


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """The features of a sound with its complex STFT, so that masked copies can be heard.

    Attributes:
        db: ``(N, 1, F, T)``, levels in dB, the input of the network.
        stft: ``(N, 1, n_fft // 2 + 1, T)``, complex, of the original sound; never masked.
        transform: the transform that computed it.
        length: the samples of the sound.
        gain: ``(N, 1, F, T)``, the linear gain of all masks so far; 1 at first.
        tail: ``(N, 1, n_fft // 2 + 1, 0 or 1)``, the frame past the last one of the features, which
            the inverse needs.

    >>> LogSTFT()(torch.zeros(1, 1, 16000))
    Spectrogram((1, 1, 257, 63), 1 s, LogSTFT(sample_rate=16000, n_fft=512, hop_length=256))
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
        """Apply a mask: a bin is unchanged at 1 and becomes ``fill`` at 0.

        Args:
            mask: ``(N, 1, F, T)`` in [0, 1]. One mask can serve many clips, or many masks one clip.
            domain: what the mask scales: ``"db"`` the level above the floor, ``"magnitude"`` the
                amplitude, ``"power"`` the power, so that kept + removed powers add up, ``"log1p"``
                log(1 + amplitude), for STFT features only.
            fill: the level of a removed bin, in the dB domain: ``"silence"`` (the floor),
                ``"mean"`` (the clip's mean level in the band), ``"noise"`` (Gaussian, with the mean
                and standard deviation of the band, limited to the band's maximum, fixed seed) or
                ``"blur"`` (the mean level over 15 bins and frames). The gain cannot amplify digital
                silence: there, other fills than silence reach the network but are inaudible.

        Raises:
            ArgumentError: the mask is not in [0, 1] or has a wrong shape, or the domain or fill is
                unknown or not supported.
        """
        if domain == "log1p" and self.transform.band_filters is not None:
            raise ArgumentError(
                "domain 'log1p' needs STFT features (LogSTFT); use another domain with "
                f"{type(self.transform).__name__}"
            )
        db, gain = masked_levels(self.db, mask, FLOOR, domain, fill)
        return replace(self, db=db, gain=self.gain * gain)

    def to_wav(self, method: str = "gain") -> Tensor:
        """Invert to a sound ``(N, 1, length)``.

        Args:
            method: ``"gain"`` applies the gains of masking to the original STFT. An unmasked
                spectrogram gives the original sound, and the kept and removed parts of a 0/1 mask
                add up to it. The other methods use ``db`` alone and are lossy even without a mask:
                ``"nnls"`` and ``"lstsq"`` (non-negative or plain least squares, with the original
                phase) and ``"griffinlim"`` (estimates the phase).

        Raises:
            ArgumentError: the method is unknown, or the transform does not support it.

        >>> wav = torch.randn(1, 1, 16000)
        >>> bool(torch.allclose(LogMel()(wav).to_wav(), wav, atol=1e-4))
        True
        """
        choose("inversion", method, ("gain", *INVERSIONS))
        n_fft, hop_length = self.transform.n_fft, self.transform.hop_length
        gain = self.transform.lift(self.gain)
        frames = self.stft * gain
        if method != "gain":
            magnitude = stft_magnitude(self.db, self.transform.band_filters, method)
            if method == "griffinlim":
                return griffin_lim(magnitude, n_fft, hop_length, self.length)
            frames = torch.sgn(self.stft) * magnitude
        # The tail has no features, so it takes the gain of the last frame.
        tail = self.tail * gain[..., -1:]
        return synthesise(torch.cat([frames, tail], -1), n_fft, hop_length, self.length)
