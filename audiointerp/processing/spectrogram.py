"""The transforms of the library: log power of the STFT, and of mel bands."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError, choose
from ..util import is_number, take_as_python, whole_number
from .filters import check_mel_norm, mel_edges, mel_filters
from .scaling import Scaling
from .transform import Transform


@dataclass(frozen=True, repr=False)
class LogSTFT(Transform):
    """Log power of the STFT: F = ``n_fft // 2 + 1``. The defaults are the published setting.

    The keyword settings are those of :class:`Transform`.

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


@dataclass(frozen=True, repr=False)
class LogMel(Transform):
    """Log mel power: F = ``n_mels``. The defaults are the published setting.

    ``f_max=None`` is half the rate. ``mel_scale="slaney"`` gives the filters of librosa and PANNs,
    ``"kaldi"`` Kaldi's; ``mel_norm="none"`` or ``"slaney"`` is for a normalisation other than the
    usual one of the scale, see ``filters.mel_filters``. The other keyword settings are those of
    :class:`Transform`.

    >>> LogMel()(torch.randn(1, 1, 160000)).db.shape
    torch.Size([1, 1, 64, 501])
    >>> LogMel(16000, 512, 160, 80, f_max=None, win_length=400, window="hamming").highest
    8000.0
    """

    sample_rate: int = 32000
    n_fft: int = 1024
    hop_length: int = 320
    n_mels: int = 64
    f_min: float = 50.0
    f_max: float | None = 14000.0
    mel_scale: str = "htk"
    _: KW_ONLY
    mel_norm: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        take_as_python(self, "n_mels", "f_min", "f_max")
        whole_number("n_mels", self.n_mels, least=1)
        edges_are_numbers = is_number(self.f_min) and is_number(self.highest)
        if not edges_are_numbers or not 0 <= self.f_min < self.highest <= self.sample_rate / 2:
            raise ArgumentError(
                f"f_min={self.f_min!r:.40}, f_max={self.f_max!r:.40}: needs 0 <= f_min < f_max <= "
                f"half the sample rate ({self.sample_rate / 2:g} Hz), or f_max=None for that half"
            )
        check_mel_norm(self.mel_norm, self.mel_scale)

    @property
    def highest(self) -> float:
        """The upper edge of the highest band in Hz: ``f_max``, or half the sample rate."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def num_bins(self) -> int:
        return self.n_mels

    @property
    def band_filters(self) -> Tensor:
        """The mel filter bank ``(n_mels, n_fft // 2 + 1)``, float64; a new tensor each time."""
        return mel_filters(
            self.sample_rate,
            self.n_fft,
            self.n_mels,
            self.f_min,
            self.highest,
            self.mel_scale,
            self.mel_norm,
        )

    filters = band_filters

    @property
    def frequencies(self) -> Tensor:
        edges = mel_edges(self.n_mels, self.f_min, self.highest, self.mel_scale)
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
        if "scaling" in values:
            values["scaling"] = Scaling(**values["scaling"])
        return kinds[name](**values)
    except TypeError as error:
        raise ArgumentError(f"invalid settings of {name}: {error}") from error
