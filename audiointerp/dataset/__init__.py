"""Labelled sounds, clean and contaminated."""

from .clips import Clip, LabelledClips, sound_files
from .esc50 import ESC50
from .in_memory import InMemory
from .noise import NOISES, ClipDataset, Contaminated, made_noise, write_noises
from .part import Part
from .synthetic import Synthetic

__all__ = [
    "ESC50",
    "NOISES",
    "Clip",
    "ClipDataset",
    "Contaminated",
    "InMemory",
    "LabelledClips",
    "Part",
    "Synthetic",
    "made_noise",
    "sound_files",
    "write_noises",
]
