"""Networks, their checkpoints, and the classifier that combines a network with its transform."""

from .bound_model import BoundModel
from .check import Check
from .checkpoint import Loaded, load_panns
from .classifier import Classifier
from .clip_probabilities import (
    bound_windows,
    clip_log_probabilities,
    log_probabilities_by_window,
    pool_windows,
    version_log_probabilities,
    whole_clip_probabilities,
    windows_of,
)
from .equal_front_end import NetworkOnLevels, network_on_levels
from .factory import made_by
from .fast_copy import OPTIMIZATIONS, optimized
from .grids import default_grid
from .panns import NETWORKS, Cnn6, Cnn10, Cnn14, Pann, build_network, initialise
from .scaled import ScaledNetwork, with_scaling, without_scaling
from .shipped import SHIPPED, load, weights_path
from .sound_model import FunctionModel, SoundModel

__all__ = [
    "NETWORKS",
    "OPTIMIZATIONS",
    "SHIPPED",
    "BoundModel",
    "Check",
    "Classifier",
    "Cnn6",
    "Cnn10",
    "Cnn14",
    "FunctionModel",
    "Loaded",
    "NetworkOnLevels",
    "Pann",
    "ScaledNetwork",
    "SoundModel",
    "bound_windows",
    "build_network",
    "clip_log_probabilities",
    "default_grid",
    "initialise",
    "load",
    "load_panns",
    "log_probabilities_by_window",
    "made_by",
    "network_on_levels",
    "optimized",
    "pool_windows",
    "version_log_probabilities",
    "weights_path",
    "whole_clip_probabilities",
    "windows_of",
    "with_scaling",
    "without_scaling",
]
