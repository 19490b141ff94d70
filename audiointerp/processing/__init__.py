"""Sound files to spectrograms, and masked spectrograms back to sound."""

from .audio import NORMALIZATIONS, fix_length, load_audio, mono, normalized, save_audio
from .augmentation import augment
from .filters import MEL_SCALES
from .resampling import resample
from .spectrogram import LogMel, LogSTFT, Spectrogram, Transform, transform_from_dict
from .windows import Windows

__all__ = [
    "MEL_SCALES",
    "NORMALIZATIONS",
    "LogMel",
    "LogSTFT",
    "Spectrogram",
    "Transform",
    "Windows",
    "augment",
    "fix_length",
    "load_audio",
    "mono",
    "normalized",
    "resample",
    "save_audio",
    "transform_from_dict",
]
