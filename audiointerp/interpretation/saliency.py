"""Saliency: the gradient of the class score (Simonyan et al., ICLR workshop 2014)."""

from typing import Any

import torch
from torch import Tensor

from .base import Explainer
from .score import Score


class Saliency(Explainer):
    """The signed gradient of the explained class's logit, in logits per dB.

    >>> import torch
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2))
    >>> attribution = Saliency(linear)(torch.zeros(1, 1, 2, 3), target=1)
    >>> bool(torch.allclose(attribution.values.flatten(), linear[1].weight[1]))
    True
    """

    name = "saliency"
    uses_layers = False
    uses_input_gradients = True
    explains = "gradient"

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        (gradient,) = torch.autograd.grad(score(db.requires_grad_()).sum(), db)
        return gradient, {}
