"""Which of the methods named after Shapley give his values, by exact enumeration."""

from itertools import combinations
from math import factorial

import pytest
import torch
from torch import nn

from audiointerp.interpretation import SHAP, KernelSHAP
from audiointerp.interpretation.segments import filling, segmented


def shapley_values(value, players):
    """Shapley's definition: the mean over all orders of what a player adds to those before."""
    shares = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        share = 0.0
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for before in combinations(others, size):
                share += weight * (value({*before, player}) - value(set(before)))
        shares.append(share)
    return shares


def test_shap_is_additive_but_not_shapleys():
    """The example of its docstring: max(1, 2), compared with max(0, 0)."""

    class Maximum(nn.Module):
        def __init__(self):
            super().__init__()
            self.maximum = nn.MaxPool1d(2)

        def forward(self, db):
            largest = self.maximum(db.flatten(2)).flatten(1)
            return torch.cat([largest, 0 * largest], 1)

    clip = torch.tensor([1.0, 2.0]).view(1, 1, 1, 2)
    values = SHAP(Maximum(), torch.zeros_like(clip))(clip, target=0).values.flatten()
    assert values.tolist() == pytest.approx([0, 2])
    exact = shapley_values(lambda players: max([0, *(player + 1 for player in players)]), 2)
    assert exact == [0.5, 1.5]


def test_kernel_shap_gives_the_shapley_values_of_segments():
    """Four segments of a network with products and maxima; its draws leave an error of 2 %."""
    torch.manual_seed(0)
    shape = (16, 32)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(16 * 32, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)
    )
    with torch.no_grad():
        network[1].weight *= 0.3
    db = -60 * torch.rand(1, 1, *shape)
    where = segmented(db, "grid")
    assert where.unique().tolist() == [0, 1, 2, 3]
    fill = filling(db, where, "silence")

    @torch.no_grad()
    def value(players):
        kept = torch.isin(where, torch.tensor(sorted(players), dtype=where.dtype))
        return network(torch.where(kept, db, fill))[0, 1].item()

    exact = torch.tensor(shapley_values(value, 4))
    alone = torch.tensor([value({player}) - value(set()) for player in range(4)])
    attribution = KernelSHAP(network, samples=5000)(db, target=1)
    ours = torch.tensor([attribution.values[where == segment].mean() for segment in range(4)])
    scale = exact.abs().max()
    # The network is far from additive: what a segment adds alone is not its Shapley value.
    assert (alone - exact).abs().max() > 0.2 * scale
    assert (ours - exact).abs().max() < 0.02 * scale
