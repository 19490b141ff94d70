"""The methods by name."""

from .base import Explainer
from .captum_methods import GradientSHAP, IntegratedGradients, SmoothGrad
from .gradcam import GradCAM, GuidedGradCAM, LayerCAM
from .kernel_shap import KernelSHAP
from .lime import LIME
from .mask_gradient import MaskGradient
from .occlusion import Occlusion
from .optimal import OptimalMask
from .random import Random
from .rise import RISE, LogitRISE
from .saliency import Saliency
from .shap import SHAP

# cli/options.py lists these names again, so that --help need not import torch.
METHODS: dict[str, type[Explainer]] = {
    "saliency": Saliency,
    "gradcam": GradCAM,
    "shap": SHAP,
    "lime": LIME,
    "random": Random,
    "integrated_gradients": IntegratedGradients,
    "smoothgrad": SmoothGrad,
    "gradient_shap": GradientSHAP,
    "kernel_shap": KernelSHAP,
    "occlusion": Occlusion,
    "guided_gradcam": GuidedGradCAM,
    "layercam": LayerCAM,
    "rise": RISE,
    "rise_logit": LogitRISE,
    "mask_gradient": MaskGradient,
    "optimal": OptimalMask,
}
"""Each method by its ``name``."""
