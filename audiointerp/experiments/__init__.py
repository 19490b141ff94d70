"""Runs: one experiment over a data set, resumable, in one or several processes.

A clip that fails becomes error rows in :mod:`audiointerp.scoring.rows`; a resumed run retries it
(:mod:`audiointerp.experiments.store`).
"""

from .crossval import Fold, cross_validate, rounds_of
from .data import background_of, background_of_folder, open_data, target_of
from .fingerprint import settings_of, sha256_of_state
from .recall import FinishedMethod, finished_methods
from .runner import check_run, run
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
    input_kind,
    own_experiment,
)

__all__ = [
    "EXPERIMENTS",
    "TEST_FOLDS",
    "TRAIN_FOLDS",
    "TRANSFORMS",
    "VALID_FOLDS",
    "Experiment",
    "FinishedMethod",
    "Fold",
    "background_of",
    "background_of_folder",
    "check_features",
    "check_run",
    "clips_of",
    "cross_validate",
    "find_experiment",
    "finished_methods",
    "input_kind",
    "open_data",
    "own_experiment",
    "rounds_of",
    "run",
    "settings_of",
    "sha256_of_state",
    "target_of",
]
