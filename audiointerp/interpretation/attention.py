"""Relevance of a transformer's patches, from its attention (Chefer, Gur and Wolf, ICCV 2021)."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..errors import ModelError, choose
from ..util import explained_model, network_name
from .base import Explainer
from .grids import placed
from .layers import locate_tokens
from .measurement import LAYOUTS, Measurement
from .score import Score
from .tokens import TokenGrid, checked_grid

SOFTMAX = (functional.softmax, torch.softmax, Tensor.softmax)


class AttentionRelevance(Explainer):
    """How much the patches of a transformer support the class through its attention; at least 0.

    Through the layers of self-attention, with the weights A of their heads and the gradients ∇A of
    the explained logit, the relevance of each token for each other is R ← R + E_h[(∇A · A)⁺] R,
    from R = 1 (equations 5 and 6 of the paper). The map is the mean over the rows of the tokens
    that the logit depends on behind the last attention (of the class, or the patches), at the
    patches, interpolated to the grid of the features. Attention is seen in
    ``nn.MultiheadAttention``, in ``scaled_dot_product_attention`` and wherever a softmax makes the
    weights, so the implementation of a Hugging Face transformer (eager or sdpa) does not matter.

    ``info["grid"]`` has the cells in frequency and in time, ``info["layer"]`` the number of
    attentions.

    Args:
        network: see :class:`~audiointerp.interpretation.Explainer`.
        grid: rows and columns of the patches, in the order of the tokens; by default those of the
            convolution that embeds the patches, or of the network's configuration.
        layout: if it cannot be measured, ``"FT"`` if the rows are frequencies, ``"TF"`` if they are
            steps in time.

    Raises:
        ArgumentError: the grid is not two whole numbers, or the layout is unknown. When called:
            grid or layout is not known.
        ModelError: when called: the network has no self-attention over its tokens whose weights
            the logit depends on.

    >>> class Patches(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.patches = nn.Conv2d(1, 8, 4, 4)
    ...         self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    ...     def forward(self, db):
    ...         return self.block(self.patches(db).flatten(2).transpose(1, 2)).mean(1)
    >>> attribution = AttentionRelevance(Patches())(torch.randn(1, 1, 8, 20))
    >>> attribution.values.shape, attribution.info["grid"]
    (torch.Size([1, 1, 8, 20]), (2, 5))
    """

    name = "attention_relevance"
    gradients_by = "layer"

    def __init__(
        self,
        network: nn.Module,
        grid: tuple[int, int] | None = None,
        layout: str | None = None,
    ) -> None:
        super().__init__(network)
        self.grid = None if grid is None else checked_grid(grid)
        self.layout = None if layout is None else choose("layout", str(layout), LAYOUTS)
        self._located: dict[Any, tuple[TokenGrid, str]] = {}

    def _attribute(self, score: Score, db: Tensor) -> tuple[Tensor, dict[str, Any]]:
        with _Attentions() as attentions:
            total = score(db.requires_grad_()).sum()
        weights = [weight for weight in attentions.weights if weight.requires_grad]
        if not weights:
            raise ModelError(
                f"{self.name}: {network_name(self.network)} has no self-attention whose weights "
                f"can be seen; use gradcam with layer= and grid=, or rise, occlusion or lime"
            )
        count = weights[-1].shape[-1]
        weights = [weight for weight in weights if weight.shape[-1] == count]
        gradients = torch.autograd.grad(total, weights, allow_unused=True)
        shape = (len(db), -1, count, count)
        used = [
            (weight.detach().reshape(shape), gradient.reshape(shape))
            for weight, gradient in zip(weights, gradients, strict=True)
            if gradient is not None and weight.numel() % (len(db) * count * count) == 0
        ]
        if not used:
            raise ModelError(f"{self.name}: the logit does not depend on the weights of attention")
        tokens, layout = self._locate(db, count)
        coarse = tokens.as_map(relevance(used)[..., None])
        name = f"{len(used)} attentions"
        values, cells, span = placed(self.network, coarse, db, layout, self.name, name)
        return values, {"layer": name, "grid": cells, **span}

    def _locate(self, db: Tensor, count: int) -> tuple[TokenGrid, str]:
        key = (explained_model(self.network), count, db.shape[1:])
        if key not in self._located:
            measurement = Measurement(
                self.network, db[:1].detach(), layout=self.layout, grid=self.grid
            )
            self._located[key] = locate_tokens(measurement, count, "the attention")
        return self._located[key]


def relevance(attentions: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the relevance of each token ``(N, tokens)``, from the attentions of all layers.

    Args:
        attentions: of each layer the weights and their gradients, ``(N, heads, tokens, tokens)``.

    >>> weights = torch.tensor([[[[0.25, 0.75], [0.5, 0.5]]]])
    >>> gradients = torch.tensor([[[[1.0, 2.0], [0.0, 0.0]]]])
    >>> relevance([(weights, gradients)]).tolist()
    [[0.25, 1.5]]
    """
    first = attentions[0][0]
    identity = torch.eye(first.shape[-1]).to(first)
    total = identity.expand(len(first), -1, -1)
    for weights, gradients in attentions:
        total = total + (gradients * weights).clamp_min(0).mean(1) @ total
    # The rows of the tokens that the head reads: the others have no gradient.
    rows = attentions[-1][1].abs().sum((1, 3)) > 0
    share = rows.to(first) / rows.sum(1, keepdim=True).clamp_min(1)
    return torch.einsum("nq,nqk->nk", share, total - identity)


class _Attentions(TorchFunctionMode):
    """Keeps the weights of each self-attention that runs, as tensors of the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            return self._attend_with_heads(args, kwargs)
        result = func(*args, **kwargs)
        if func in SOFTMAX:
            self._keep(result)
        return result

    def _keep(self, weights: Any) -> None:
        is_matrix = isinstance(weights, Tensor) and weights.ndim >= 3
        if is_matrix and weights.shape[-1] == weights.shape[-2]:
            self.weights.append(weights)

    def _attend_with_heads(self, args: Any, kwargs: Any) -> tuple[Tensor, Tensor]:
        """Run it with the weights of each head."""
        average = kwargs.get("average_attn_weights", True)
        kwargs = kwargs | {"need_weights": True, "average_attn_weights": False}
        results: tuple[Any, Any] = functional.multi_head_attention_forward(*args, **kwargs)
        output, weights = results
        # What is returned is a view of the weights, on which the output does not depend.
        self._keep(weights if weights._base is None else weights._base)
        return output, weights.mean(-3) if average else weights

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Return ``scaled_dot_product_attention``, by its definition; there is no dropout."""
        if enable_gqa:
            key, value = (
                tensor.repeat_interleave(query.shape[-3] // tensor.shape[-3], -3)
                for tensor in (key, value)
            )
        logits = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
        if is_causal:
            kept = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).tril()
            logits = logits.masked_fill(~kept, -torch.inf)
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            logits = logits.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:
            logits = logits + attn_mask
        weights = logits.softmax(-1)
        self._keep(weights)
        return weights @ value
