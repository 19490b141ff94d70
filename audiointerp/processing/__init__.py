"""Sounds to spectrograms and back."""

from ..conventions import FLOOR
from .audio import NORMALIZATIONS, fix_length, load_audio, mono, normalized, save_audio
from .resampling import resample
from .spectrogram import LogMel, LogSTFT, Spectrogram, Transform, transform_from_dict
from .windows import Windows

__all__ = [
    "FLOOR",
    "NORMALIZATIONS",
    "LogMel",
    "LogSTFT",
    "Spectrogram",
    "Transform",
    "Windows",
    "fix_length",
    "load_audio",
    "mono",
    "normalized",
    "resample",
    "save_audio",
    "transform_from_dict",
]
