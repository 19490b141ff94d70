"""Runs: one experiment over a data set, resumable, in one or several processes."""

from .data import background_of, background_of_folder, open_data, target_of
from .fingerprint import upgraded
from .prepare import PreparedRun, prepare_run
from .runner import execute, run
from .study import (
    EXPERIMENTS,
    TEST_FOLDS,
    TRAIN_FOLDS,
    TRANSFORMS,
    VALID_FOLDS,
    Experiment,
    check_features,
    clips_of,
    find_experiment,
)

__all__ = [
    "EXPERIMENTS",
    "TEST_FOLDS",
    "TRAIN_FOLDS",
    "TRANSFORMS",
    "VALID_FOLDS",
    "Experiment",
    "PreparedRun",
    "background_of",
    "background_of_folder",
    "check_features",
    "clips_of",
    "execute",
    "find_experiment",
    "open_data",
    "prepare_run",
    "run",
    "target_of",
    "upgraded",
]
