"""The parts of one clip under many masks, as levels and as sounds.

A part's sound is the clip's STFT times the gains of the part, inverted. A bin has the gain 1 where
it is kept, and where it is removed the gain g of the fill, 0 for silence. So under a 0/1 mask the
gains of the kept and of the removed part add up to 1 + g in each bin. The gains of the STFT bins
and the inverse are linear in them, so the two sounds add up to the same sound whatever the mask is.
Still each part is made by itself: in float32 the difference of two sounds has an error of 1e-7 of
the louder one, which is heard in the bins where the other is silent, and changes p by 1e-5.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..util import fill_levels
from .masking import check_mask, gain_in_decibels
from .stft import analyse, decibels, level_is_known
from .transform import Spectrogram, Transform

CHUNK = 8
"""Parts whose sounds are made or analysed at a time; more do not fit the cache of a processor."""


@dataclass(frozen=True, eq=False)
class MaskedParts:
    """Makes the parts of a clip under masks ``(M, 1, F, T)`` in [0, 1], which scale levels in dB.

    A part is that of ``clip.masked(mask, fill=fill)``; the removed part has the mask 1 - mask. What
    does not depend on the mask is computed once.

    Attributes:
        clip: one clip, ``(1, 1, F, T)``.
        fill: what a removed bin becomes, a name in :data:`~audiointerp.util.fills.FILLS`.

    >>> from audiointerp.processing import LogMel
    >>> clip = LogMel()(torch.randn(1, 1, 32000))
    >>> masks = (torch.rand(4, 1, 64, 101) < 0.5).float()
    >>> parts = MaskedParts(clip)
    >>> parts.levels(masks).equal(clip.masked(masks).db)
    True
    >>> parts.sounds(masks).shape, parts.heard(masks).shape
    (torch.Size([4, 1, 32000]), torch.Size([4, 1, 64, 101]))
    """

    clip: Spectrogram
    fill: str = "silence"

    def levels(self, masks: Tensor) -> Tensor:
        """Return the levels of the parts, ``(M, 1, F, T)`` in dB.

        Raises:
            ArgumentError: a mask does not fit the clip or is not in [0, 1], or the fill is unknown.
        """
        # lerp is exact at 0 and at 1.
        return torch.lerp(self._filled, self.clip.db, check_mask(self.clip.db, masks))

    def sounds(self, masks: Tensor) -> Tensor:
        """Return the sounds of the parts, ``(M, 1, L)``.

        Raises:
            ArgumentError: a mask does not fit the clip or is not in [0, 1], or the fill is unknown.
        """
        masks = check_mask(self.clip.db, masks)
        return torch.cat([self._sounds(chunk) for chunk in masks.split(CHUNK)])

    def heard(self, masks: Tensor) -> Tensor:
        """Return the levels of the sounds of the parts, ``(M, 1, F, T)`` in dB.

        Raises:
            ArgumentError: a mask does not fit the clip or is not in [0, 1], or the fill is unknown.
        """
        masks, transform = check_mask(self.clip.db, masks), self.clip.transform
        chunks = masks.split(CHUNK)
        return torch.cat([_levels_of(transform, self._sounds(chunk)) for chunk in chunks])

    @cached_property
    def _filled(self) -> Tensor:
        """The levels of removed bins, ``(1, 1, F, T)``."""
        return fill_levels(self.clip.db, self.fill)

    def _sounds(self, masks: Tensor) -> Tensor:
        gain = gain_in_decibels(self.clip.db, masks, self._filled, self.fill)
        return replace(self.clip, gain=self.clip.gain * gain).to_wav()


def levels_of_sounds(transform: Transform, wavs: Tensor) -> Tensor:
    """Return the levels ``(N, 1, F, T)`` of parts ``(N, 1, L)`` of a clip that was analysed before.

    They are those of ``transform(wavs)`` but for rounding, and computed faster.

    >>> from audiointerp.processing import LogMel
    >>> wavs = torch.randn(2, 1, 32000)
    >>> bool(torch.allclose(levels_of_sounds(LogMel(), wavs), LogMel()(wavs).db, atol=1e-4))
    True
    """
    return torch.cat([_levels_of(transform, chunk) for chunk in wavs.split(CHUNK)])


def _levels_of(transform: Transform, wavs: Tensor) -> Tensor:
    # The level of the clip itself was checked.
    with level_is_known():
        _, stft, _ = analyse(wavs, transform.framing)
    # The magnitude, which is not needed here, takes three times as long.
    power = torch.addcmul(stft.real.square(), stft.imag, stft.imag)
    return decibels(transform.to_features(power))
