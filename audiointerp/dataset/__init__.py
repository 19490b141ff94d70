"""Clips and their sources: ESC-50, folders and CSV files, synthetic clips, background noise."""

from .clip import Clip, in_folds
from .clip_dataset import ClipDataset, esc50_recording, only_target, recording_of, targets_of
from .clip_forms import as_clip, clip_name, own_channels
from .clips import LabelledClips
from .dataset_forms import as_dataset
from .esc50 import ESC50
from .feature_tensors import compute_features, features
from .folders import AUDIO_ENDINGS, sound_files, stated_seconds
from .in_memory import EvenSubset, InMemory, Joined, Part, Selection, some_per_class
from .loaded_clip import LoadedClip, has_label, load_clip
from .manifest_clips import ManifestClips
from .mixtures import Mixtures, check_parts, parts_of
from .noise import (
    NOISES,
    Contaminated,
    clean_and_noisy,
    made_noise,
    synthetic_noise,
    write_noises,
)
from .sounds import CLASSES
from .split import Split, split_clips, warn_of_shared_recordings
from .synthetic import Parts, Synthetic

__all__ = [
    "AUDIO_ENDINGS",
    "CLASSES",
    "ESC50",
    "NOISES",
    "Clip",
    "ClipDataset",
    "Contaminated",
    "EvenSubset",
    "InMemory",
    "Joined",
    "LabelledClips",
    "LoadedClip",
    "ManifestClips",
    "Mixtures",
    "Part",
    "Parts",
    "Selection",
    "Split",
    "Synthetic",
    "as_clip",
    "as_dataset",
    "check_parts",
    "clean_and_noisy",
    "clip_name",
    "compute_features",
    "esc50_recording",
    "features",
    "has_label",
    "in_folds",
    "load_clip",
    "made_noise",
    "only_target",
    "own_channels",
    "parts_of",
    "recording_of",
    "some_per_class",
    "sound_files",
    "split_clips",
    "stated_seconds",
    "synthetic_noise",
    "targets_of",
    "warn_of_shared_recordings",
    "write_noises",
]
