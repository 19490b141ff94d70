"""The feature extractors of Hugging Face's audio models, as differentiable torch.

A front end takes sounds ``(N, L)``, float32 or float64, and returns what the model takes. Its
settings are those of the extractor, to which it is equal. An extractor is read, never called.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ModelError
from ..processing import kaldi_fbank

SMALLEST_VARIANCE = 1e-7
"""Added to the variance by Wav2Vec2FeatureExtractor."""
SMALLEST_POWER = 1e-10
KALDI_SHIFT = 0.01
"""Seconds from one frame of Kaldi's to the next."""
KALDI_LOWEST = 20.0
"""Hz, the lower edge of its lowest band."""


class FrontEnd(nn.Module):
    """What a model has before its network; by itself, nothing: the sound is passed on.

    Attributes:
        longest: the seconds of sound that it takes, or None for any length; shorter sounds are
            padded as the extractor pads them.
        frequencies: the centre of each band in Hz, ``(M,)`` float64; None if it has no bands, or
            the model does not keep their order.
        patch_layout: the axes of the model's map of patches, ``"FT"`` or ``"TF"``; None if it has
            none, or does not keep the order of bands and frames.

    >>> FrontEnd()(torch.ones(1, 2))
    tensor([[1., 1.]])
    """

    longest: float | None = None
    frequencies: Tensor | None = None
    patch_layout: str | None = None

    def forward(self, wav: Tensor) -> Tensor:
        """Return the sounds ``(N, L)``."""
        return wav


class StandardizedSound(FrontEnd):
    """The sound itself, for wav2vec2, HuBERT, WavLM and others; standardised where they need it.

    As ``Wav2Vec2FeatureExtractor`` does: zero mean, and unit variance over the sound.

    Args:
        extractor: has ``do_normalize``.

    >>> from types import SimpleNamespace
    >>> front_end = StandardizedSound(SimpleNamespace(do_normalize=True))
    >>> front_end(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.,  1.]])
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.do_normalize = bool(extractor.do_normalize)

    def forward(self, wav: Tensor) -> Tensor:
        """Return sounds ``(N, L)``."""
        if not self.do_normalize:
            return wav
        variance = wav.var(-1, correction=0, keepdim=True)
        return (wav - wav.mean(-1, keepdim=True)) / (variance + SMALLEST_VARIANCE).sqrt()


class KaldiFeatures(FrontEnd):
    """Kaldi's log mel filter bank, for the Audio Spectrogram Transformer (Gong et al., 2021).

    As ``ASTFeatureExtractor`` does: a Hann window, no dither, and zeros as frames after the end of
    the sound, which are then standardised by the mean and twice the deviation of AudioSet.

    Args:
        extractor: has ``sampling_rate``, ``num_mel_bins``, ``max_length`` (in frames),
            ``do_normalize``, ``mean`` and ``std``.

    >>> from types import SimpleNamespace
    >>> extractor = SimpleNamespace(
    ...     sampling_rate=16000, num_mel_bins=128, max_length=200, do_normalize=False
    ... )
    >>> front_end = KaldiFeatures(extractor)
    >>> front_end(torch.randn(1, 16000)).shape, front_end.longest
    (torch.Size([1, 200, 128]), 2.0)
    """

    # The model swaps frames and bands before it embeds patches.
    patch_layout = "FT"

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.sample_rate = int(extractor.sampling_rate)
        self.n_mels = int(extractor.num_mel_bins)
        self.frames = int(extractor.max_length)
        self.longest = self.frames * KALDI_SHIFT
        normalized = bool(extractor.do_normalize)
        self.mean = float(extractor.mean) if normalized else 0.0
        self.scale = 2 * float(extractor.std) if normalized else 1.0
        self.frequencies = _kaldi_frequencies(self.sample_rate, self.n_mels)

    def forward(self, wav: Tensor) -> Tensor:
        """Return features ``(N, T, M)``; T is the model's number of frames."""
        features = kaldi_fbank(wav, self.sample_rate, n_mels=self.n_mels, f_min=KALDI_LOWEST)
        features = features[:, : self.frames]
        missing = self.frames - features.shape[1]
        return (functional.pad(features, (0, 0, 0, missing)) - self.mean) / self.scale


