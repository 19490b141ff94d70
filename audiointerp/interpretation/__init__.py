"""Attribution methods, and the masks made from attributions."""

from .attention import AttentionRelevance
from .attribution import (
    Attribution,
    additivity_gap,
    explainer_batch,
    is_constant,
    noise_share,
    outside_share,
    surrogate_fit,
)
from .base import Explainer
from .captum import Captum
from .captum_methods import GradientSHAP, IntegratedGradients, SmoothGrad
from .conventions import explain_func, from_captum, is_captum_class
from .given import GivenMask
from .gradcam import GradCAM, GuidedGradCAM, LayerCAM
from .grids import on_grid
from .kernel_shap import KernelSHAP
from .level import Level, LevelAboveMedian
from .lime import LIME
from .maps_folder import MapsFolder
from .mask_gradient import MaskGradient
from .mask_names import Mask
from .masks import MASKS, checked, tie_share, top, top_at_shares
from .methods import METHODS
from .naming import usable_name
from .nulls import (
    NULLS,
    RANDOM_MASKS,
    in_frames,
    null_seed,
    random_field,
    random_shift,
    rearranged,
)
from .occlusion import Occlusion
from .optimal import OptimalMask
from .preserve import seeded
from .random import Random
from .resolve import AnyMask, CheckedMask, resolve_mask
from .rise import RISE, LogitRISE
from .saliency import Saliency
from .shap import LARGEST_GAP, SHAP, relative_gap, relative_to

__all__ = [
    "LARGEST_GAP",
    "LIME",
    "MASKS",
    "METHODS",
    "NULLS",
    "RANDOM_MASKS",
    "RISE",
    "SHAP",
    "AnyMask",
    "AttentionRelevance",
    "Attribution",
    "Captum",
    "CheckedMask",
    "Explainer",
    "GivenMask",
    "GradCAM",
    "GradientSHAP",
    "GuidedGradCAM",
    "IntegratedGradients",
    "KernelSHAP",
    "LayerCAM",
    "Level",
    "LevelAboveMedian",
    "LogitRISE",
    "MapsFolder",
    "Mask",
    "MaskGradient",
    "Occlusion",
    "OptimalMask",
    "Random",
    "Saliency",
    "SmoothGrad",
    "additivity_gap",
    "checked",
    "explain_func",
    "explainer_batch",
    "from_captum",
    "in_frames",
    "is_captum_class",
    "is_constant",
    "noise_share",
    "null_seed",
    "on_grid",
    "outside_share",
    "random_field",
    "random_shift",
    "rearranged",
    "relative_gap",
    "relative_to",
    "resolve_mask",
    "seeded",
    "surrogate_fit",
    "tie_share",
    "top",
    "top_at_shares",
    "usable_name",
]
