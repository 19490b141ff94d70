"""audiointerp: shows, and lets people hear, why an audio classifier decided.

wav -> spectrogram -> attribution -> mask -> masked spectrogram -> audio and scores -> tables.

======================  ===========================================================================
load and save           ``load_audio``, ``save_audio``
spectrograms            ``LogMel``, ``LogSTFT``, ``Spectrogram`` (``masked``, ``to_wav``)
data sets               ``ESC50``, ``Synthetic``, ``LabelledClips``, ``Contaminated``;
                        from other forms: ``as_dataset``, ``as_clip``
networks                ``Cnn6``, ``Cnn10``, ``Cnn14``, ``Classifier`` (``load``, ``save``),
                        ``load_panns``; those that come with the library: ``load``
training                ``compute_features``, ``fit.fit``, ``FitSettings``
attributions            ``Saliency``, ``GradCAM``, ``SHAP``, ``LIME``, ``Random``,
                        ``IntegratedGradients``, ``SmoothGrad``, ``GradientSHAP``, ``KernelSHAP``,
                        ``Occlusion``, ``GuidedGradCAM``, ``LayerCAM``, ``RISE``,
                        ``LogitRISE``, ``MaskGradient``, ``OptimalMask``;
                        by name: ``METHODS``; any captum method: ``Captum``
masks and scores        ``MASKS``, ``METRICS``, ``evaluate``, ``Curves``, ``PROTOCOLS``
all steps at once       ``interpret`` one clip, ``score`` a data set, ``run`` one of ``EXPERIMENTS``
======================  ===========================================================================

Each name is imported on first use; ``__init__.pyi`` lists them all with their modules.
"""

import sys
from importlib import import_module
from typing import Any

import lazy_loader

from .util.moved import MOVED, OldModules

_lazy_getattr, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
sys.meta_path.append(OldModules())


def __getattr__(name: str) -> Any:
    if name in MOVED and name not in __all__:
        return import_module(f"{__name__}.{name}")
    return _lazy_getattr(name)
