"""Attribution methods, and the masks made from attributions."""

from .attribution import Attribution, additivity_gap, explainer_batch, surrogate_fit
from .base import Explainer
from .baselines import BASELINES, random_field, rearranged
from .captum import Captum
from .captum_methods import (
    GradientSHAP,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    SmoothGrad,
)
from .gradcam import GradCAM, GuidedGradCAM, LayerCAM
from .lime import LIME
from .masks import MASKS, CheckedMask, Mask, checked, resolve_mask, top
from .methods import METHODS
from .naming import usable_name
from .random import Random
from .saliency import Saliency
from .shap import SHAP

__all__ = [
    "BASELINES",
    "LIME",
    "MASKS",
    "METHODS",
    "SHAP",
    "Attribution",
    "Captum",
    "CheckedMask",
    "Explainer",
    "GradCAM",
    "GradientSHAP",
    "GuidedGradCAM",
    "IntegratedGradients",
    "KernelSHAP",
    "LayerCAM",
    "Mask",
    "Occlusion",
    "Random",
    "Saliency",
    "SmoothGrad",
    "additivity_gap",
    "checked",
    "explainer_batch",
    "random_field",
    "rearranged",
    "resolve_mask",
    "surrogate_fit",
    "top",
    "usable_name",
]
