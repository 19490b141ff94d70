"""Sound files to spectrograms, and masked spectrograms back to sound."""

from .audio import (
    NORMALIZATIONS,
    UNREADABLE_ENDINGS,
    conversion,
    fix_length,
    load_audio,
    load_channels,
    load_levels,
    mono,
    normalized,
)
from .augmentation import augment
from .filters import MEL_NORMS, MEL_SCALES
from .kaldi import kaldi_fbank
from .masking import DOMAINS, check_mask, levels_gain
from .missing_band import missing_band_note
from .own_rate import framing_at, grid_steps, masked_sound
from .parts import MaskedParts, levels_of_sounds
from .reading import LEAST_MIX, MAX_LEVEL
from .resampling import LOWEST_RATE, resample, resample_blocks
from .scaling import Scaling
from .spectrogram import LogMel, LogSTFT, transform_from_dict
from .stft import level_is_known
from .streaming import file_rate, stream_audio
from .tapers import TAPERS
from .transform import Spectrogram, Transform
from .windows import Windows
from .writing import save_audio

__all__ = [
    "DOMAINS",
    "LEAST_MIX",
    "LOWEST_RATE",
    "MAX_LEVEL",
    "MEL_NORMS",
    "MEL_SCALES",
    "NORMALIZATIONS",
    "TAPERS",
    "UNREADABLE_ENDINGS",
    "LogMel",
    "LogSTFT",
    "MaskedParts",
    "Scaling",
    "Spectrogram",
    "Transform",
    "Windows",
    "augment",
    "check_mask",
    "conversion",
    "file_rate",
    "fix_length",
    "framing_at",
    "grid_steps",
    "kaldi_fbank",
    "level_is_known",
    "levels_gain",
    "levels_of_sounds",
    "load_audio",
    "load_channels",
    "load_levels",
    "masked_sound",
    "missing_band_note",
    "mono",
    "normalized",
    "resample",
    "resample_blocks",
    "save_audio",
    "stream_audio",
    "transform_from_dict",
]
