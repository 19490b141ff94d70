"""Attention-gradient relevance by hand, whatever computes the attention."""

from types import SimpleNamespace

import pytest
import torch
from conftest import small_classifier
from torch import nn
from torch.nn import functional

import audiointerp as ai
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.interpretation import on_grid


class Attention(nn.MultiheadAttention):
    """The same self-attention of two heads, computed in different ways."""

    way = "eager"

    def forward(self, x):
        if self.way in ("module", "module with weights"):
            return super().forward(x, x, x, need_weights=self.way != "module")[0]
        query, key, value = functional.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, 2)
        query, key, value = (
            part.unflatten(2, (2, 4)).transpose(1, 2) for part in (query, key, value)
        )
        if self.way == "fused":
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            logits = query @ key.transpose(2, 3) / 2
            softmax = {
                "eager": lambda: functional.softmax(logits, dim=-1),
                "method": lambda: logits.softmax(-1),
                "function": lambda: torch.softmax(logits, -1),
                "layer": lambda: nn.Softmax(-1)(logits),
            }
            self.weights = softmax[self.way]()
            mixed = self.weights @ value
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(8), Attention(8, 2, batch_first=True)
        self.dense = nn.Linear(8, 8)

    def forward(self, tokens):
        tokens = tokens + self.attention(self.norm(tokens))
        return tokens + self.dense(tokens).relu()


class Transformer(nn.Module):
    """Patches of 4 x 4 behind a class token, or without one."""

    def __init__(self, with_class=True):
        super().__init__()
        self.config = SimpleNamespace(image_size=(8, 20), patch_size=4)
        self.patches = nn.Conv2d(1, 8, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, 8)) if with_class else None
        self.blocks = nn.Sequential(Encoder(), Encoder(), Encoder())
        self.head = nn.Linear(8, 3)

    def forward(self, db):
        tokens = self.patches(db).flatten(2).transpose(1, 2)
        if self.first is None:
            return self.head(self.blocks(tokens).mean(1))
        tokens = torch.cat([self.first.expand(len(db), -1, -1), tokens], 1)
        return self.head(self.blocks(tokens)[:, 0])


def transformer(way="eager", **arguments):
    torch.manual_seed(0)
    network = Transformer(**arguments).eval()
    for block in network.blocks:
        block.attention.way = way
        # Attention that is not nearly uniform.
        nn.init.normal_(block.attention.in_proj_weight)
    return network


def relevance_by_hand(network, db, target):
    """Equations 5 and 6 of the paper, from the attention that the network itself keeps."""
    logit = network(db)[0, target]
    total = torch.eye(network.blocks[0].attention.weights.shape[-1])
    for block in network.blocks:
        weights = block.attention.weights
        (gradient,) = torch.autograd.grad(logit, weights, retain_graph=True)
        heads = [(gradient[0, head] * weights[0, head]).clamp_min(0) for head in range(2)]
        total = total + (heads[0] + heads[1]) / 2 @ total
    return total.detach()


def test_relevance_by_hand():
    network, db = transformer(), torch.randn(2, 1, 8, 20)
    attribution = ai.AttentionRelevance(network)(db, target=1)
    assert attribution.info == {"layer": "3 attentions", "grid": (2, 5)}
    for clip, values in zip(db[:, None], attribution.values[:, None], strict=True):
        of_patches = relevance_by_hand(network, clip, 1)[0, 1:]
        expected = on_grid(of_patches.reshape(1, 1, 2, 5), clip, "FT")
        assert torch.allclose(values, expected, rtol=1e-4, atol=1e-7)
    assert attribution.values.min() >= 0
    assert attribution.values.std() > 0


def test_without_a_class_token_all_patches_are_read():
    network, db = transformer(with_class=False), torch.randn(1, 1, 8, 20)
    total = relevance_by_hand(network, db, 2) - torch.eye(10)
    expected = on_grid(total.mean(0).reshape(1, 1, 2, 5), db, "FT")
    values = ai.AttentionRelevance(network)(db, target=2).values
    assert torch.allclose(values, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "way", ["fused", "module", "module with weights", "method", "function", "layer"]
)
def test_it_does_not_matter_how_attention_is_computed(way):
    db = torch.randn(2, 1, 8, 20)
    expected = ai.AttentionRelevance(transformer())(db, target=0)
    network = transformer(way)
    attribution = ai.AttentionRelevance(network)(db, target=0)
    assert torch.allclose(attribution.probs, network(db).softmax(1), atol=1e-6)
    assert torch.allclose(attribution.values, expected.values, rtol=1e-4, atol=1e-7)
    assert attribution.info == expected.info


@pytest.mark.parametrize("masked", [False, True])
def test_fused_attention_is_the_library_s(masked):
    from audiointerp.interpretation.attention import _Attentions

    query, key, value = torch.randn(3, 2, 4, 6, 8)
    masks = [None, torch.randn(6, 6), torch.rand(6, 6) > 0.2] if masked else [None]
    for mask in masks:
        for causal in (False, True) if mask is None else (False,):
            expected = functional.scaled_dot_product_attention(
                query, key, value, mask, is_causal=causal, scale=0.3
            )
            with _Attentions() as attentions:
                result = functional.scaled_dot_product_attention(
                    query, key, value, mask, is_causal=causal, scale=0.3
                )
            assert torch.allclose(result, expected, atol=1e-6)
            assert attentions.weights[0].shape == (2, 4, 6, 6)
    grouped = functional.scaled_dot_product_attention(
        query, key[:, :2], value[:, :2], enable_gqa=True
    )
    with _Attentions():
        result = functional.scaled_dot_product_attention(
            query, key[:, :2], value[:, :2], enable_gqa=True
        )
    assert torch.allclose(result, grouped, atol=1e-6)


def test_torch_s_own_encoder_is_explained():
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(1, 8, 4, 4)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)

        def forward(self, db):
            return self.encoder(self.patches(db).flatten(2).transpose(1, 2)).mean(1)

    torch.manual_seed(0)
    network, db = Patches(), torch.randn(1, 1, 8, 20)
    attribution = ai.AttentionRelevance(network)(db)
    assert attribution.info == {"layer": "2 attentions", "grid": (2, 5)}
    assert attribution.values.std() > 0
    assert network.training


def test_networks_without_attention_are_refused():
    classifier = small_classifier()
    with pytest.raises(ModelError, match=r"no self-attention.*use gradcam"):
        ai.AttentionRelevance(classifier.network)(torch.randn(1, 1, 64, 101))
    with pytest.raises(ArgumentError, match="rows and columns"):
        ai.AttentionRelevance(classifier.network, grid=(1, 2, 3))
    with pytest.raises(ArgumentError, match=r"10 tokens of the attention|more cells"):
        ai.AttentionRelevance(transformer(), grid=(6, 5))(torch.randn(1, 1, 8, 20))
