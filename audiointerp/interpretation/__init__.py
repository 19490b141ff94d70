"""Attribution methods, and the masks made of attributions."""

from .adapter import Captum, GradientSHAP, IntegratedGradients, KernelSHAP, Occlusion, SmoothGrad
from .base import Attribution, Explainer
from .gradcam import GradCAM, GuidedGradCAM, LayerCAM
from .lime import LIME
from .masks import MASKS
from .random import Random
from .saliency import Saliency
from .shap import SHAP

METHODS: dict[str, type[Explainer]] = {
    kind.name: kind
    for kind in (
        Saliency, GradCAM, SHAP, LIME, Random,
        IntegratedGradients, SmoothGrad, GradientSHAP, KernelSHAP, Occlusion, GuidedGradCAM, LayerCAM,
    )
}  # fmt: skip

__all__ = [
    "LIME", "MASKS", "METHODS", "SHAP", "Attribution", "Captum", "Explainer", "GradCAM", "GradientSHAP", "GuidedGradCAM",
    "IntegratedGradients", "KernelSHAP", "LayerCAM", "Occlusion", "Random", "Saliency", "SmoothGrad",
]  # fmt: skip
