"""Attribution methods, and the masks made of attributions."""

from .base import Attribution, Explainer
from .gradcam import GradCAM
from .masks import MASKS
from .random import Random
from .saliency import Saliency
from .shap import SHAP

METHODS: dict[str, type[Explainer]] = {kind.name: kind for kind in (Saliency, GradCAM, SHAP, Random)}

__all__ = ["MASKS", "METHODS", "SHAP", "Attribution", "Explainer", "GradCAM", "Random", "Saliency"]
