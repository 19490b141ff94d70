"""A model of sounds, bound to one clip: a network from levels on the clip's grid to outputs."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..processing import Spectrogram, levels_gain
from .feature_place import FeaturePlace
from .sound_model import SoundModel

LARGEST_ON_A_CLIP = 0.1
"""Between a clip's features and its levels, in dB."""
RANGE = 80.0
"""Below a clip's loudest bin, in dB: what is quieter differs by the rounding of the clip's inverse
STFT, which is what the model hears."""


class BoundModel(nn.Module):
    """A model of sounds, bound to one clip: from levels on the clip's grid to outputs.

    Levels of several clips' lengths, ``T' = n T`` frames, are n versions of the clip in a row.

    Args:
        model: the model.
        spectrogram: the clip ``(1, 1, F, T)``, as the transform gives it.
        place: where the model has features that are these levels; None if nowhere.

    >>> from audiointerp.processing import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> model = SoundModel(nn.Linear(32000, 2), 32000)
    >>> bound = BoundModel(model, clip)
    >>> bool(torch.allclose(bound(clip.db), model(clip.to_wav()), atol=1e-4))
    True
    """

    input_type = torch.float32
    """The levels are float32 whatever the type of the model's weights is."""

    def __init__(
        self, model: SoundModel, spectrogram: Spectrogram, place: FeaturePlace | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.spectrogram = spectrogram
        self.place = place

    @property
    def layers_of(self) -> nn.Module:
        """The part whose layers a class activation map chooses from."""
        return self.model.layers_of

    has_front_end = True
    gradients = "sound"
    """What gradients by the levels go through: the ``"sound"``, or the ``"features"`` alone."""

    @property
    def for_gradients(self) -> "BoundModel":
        """The network for methods whose values are gradients by the levels.

        Where the model's own features are the levels, it is the model from these features on.

        Raises:
            ModelError: they are not those of this clip.
        """
        if self.place is None:
            return self
        bound = BoundFeatures(self.model, self.spectrogram, self.place)
        difference = bound.difference()
        if not difference <= LARGEST_ON_A_CLIP:
            raise ModelError(
                f"{self.place} of this clip is not what the grid computes (up to {difference:.3g} "
                f"dB apart); were its weights changed? Make the classifier anew, or with "
                f"gradients='sound'"
            )
        return bound

    @property
    def cell_frequencies(self) -> Tensor | None:
        """The centre of each band of the model's own front end in Hz, ``(F',)``, if known."""
        if self.model.bands is not None:
            return self.model.bands
        stated = (getattr(part, "cell_frequencies", None) for part in self.model.modules())
        known = None if self.place is None else self.frequencies
        return next((bands for bands in stated if bands is not None), known)

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
        return BoundModel(model, self.spectrogram, self.place)

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


class BoundFeatures(BoundModel):
    """A model of sounds from its own features on, bound to one clip.

    The module runs as its owner wrote it, on the clip's sound, with the features of other levels in
    place of the sound's.

    Args:
        model: the model.
        spectrogram: the clip ``(1, 1, F, T)``.
        place: where the features are, see :func:`~audiointerp.model.feature_search.feature_place`.

    >>> from audiointerp.processing import LogMel
    >>> from audiointerp.model.feature_search import feature_place
    >>> class FrontEnd(nn.Module):
    ...     def forward(self, wav):
    ...         return LogMel()(wav[:, None]).db
    >>> layers = FrontEnd(), nn.AdaptiveAvgPool2d((4, 1)), nn.Flatten(), nn.Linear(4, 2)
    >>> model = SoundModel(nn.Sequential(*layers), 32000)
    >>> place, clip = feature_place(model, LogMel(), 32000), LogMel()(torch.randn(1, 1, 32000))
    >>> bound = BoundFeatures(model, clip, place)
    >>> bool(torch.allclose(bound(clip.db - 10), model.module[1:](clip.db - 10), atol=1e-4))
    True
    """

    gradients = "features"

    def __init__(self, model: SoundModel, spectrogram: Spectrogram, place: FeaturePlace) -> None:
        super().__init__(model, spectrogram, place)
        self.features = place
        self.wav = spectrogram.to_wav()

    @property
    def for_gradients(self) -> BoundModel:
        return self

    def with_model(self, model: SoundModel) -> BoundModel:
        """Return another model, bound to the same clip."""
        return BoundFeatures(model, self.spectrogram, self.features)

    def forward(self, levels: Tensor) -> Tensor:
        """Return the outputs ``(K, C)`` for K versions of the levels, ``(K, 1, F, T)`` in dB."""
        clips = levels.shape[-1] // self.spectrogram.db.shape[-1]
        sounds = self.wav.repeat(len(levels), 1, clips)
        scaled = self.spectrogram.transform.scaled(levels)
        return self.features.outputs(self.model, sounds, scaled)

    def difference(self) -> float:
        """Return the largest difference of the clip's features from its levels, in dB."""
        db, transform = self.spectrogram.db, self.spectrogram.transform
        levels = transform.scaled(db)
        # All levels of silence are equal, and have no unit.
        has_unit = transform.is_scaled and float(levels.std()) > 0
        unit = float(db.std() / levels.std()) if has_unit else 1.0
        is_loud = db >= db.max() - RANGE
        return self.features.difference(self.model, self.wav, levels, is_loud) * unit
