"""A model of sounds, bound to one clip: a network from levels on the clip's grid to outputs."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..processing import Spectrogram, levels_gain
from .sound_model import SoundModel


class BoundModel(nn.Module):
    """A model of sounds, bound to one clip: from levels on the clip's grid to outputs.

    Levels of several clips' lengths, ``T' = n T`` frames, are n versions of the clip in a row.

    Args:
        model: the model.
        spectrogram: the clip ``(1, 1, F, T)``, as the transform gives it.

    >>> from audiointerp.processing import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> model = SoundModel(nn.Linear(32000, 2), 32000)
    >>> bound = BoundModel(model, clip)
    >>> bool(torch.allclose(bound(clip.db), model(clip.to_wav()), atol=1e-4))
    True
    """

    input_type = torch.float32
    """The levels are float32 whatever the type of the model's weights is."""

    def __init__(self, model: SoundModel, spectrogram: Spectrogram) -> None:
        super().__init__()
        self.model = model
        self.spectrogram = spectrogram

    @property
    def layers_of(self) -> nn.Module:
        """The part whose layers a class activation map chooses from."""
        return self.model.layers_of

    has_front_end = True

    @property
    def cell_frequencies(self) -> Tensor | None:
        """The centre of each band of the model's own front end in Hz, ``(F',)``, if known."""
        if self.model.bands is not None:
            return self.model.bands
        stated = (getattr(part, "cell_frequencies", None) for part in self.model.modules())
        return next((bands for bands in stated if bands is not None), None)

    @property
    def frequencies(self) -> Tensor:
        """The centre of each row of the grid in Hz, ``(F,)``."""
        return self.spectrogram.transform.frequencies

    @property
    def activation_layout(self) -> str | None:
        """The axes of its layers' maps, if the model states them: ``"FT"`` or ``"TF"``."""
        parts = (self.model.layers_of, self.model.module)
        layouts = [getattr(part, "activation_layout", None) for part in parts]
        return layouts[0] or layouts[1]

    @property
    def explained_model(self) -> SoundModel:
        """The model, which is the same for every clip."""
        return self.model

    def with_model(self, model: SoundModel) -> "BoundModel":
        """Return another model, bound to the same clip."""
        return BoundModel(model, self.spectrogram)

    def forward(self, levels: Tensor) -> Tensor:
        """Return the outputs ``(K, C)`` for K versions of the levels, ``(K, 1, F, T)`` in dB."""
        frames = self.spectrogram.db.shape[-1]
        sounds = [self.sound(part) for part in levels.split(frames, -1)]
        outputs: Tensor = self.model(torch.cat(sounds, -1))
        return outputs

    def sound(self, levels: Tensor) -> Tensor:
        """Return the sounds ``(K, 1, L)`` of K versions of the clip's levels."""
        original = self.spectrogram
        gain = levels_gain(original.db, levels.to(original.db))
        return replace(original, db=levels, gain=original.gain * gain).to_wav()
