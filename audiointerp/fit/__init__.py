"""Training: settings, the training loop, and a classifier for each seed."""

from .loop import Epoch, History, fit, logits_of, validate
from .settings import PUBLISHED, SCHEDULES, FitSettings
from .train import Trained, train_classifier

__all__ = [
    "PUBLISHED",
    "SCHEDULES",
    "Epoch",
    "FitSettings",
    "History",
    "Trained",
    "fit",
    "logits_of",
    "train_classifier",
    "validate",
]
