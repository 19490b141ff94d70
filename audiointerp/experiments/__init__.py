"""Runs: one experiment over a data set, resumable, in one or several processes.

A clip that fails becomes error rows in :mod:`audiointerp.scoring.rows`; a resumed run retries it
(:mod:`audiointerp.experiments.store`).
"""

from .computation import Computation
from .crossval import Fold, cross_validate, rounds_of
from .data import background_of, background_of_folder, open_data, target_of
from .engines import Engine, Finished, MissingShard, ShardJob, compute_shards, local_engine
from .fingerprint import settings_of
from .gathered import rows_by_engine
from .model_record import described_model
from .on_ray import ray_engine
from .opening import clips_of_shard
from .plain_values import sha256_of_state
from .recall import FinishedMethod, finished_methods
from .runner import check_run, run
from .sharded import ShardedRun, run_shards
from .shards import SHARD_SIZE, Shard, ShardFolder, plan_shards
from .study import (
    EXPERIMENTS,
    NOISE_TRAINED,
    TEST_FOLDS,
    TRAIN_FOLDS,
    TRANSFORMS,
    VALID_FOLDS,
    Experiment,
    check_network,
    clips_of,
    find_experiment,
    input_kind,
    own_experiment,
)

__all__ = [
    "EXPERIMENTS",
    "NOISE_TRAINED",
    "SHARD_SIZE",
    "TEST_FOLDS",
    "TRAIN_FOLDS",
    "TRANSFORMS",
    "VALID_FOLDS",
    "Computation",
    "Engine",
    "Experiment",
    "Finished",
    "FinishedMethod",
    "Fold",
    "MissingShard",
    "Shard",
    "ShardFolder",
    "ShardJob",
    "ShardedRun",
    "background_of",
    "background_of_folder",
    "check_network",
    "check_run",
    "clips_of",
    "clips_of_shard",
    "compute_shards",
    "cross_validate",
    "described_model",
    "find_experiment",
    "finished_methods",
    "input_kind",
    "local_engine",
    "open_data",
    "own_experiment",
    "plan_shards",
    "ray_engine",
    "rounds_of",
    "rows_by_engine",
    "run",
    "run_shards",
    "settings_of",
    "sha256_of_state",
    "target_of",
]
