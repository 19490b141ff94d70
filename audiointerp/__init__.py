"""audiointerp: shows, and lets people hear, why an audio classifier decided.

wav -> spectrogram -> attribution -> mask -> masked spectrogram -> audio and scores -> table and report:

======================  =========================================================================================
load and save           ``load_audio``, ``save_audio``
spectrograms            ``LogMel``, ``LogSTFT``, ``Spectrogram`` (``masked``, ``to_wav``)
data sets               ``ESC50``, ``Synthetic``, ``LabelledClips``, ``Contaminated``
networks                ``Cnn6``, ``Cnn10``, ``Cnn14``, ``Classifier`` (``load``, ``save``), ``load_panns``
training                ``features``, ``fit.fit``, ``FitSettings``
attributions            ``Saliency``, ``GradCAM``, ``SHAP``, ``LIME``, ``Random``; by name ``METHODS``
                        ``IntegratedGradients``, ``SmoothGrad``, ``GradientSHAP``, ``KernelSHAP``, ``Occlusion``,
                        ``GuidedGradCAM``, ``LayerCAM``; anything of captum's: ``Captum``
masks and scores        ``MASKS``, ``METRICS``, ``evaluate``, ``Curves``; the published ones: ``PROTOCOLS``
all of it               ``interpret`` one clip, ``score`` a data set, ``run`` one of ``EXPERIMENTS``
======================  =========================================================================================

Each name is imported when it is first used. The modules ``fit``, ``plot``, ``tables``, ``report`` … are attributes too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .curves import Curves
    from .dataset import ESC50, Contaminated, LabelledClips, Synthetic
    from .errors import ArgumentError, AudioError, AudioInterpError, DatasetError, DownloadError, ModelError
    from .experiments import EXPERIMENTS, Experiment, run
    from .fit import FitSettings, History, features
    from .interpretation import (
        LIME,
        MASKS,
        METHODS,
        SHAP,
        Attribution,
        Captum,
        Explainer,
        GradCAM,
        GradientSHAP,
        GuidedGradCAM,
        IntegratedGradients,
        KernelSHAP,
        LayerCAM,
        Occlusion,
        Random,
        Saliency,
        SmoothGrad,
    )  # fmt: skip
    from .metrics import METRICS, evaluate
    from .model import Classifier, Cnn6, Cnn10, Cnn14, load_panns
    from .predict import Interpretation, interpret, score
    from .processing import LogMel, LogSTFT, Spectrogram, load_audio, save_audio
    from .protocols import PROTOCOLS

_HOMES = {
    "curves": ("Curves",),
    "dataset": ("ESC50", "Contaminated", "LabelledClips", "Synthetic"),
    "errors": ("ArgumentError", "AudioError", "AudioInterpError", "DatasetError", "DownloadError", "ModelError"),
    "experiments": ("EXPERIMENTS", "Experiment", "run"),
    "fit": ("FitSettings", "History", "features"),
    "interpretation": (
        "LIME", "MASKS", "METHODS", "SHAP", "Attribution", "Captum", "Explainer", "GradCAM", "GradientSHAP", "GuidedGradCAM",
        "IntegratedGradients", "KernelSHAP", "LayerCAM", "Occlusion", "Random", "Saliency", "SmoothGrad",
    ),
    "metrics": ("METRICS", "evaluate"),
    "model": ("Classifier", "Cnn6", "Cnn10", "Cnn14", "load_panns"),
    "predict": ("Interpretation", "interpret", "score"),
    "processing": ("LogMel", "LogSTFT", "Spectrogram", "load_audio", "save_audio"),
    "protocols": ("PROTOCOLS",),
}  # fmt: skip
_MODULES = (
    "archives", "curves", "dataset", "downloads", "experiments", "fit", "interpretation", "metrics", "model", "plot", "predict",
    "processing", "report", "setting", "tables", "training",
)  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ESC50",
    "EXPERIMENTS",
    "LIME",
    "MASKS",
    "METHODS",
    "METRICS",
    "PROTOCOLS",
    "SHAP",
    "ArgumentError",
    "Attribution",
    "AudioError",
    "AudioInterpError",
    "Captum",
    "Classifier",
    "Cnn6",
    "Cnn10",
    "Cnn14",
    "Contaminated",
    "Curves",
    "DatasetError",
    "DownloadError",
    "Experiment",
    "Explainer",
    "FitSettings",
    "GradCAM",
    "GradientSHAP",
    "GuidedGradCAM",
    "History",
    "IntegratedGradients",
    "Interpretation",
    "KernelSHAP",
    "LabelledClips",
    "LayerCAM",
    "LogMel",
    "LogSTFT",
    "ModelError",
    "Occlusion",
    "Random",
    "Saliency",
    "SmoothGrad",
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
