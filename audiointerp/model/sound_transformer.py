"""A front end and a model of Hugging Face as one module, from sounds to logits."""

from typing import Any

import torch
from torch import Tensor, nn

from .front_ends import ClapFeatures, FrontEnd


class SoundTransformer(nn.Module):
    """A front end and a model of Hugging Face: from sounds ``(N, L)`` to logits ``(N, C)``.

    Args:
        front_end: from sounds to what the model takes, see :mod:`audiointerp.model.front_ends`.
        model: a classifier of transformers; its first argument is what the front end returns.

    Attributes:
        cell_frequencies: the centre of each band of the front end in Hz, if it has bands whose
            order the model keeps, so that a layer's map reaches the grid by frequency.
        activation_layout: the axes of the map of patches, for models that cut or pad their input,
            so that it cannot be measured.
        clip_share: the share of the model's input that is the clip, from its start; the rest is
            padding, which a layer's map covers too.

    >>> transformer = SoundTransformer(FrontEnd(), nn.Linear(160, 2))
    >>> transformer(torch.zeros(3, 160)).shape
    torch.Size([3, 2])
    """

    def __init__(self, front_end: FrontEnd, model: nn.Module) -> None:
        super().__init__()
        self.front_end = front_end
        self.model = model
        self.cell_frequencies: Tensor | None = front_end.frequencies
        self.activation_layout = front_end.patch_layout
        self.clip_share = 1.0

    def forward(self, wav: Tensor) -> Tensor:
        """Return the logits ``(N, C)``."""
        returned = self.model(self._features(wav))
        logits: Tensor = getattr(returned, "logits", returned)
        return logits

    def _features(self, wav: Tensor) -> Tensor:
        # Half precision is for the model: spectra of a quiet sound would be 0 in it.
        sound = wav if wav.dtype == torch.float64 else wav.float()
        features: Tensor = self.front_end(sound)
        return features.to(wav.dtype)


class PromptedTransformer(SoundTransformer):
    """CLAP (Wu et al., ICASSP 2023): the classes are sentences; the logits, scaled similarities.

    Args:
        front_end: see :class:`SoundTransformer`.
        model: a ``ClapModel``.
        embeddings: of the C sentences, ``(C, D)``, of unit length.

    >>> from types import SimpleNamespace
    >>> extractor = SimpleNamespace(
    ...     nb_max_samples=48000, sampling_rate=48000, fft_window_size=1024, hop_length=480,
    ...     padding="pad", truncation="rand_trunc", mel_filters_slaney=torch.rand(513, 64),
    ... )
    >>> model = PromptedTransformer(ClapFeatures(extractor), nn.Identity(), torch.eye(2))
    >>> model.embeddings.shape
    torch.Size([2, 2])
    """

    embeddings: Tensor

    def __init__(self, front_end: ClapFeatures, model: nn.Module, embeddings: Tensor) -> None:
        super().__init__(front_end, model)
        self.fuses = front_end.fuses
        self.register_buffer("embeddings", embeddings)

    def forward(self, wav: Tensor) -> Tensor:
        """Return the logits ``(N, C)``."""
        features = self._features(wav)
        # With feature fusion the extractor calls a single sound long, whatever its length is.
        is_longer = torch.full((len(wav), 1), self.fuses, device=wav.device)
        model: Any = self.model
        audio = model.get_audio_features(features, is_longer=is_longer).pooler_output
        logits: Tensor = model.logit_scale_a.exp() * audio @ self.embeddings.T
        return logits
