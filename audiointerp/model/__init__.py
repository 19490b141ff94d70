"""Networks, their checkpoints, and the classifier that combines a network with its transform."""

from .checkpoint import Loaded, load_panns
from .classifier import Classifier
from .panns import NETWORKS, Cnn6, Cnn10, Cnn14, Pann, build_network, initialise

__all__ = [
    "NETWORKS",
    "Classifier",
    "Cnn6",
    "Cnn10",
    "Cnn14",
    "Loaded",
    "Pann",
    "build_network",
    "initialise",
    "load_panns",
]
