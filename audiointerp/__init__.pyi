from . import dataset as dataset
from . import display as display
from . import downloads as downloads
from . import events as events
from . import experiments as experiments
from . import fit as fit
from . import interpretation as interpretation
from . import metrics as metrics
from . import model as model
from . import paper as paper
from . import predict as predict
from . import processing as processing
from . import scoring as scoring
from . import tables as tables
from .dataset import (
    ESC50,
    Contaminated,
    EvenSubset,
    LabelledClips,
    Mixtures,
    Synthetic,
    as_clip,
    as_dataset,
    compute_features,
    features,
)
from .display import explore
from .display import plot as plot
from .display import report as report
from .downloads import archives as archives
from .errors import (
    ArgumentError,
    AudioError,
    AudioInterpError,
    DatasetError,
    DownloadError,
    ModelError,
)
from .events import Event, Scan, detect, explain_events, read_events, scan, write_events
from .experiments import EXPERIMENTS, Experiment, local_engine, ray_engine, run
from .experiments import store as store
from .fit import FitSettings, History
from .interpretation import (
    LIME,
    MASKS,
    METHODS,
    RISE,
    SHAP,
    AttentionRelevance,
    Attribution,
    Captum,
    Explainer,
    GradCAM,
    GradientSHAP,
    GuidedGradCAM,
    IntegratedGradients,
    KernelSHAP,
    LayerCAM,
    Level,
    LogitRISE,
    MapsFolder,
    MaskGradient,
    Occlusion,
    OptimalMask,
    Random,
    Saliency,
    SmoothGrad,
    explain_func,
)
from .metrics import METRICS, evaluate
from .model import Classifier, Cnn6, Cnn10, Cnn14, load, load_panns, network_on_levels
from .paper import setting as setting
from .predict import Interpretation, interpret, score
from .processing import LogMel, LogSTFT, Scaling, Spectrogram, load_audio, save_audio
from .scoring import PROTOCOLS, Curves, localise
from .scoring import curves as curves
from .scoring import protocols as protocols
from .tables import bootstrap as bootstrap

__all__ = [
    "ESC50",
    "EXPERIMENTS",
    "LIME",
    "MASKS",
    "METHODS",
    "METRICS",
    "PROTOCOLS",
    "RISE",
    "SHAP",
    "ArgumentError",
    "AttentionRelevance",
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
    "EvenSubset",
    "Event",
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
    "Level",
    "LogMel",
    "LogSTFT",
    "LogitRISE",
    "MapsFolder",
    "MaskGradient",
    "Mixtures",
    "ModelError",
    "Occlusion",
    "OptimalMask",
    "Random",
    "Saliency",
    "Scaling",
    "Scan",
    "SmoothGrad",
    "Spectrogram",
    "Synthetic",
    "as_clip",
    "as_dataset",
    "compute_features",
    "detect",
    "evaluate",
    "explain_events",
    "explain_func",
    "explore",
    "features",
    "interpret",
    "load",
    "load_audio",
    "load_panns",
    "local_engine",
    "localise",
    "network_on_levels",
    "ray_engine",
    "read_events",
    "run",
    "save_audio",
    "scan",
    "score",
    "write_events",
]
