"""audiointerp: shows, and lets people hear, why an audio classifier decided.

wav -> spectrogram -> attribution -> mask -> masked spectrogram -> audio and scores -> table and report:

======================  =========================================================================================
load and save           ``load_audio``, ``save_audio``
spectrograms            ``LogMel``, ``LogSTFT``, ``Spectrogram`` (``masked``, ``to_wav``)
data sets               ``ESC50``, ``Synthetic``, ``LabelledClips``, ``Contaminated``
networks                ``Cnn6``, ``Cnn10``, ``Cnn14``, ``Classifier`` (``load``, ``save``), ``load_panns``
training                ``features``, ``fit.fit``, ``FitSettings``
attributions            ``Saliency``, ``GradCAM``, ``SHAP``, ``Random``; by name ``METHODS``
masks and scores        ``MASKS``, ``METRICS``, ``evaluate``
all of it               ``interpret`` one clip, ``score`` a data set, ``run`` one of ``EXPERIMENTS``
======================  =========================================================================================

Each name is imported when it is first used. The modules ``fit``, ``plot``, ``tables``, ``report`` … are attributes too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import ESC50, Contaminated, LabelledClips, Synthetic
    from .errors import ArgumentError, AudioError, AudioInterpError, DatasetError, ModelError
    from .experiments import EXPERIMENTS, Experiment, run
    from .fit import FitSettings, History, features
    from .interpretation import MASKS, METHODS, SHAP, Attribution, Explainer, GradCAM, Random, Saliency
    from .metrics import METRICS, evaluate
    from .model import Classifier, Cnn6, Cnn10, Cnn14, load_panns
    from .predict import Interpretation, interpret, score
    from .processing import LogMel, LogSTFT, Spectrogram, load_audio, save_audio

_HOMES = {
    "dataset": ("ESC50", "Contaminated", "LabelledClips", "Synthetic"),
    "errors": ("ArgumentError", "AudioError", "AudioInterpError", "DatasetError", "ModelError"),
    "experiments": ("EXPERIMENTS", "Experiment", "run"),
    "fit": ("FitSettings", "History", "features"),
    "interpretation": (
        "MASKS", "METHODS", "SHAP", "Attribution", "Explainer", "GradCAM", "Random", "Saliency",
    ),
    "metrics": ("METRICS", "evaluate"),
    "model": ("Classifier", "Cnn6", "Cnn10", "Cnn14", "load_panns"),
    "predict": ("Interpretation", "interpret", "score"),
    "processing": ("LogMel", "LogSTFT", "Spectrogram", "load_audio", "save_audio"),
}  # fmt: skip
_MODULES = (
    "dataset", "experiments", "fit", "interpretation", "metrics", "model", "plot", "predict", "processing", "report",
    "tables", "training",
)  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ESC50",
    "EXPERIMENTS",
    "MASKS",
    "METHODS",
    "METRICS",
    "SHAP",
    "ArgumentError",
    "Attribution",
    "AudioError",
    "AudioInterpError",
    "Classifier",
    "Cnn6",
    "Cnn10",
    "Cnn14",
    "Contaminated",
    "DatasetError",
    "Experiment",
    "Explainer",
    "FitSettings",
    "GradCAM",
    "History",
    "Interpretation",
    "LabelledClips",
    "LogMel",
    "LogSTFT",
    "ModelError",
    "Random",
    "Saliency",
    "Spectrogram",
    "Synthetic",
    "evaluate",
    "features",
    "interpret",
    "load_audio",
    "load_panns",
    "run",
    "save_audio",
    "score",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module 'audiointerp' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
