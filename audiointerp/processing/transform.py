"""The base class of transforms from sounds to log spectrograms, and the result with its inverse.

Conventions of the whole library:

- wav ``(N, 1, L)``; features ``db`` ``(N, 1, F, T)`` with ``T = 1 + L // hop_length`` if frames
  are centred; STFT ``(N, 1, n_fft // 2 + 1, T)``.
- Levels are 10 * log10 of power, in dB. The floor, which stands for silence, is -100 dB. What the
  network sees can differ, but only by a function of the levels, ``Transform.scaled``.
- A clip shorter than one window is analysed as if padded with silence to ``n_fft`` samples; its
  inverse has the original length.
- All results have the dtype and the device of the sound.
"""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..util import FLOOR, table_html, take_as_python, whole_number
from .filters import lifting
from .inversion import INVERSIONS, griffin_lim, stft_magnitude
from .masking import masked_levels
from .scaling import UNSCALED, Scaling
from .stft import Framing, amplified, analyse, decibels, synthesise


@dataclass(frozen=True)
class Transform(ABC):
    """The base class of all transforms, and of your own.

    A subclass defines ``num_bins``, ``frequencies`` and ``band_filters``. Where the features are
    not linear bands of the STFT, it overrides ``to_features`` and ``lift`` instead of
    ``band_filters``; then ``domain="log1p"`` and the lossy inversions are refused.

    Attributes:
        sample_rate: in Hz.
        n_fft, hop_length: the frame (an even number) and the hop (at most half of the window) in
            samples.
        win_length, window, center, padding, preemphasis: how frames are cut, see ``stft.Framing``;
            the defaults are torchaudio's. Pre-emphasis is of the whole sound, and undone in the
            inverse.
        power: 2 if bands are sums of power, 1 if they are sums of magnitudes. Levels are in dB of
            power in both cases: 20 log10 of a sum of magnitudes.
        scaling: what the network sees of the levels.

    Raises:
        ArgumentError: a value is out of range, or the transform would have no inverse.

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
    _: KW_ONLY
    win_length: int | None = None
    window: str = "hann"
    center: bool = True
    padding: str = "reflect"
    preemphasis: float = 0.0
    power: int = 2
    scaling: Scaling = UNSCALED

    def __post_init__(self) -> None:
        take_as_python(self, "sample_rate", "n_fft", "hop_length", "win_length")
        take_as_python(self, "preemphasis", "power")
        whole_number("sample_rate", self.sample_rate, least=1)
        # Creating it checks its settings.
        _ = self.framing
        if isinstance(self.power, bool) or self.power not in (1, 2):
            raise ArgumentError(
                f"power={self.power!r:.40} must be 1 (magnitude) or 2 (power); other front ends "
                "are part of the network, see Classifier.from_waveform"
            )
        if not isinstance(self.scaling, Scaling):
            raise ArgumentError(
                f"scaling={self.scaling!r:.40} must be a Scaling, e.g. Scaling('natural')"
            )
        if self.is_scaled:
            self.scaling.check(self.power, self.num_bins)

    @property
    def framing(self) -> Framing:
        """How a sound is cut into frames."""
        return Framing(
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.window,
            self.center,
            self.padding,
            self.preemphasis,
        )

    @property
    def is_scaled(self) -> bool:
        """Whether the network sees something else than the levels."""
        return self.scaling != UNSCALED

    def scaled(self, db: Tensor) -> Tensor:
        """Convert levels ``(N, 1, F, T)`` to what the network sees; differentiable.

        A transform of your own can override this, together with ``is_scaled``.
        """
        return self.scaling(db, self.power)

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
        """Convert the power of the STFT bins ``(N, 1, n_fft // 2 + 1, T)`` to ``(N, 1, F, T)``.

        With ``power=1``, a band is the square of the weighted sum of magnitudes.
        """
        filters = self.band_filters
        if filters is None:
            return power
        if self.power == 1:
            # The gradient of the square root is infinite at 0.
            magnitude = power.clamp_min(torch.finfo(power.dtype).tiny).sqrt()
            return (filters.to(power) @ magnitude).square()
        return filters.to(power) @ power

    def lift(self, gain: Tensor) -> Tensor:
        """Convert linear gains ``(N, 1, F, T)`` to gains of STFT bins; gains of 1 stay 1."""
        filters = self.band_filters
        return gain if filters is None else lifting(filters).to(gain) @ gain

    def num_frames(self, length: int) -> int:
        """T for a clip of ``length`` samples."""
        return self.framing.num_frames(length)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values; ``transform_from_dict`` is the inverse."""
        values = {**asdict(self), "scaling": self.scaling.to_dict()}
        settings = {name: values[name] for name in self._settings()}
        return {"name": type(self).__name__, **settings}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings().items())
        return f"{type(self).__name__}({settings})"

    def _settings(self) -> dict[str, Any]:
        """The settings, without keyword-only ones at their defaults: records stay comparable."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if not field.kw_only or getattr(self, field.name) != field.default
        }

    def __call__(self, wav: Tensor) -> "Spectrogram":
        """Compute the spectrograms of sounds ``(N, 1, L)``.

        Raises:
            ArgumentError: the shape is wrong, the clip is empty, or a sample is not finite. A
                |sample| above 100 gives an AudioWarning: samples are nominally in [-1, 1].
        """
        head, stft, tail = analyse(wav, self.framing)
        db = decibels(self.to_features(stft.abs().square()))
        gain = torch.ones_like(db)
        return Spectrogram(db, stft, self, wav.shape[-1], gain, tail, head)


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """The features of a sound with its complex STFT, so that masked copies can be heard.

    Attributes:
        db: ``(N, 1, F, T)``, levels in dB; the network sees ``transform.scaled(db)``.
        stft: ``(N, 1, n_fft // 2 + 1, T)``, complex, of the original sound (after pre-emphasis);
            never masked.
        transform: the transform that computed it.
        length: the samples of the sound.
        gain: ``(N, 1, F, T)``, the linear gain of all masks so far; 1 at first.
        tail: ``(N, 1, n_fft // 2 + 1, frames)``, the frames past the last one of the features,
            which the inverse needs; none or one if frames are centred.
        head: likewise the frames before the first; none if frames are centred.

    >>> from audiointerp.processing import LogSTFT
    >>> LogSTFT()(torch.zeros(1, 1, 16000))
    Spectrogram((1, 1, 257, 63), 1 s, LogSTFT(sample_rate=16000, n_fft=512, hop_length=256))
    """

    db: Tensor
    stft: Tensor
    transform: Transform
    length: int
    gain: Tensor
    tail: Tensor
    head: Tensor

    def __repr__(self) -> str:
        seconds = self.length / self.transform.sample_rate
        return f"Spectrogram({tuple(self.db.shape)}, {seconds:g} s, {self.transform})"

    def _repr_html_(self) -> str:
        rows = {
            "clips, bins, frames": f"{len(self.db)}, {self.db.shape[2]}, {self.db.shape[3]}",
            "length": f"{self.length / self.transform.sample_rate:g} s",
            "levels": f"{self.db.min():.1f} to {self.db.max():.1f} dB",
            "transform": self.transform,
        }
        return table_html("Spectrogram", rows)

    def masked(self, mask: Tensor, domain: str = "db", fill: str = "silence") -> "Spectrogram":
        """Apply a mask: a bin is unchanged at 1 and becomes ``fill`` at 0.

        Args:
            mask: ``(N, 1, F, T)`` in [0, 1]. One mask can serve many clips, or many masks one clip.
            domain: what the mask scales: ``"db"`` the level above the floor, ``"magnitude"`` the
                amplitude, ``"power"`` the power, so that kept + removed powers add up, ``"log1p"``
                log(1 + amplitude), for STFT features only.
            fill: what a removed bin becomes, a name in :data:`~audiointerp.util.fills.FILLS`; all
                but ``"silence"`` need the domain ``"db"``. The gain cannot amplify digital
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

        >>> from audiointerp.processing import LogMel
        >>> wav = torch.randn(1, 1, 16000)
        >>> bool(torch.allclose(LogMel()(wav).to_wav(), wav, atol=1e-4))
        True
        """
        choose("inversion", method, ("gain", *INVERSIONS))
        transform = self.transform
        gain = transform.lift(self.gain)
        if method == "gain":
            frames = amplified((self.head, self.stft, self.tail), gain)
            return synthesise(frames, transform.framing, self.length)
        magnitude = stft_magnitude(self.db, transform.band_filters, method, transform.power)
        if method == "griffinlim":
            return griffin_lim(magnitude, transform.framing, self.length)
        ends = [self.head * gain[..., :1], self.tail * gain[..., -1:]]
        frames = torch.cat([ends[0], torch.sgn(self.stft) * magnitude, ends[1]], -1)
        return synthesise(frames, transform.framing, self.length)
