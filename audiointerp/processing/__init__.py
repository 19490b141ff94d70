"""Sound files to spectrograms, and masked spectrograms back to sound."""

from .audio import (
    NORMALIZATIONS,
    UNREADABLE_ENDINGS,
    conversion,
    fix_length,
    load_audio,
    load_levels,
    mono,
    normalized,
    save_audio,
)
from .augmentation import augment
from .filters import MEL_SCALES
from .kaldi import kaldi_fbank
from .masking import DOMAINS, levels_gain
from .resampling import resample
from .spectrogram import LogMel, LogSTFT, Spectrogram, Transform, transform_from_dict
from .windows import Windows

__all__ = [
    "DOMAINS",
    "MEL_SCALES",
    "NORMALIZATIONS",
    "UNREADABLE_ENDINGS",
    "LogMel",
    "LogSTFT",
    "Spectrogram",
    "Transform",
    "Windows",
    "augment",
    "conversion",
    "fix_length",
    "kaldi_fbank",
    "levels_gain",
    "load_audio",
    "load_levels",
    "mono",
    "normalized",
    "resample",
    "save_audio",
    "transform_from_dict",
]
