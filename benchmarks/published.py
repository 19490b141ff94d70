"""The published way of computing, one clip at a time, written from the calls of its scripts.

Each function predicts the clip's class by a forward pass of its own, and then calls a package.
Parameters need gradients, since the scripts never say otherwise.
"""

import io
from collections.abc import Sequence
from contextlib import redirect_stderr
from typing import Any

import numpy as np
import quantus
import torch
from torch import Tensor, nn
from torch.nn import functional

FLOOR = -100.0


class ScriptCnn14(nn.Module):
    """Cnn14 as scripts write it: functional ReLU and pooling; the weights are those of another.

    Args:
        network: a Cnn14 of the library, whose layers it uses.
    """

    bn0: nn.Module
    fc1: nn.Module
    head: nn.Module

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name, module in network.named_children():
            self.add_module(name, module)
        self.blocks = len([name for name, _ in self.named_children() if "block" in name])

    def forward(self, db: Tensor) -> Tensor:
        """Return logits ``(N, C)`` of features ``(N, 1, F, T)``."""
        x = self.bn0(db.transpose(1, 2)).permute(0, 2, 3, 1)
        for number in range(1, self.blocks + 1):
            block = self.get_submodule(f"conv_block{number}")
            x = functional.relu(block.get_submodule("bn1")(block.get_submodule("conv1")(x)))
            x = functional.relu(block.get_submodule("bn2")(block.get_submodule("conv2")(x)))
            # The last block of Cnn14 does not pool.
            x = functional.avg_pool2d(x, 2 if number < self.blocks else 1)
            x = functional.dropout(x, 0.2, self.training)
        x = x.mean(3)
        x = x.max(2).values + x.mean(2)
        x = functional.relu(self.fc1(functional.dropout(x, 0.5, self.training)))
        logits: Tensor = self.head(x)
        return logits


def saliency(network: nn.Module, db: Tensor) -> Tensor:
    """Return the signed gradient of the predicted class's logit, by captum."""
    import captum.attr

    inputs = db.clone().requires_grad_()
    predicted = network(inputs).argmax(1)
    values: Tensor = captum.attr.Saliency(network).attribute(inputs, target=predicted, abs=False)
    return values


def grad_cam(network: nn.Module, layer: nn.Module, db: Tensor) -> Tensor:
    """Return the map of pytorch-grad-cam, which has a ReLU and is scaled to [0, 1]."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    inputs = db.clone().requires_grad_()
    predicted = network(inputs).argmax(1)
    targets = [ClassifierOutputTarget(int(number)) for number in predicted]
    with GradCAM(model=network, target_layers=[layer]) as method:
        values = method(input_tensor=inputs, targets=targets)
    network.zero_grad(set_to_none=True)
    return torch.from_numpy(values)[:, None]


def shap_values(network: nn.Module, background: Tensor, db: Tensor) -> Tensor:
    """Return shap's values of the predicted class."""
    import shap

    with torch.no_grad():
        network(db).argmax(1)
    explainer = shap.DeepExplainer(network, background)
    # The values do not add up, since shap does not see functional ReLUs: that is the published
    # fault, which the check would end with an error.
    values = explainer.shap_values(
        db, ranked_outputs=1, output_rank_order="max", check_additivity=False
    )
    return torch.from_numpy(values[0][..., 0])


def lime_values(network: nn.Module, db: Tensor, samples: int) -> Tensor:
    """Return the coefficients of the lime package's image explainer."""
    from lime.lime_image import LimeImageExplainer

    levels = db[0, 0].numpy()
    low, span = levels.min(), levels.max() - levels.min()

    def classify(images: np.ndarray) -> np.ndarray:
        restored = np.mean(images, axis=-1) * span + low
        with torch.no_grad():
            logits = network(torch.from_numpy(restored).float()[:, None])
        return np.asarray(logits.softmax(1))

    explainer = LimeImageExplainer(random_state=12345)
    # Its progress bar cannot be switched off.
    with redirect_stderr(io.StringIO()):
        explanation = explainer.explain_instance(
            (levels - low) / span, classify, top_labels=1, num_samples=samples
        )
    (weights,) = explanation.local_exp.values()
    values = np.zeros_like(levels)
    for segment, weight in weights:
        values[explanation.segments == segment] = weight
    return torch.from_numpy(values)[None, None]


def scores(network: nn.Module, db: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """Score masks one by one: three forward passes each, and Quantus for two of the scores.

    Returns:
        FF, AI, AD, AG, FidIn, SPS and COMP of each mask, ``(7, M)``.
    """
    return torch.stack([_scores_of(network, db, mask) for mask in masks], 1)


def _scores_of(network: nn.Module, db: Tensor, mask: Tensor) -> Tensor:
    kept, removed = (FLOOR + (db - FLOOR) * part for part in (mask, 1 - mask))
    with torch.no_grad():
        clean, inside, outside = (network(part).softmax(1) for part in (db, kept, removed))
    predicted = clean.argmax(1)
    p, p_in, p_out = (probs[0, predicted] for probs in (clean, inside, outside))
    outcomes = [
        p - p_out,
        100.0 * (p_in > p),
        100 * (p - p_in).clamp_min(0) / (p + 1e-6),
        100 * (p_in - p).clamp_min(0) / (1 - p + 1e-6),
        (inside.argmax(1) == predicted).float(),
    ]
    arrays = {"x_batch": db.numpy(), "y_batch": predicted.numpy(), "a_batch": mask.numpy()}
    metrics: Any = quantus
    for make in (metrics.Sparseness, metrics.Complexity):
        (value,) = make(disable_warnings=True)(model=None, softmax=False, device="cpu", **arrays)
        outcomes.append(torch.tensor([value]))
    return torch.cat([value.float() for value in outcomes])