class WhisperFeatures(FrontEnd):
    """Whisper's log mel spectrogram (Radford et al., 2023) of the sound, padded to 30 s.

    As ``WhisperFeatureExtractor`` does: log10 of the power, at most 8 below its largest value.

    Args:
        extractor: has ``n_samples``, ``sampling_rate``, ``n_fft``, ``hop_length``, ``mel_filters``
            ``(F, M)``, ``padding_value`` and ``dither``.

    Raises:
        ModelError: the extractor adds noise (dither).

    >>> from types import SimpleNamespace
    >>> extractor = SimpleNamespace(
    ...     n_samples=32000, sampling_rate=16000, n_fft=400, hop_length=160,
    ...     mel_filters=torch.rand(201, 80), padding_value=0.0, dither=0.0,
    ... )
    >>> WhisperFeatures(extractor)(torch.randn(1, 16000)).shape
    torch.Size([1, 80, 200])
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        if extractor.dither:
            raise ModelError(
                f"the feature extractor adds noise (dither={extractor.dither}), so no answer is "
                f"the same twice; set extractor.dither = 0.0"
            )
        self.samples = int(extractor.n_samples)
        self.longest = self.samples / extractor.sampling_rate
        self.n_fft, self.hop_length = int(extractor.n_fft), int(extractor.hop_length)
        self.padding_value = float(extractor.padding_value)
        self.filters = torch.as_tensor(extractor.mel_filters).T

    def forward(self, wav: Tensor) -> Tensor:
        """Return features ``(N, M, T)``."""
        sound = wav[:, : self.samples]
        missing = self.samples - sound.shape[1]
        sound = functional.pad(sound, (0, missing), value=self.padding_value)
        power = mel_power(sound, self.n_fft, self.hop_length, self.filters)[..., :-1]
        levels = power.clamp_min(SMALLEST_POWER).log10()
        levels = torch.maximum(levels, levels.amax((1, 2), keepdim=True) - 8)
        return (levels + 4) / 4


class ClapFeatures(FrontEnd):
    """CLAP's mel spectrogram in dB (Wu et al., ICASSP 2023) of the sound, padded to 10 s.

    As ``ClapFeatureExtractor`` does for one sound at a time. Sounds that are longer are cut at
    random by the extractor, and are refused here.

    Args:
        extractor: has ``nb_max_samples``, ``sampling_rate``, ``fft_window_size``, ``hop_length``,
            ``padding``, ``truncation``, and ``mel_filters_slaney`` (or ``mel_filters`` for models
            with feature fusion) ``(F, M)``.

    >>> from types import SimpleNamespace
    >>> extractor = SimpleNamespace(
    ...     nb_max_samples=48000, sampling_rate=48000, fft_window_size=1024, hop_length=480,
    ...     padding="repeatpad", truncation="rand_trunc", mel_filters_slaney=torch.rand(513, 64),
    ... )
    >>> ClapFeatures(extractor)(torch.randn(1, 20000)).shape
    torch.Size([1, 1, 101, 64])
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        self.samples = int(extractor.nb_max_samples)
        self.longest = self.samples / extractor.sampling_rate
        self.n_fft, self.hop_length = int(extractor.fft_window_size), int(extractor.hop_length)
        self.padding = extractor.padding
        self.fuses = extractor.truncation == "fusion"
        filters = extractor.mel_filters if self.fuses else extractor.mel_filters_slaney
        self.filters = torch.as_tensor(filters).T

    def forward(self, wav: Tensor) -> Tensor:
        """Return features ``(N, 1, T, M)``, or ``(N, 4, T, M)``, four equal, with feature fusion.

        Raises:
            ModelError: the sounds are longer than the model takes.
        """
        if wav.shape[1] > self.samples:
            raise ModelError(
                f"CLAP takes at most {self.longest:g} s, not {wav.shape[1]} samples; its extractor "
                f"would cut them at random"
            )
        # As the extractor: in float32 the spectrum of a tone has a floor of rounding errors.
        sound = self._padded(wav) if wav.device.type == "mps" else self._padded(wav).double()
        power = mel_power(sound, self.n_fft, self.hop_length, self.filters)
        levels = (10 * power.clamp_min(SMALLEST_POWER).log10()).to(wav.dtype)
        return levels.transpose(1, 2)[:, None].repeat(1, 4 if self.fuses else 1, 1, 1)

    def _padded(self, wav: Tensor) -> Tensor:
        times = self.samples // wav.shape[1]
        if self.padding == "repeat":
            return wav.repeat(1, times + 1)[:, : self.samples]
        sound = wav.repeat(1, times) if self.padding == "repeatpad" else wav
        return functional.pad(sound, (0, self.samples - sound.shape[1]))


def mel_power(wav: Tensor, n_fft: int, hop_length: int, filters: Tensor) -> Tensor:
    """Return the power ``(N, M, T)`` in bands: centred STFT, periodic Hann window, reflected ends.

    Args:
        wav: ``(N, L)``.
        n_fft: the length of the window in samples.
        hop_length: samples from one frame to the next.
        filters: ``(M, n_fft // 2 + 1)``.

    >>> mel_power(torch.ones(1, 800), 400, 160, torch.eye(201)).shape
    torch.Size([1, 201, 6])
    """
    window = torch.hann_window(n_fft, dtype=wav.dtype, device=wav.device)
    stft = torch.stft(wav, n_fft, hop_length, window=window, return_complex=True)
    # Unlike abs() ** 2, this has a gradient of 0 at 0.
    return filters.to(wav) @ (stft.real.square() + stft.imag.square())


def _kaldi_frequencies(sample_rate: int, n_mels: int) -> Tensor:
    """Return the centres of Kaldi's bands, equally spaced in mel = 1127 log(1 + f / 700)."""
    ends = torch.tensor([KALDI_LOWEST, sample_rate / 2], dtype=torch.float64)
    low, high = (1127 * torch.log1p(ends / 700)).tolist()
    edges = torch.linspace(low, high, n_mels + 2, dtype=torch.float64)
    return 700 * torch.expm1(edges[1:-1] / 1127)
