"""The gradient by a mask: by hand, by finite differences, and its noise."""

import pytest
import torch
from torch import nn

import audiointerp as ai
from audiointerp.interpretation import LogitRISE, MaskGradient, mask_gradient
from audiointerp.interpretation.components import component_shares, mean_by_component
from audiointerp.interpretation.mask_gradient import around
from audiointerp.util import FLOOR, fill_levels

SIZE, CELLS = (12, 20), (3, 4)
CELL = (4, 5)
ALONE = {"frame": 0, "component_weight": 0}
"""The derivative without what is added to it."""


def clip(seed=0):
    return torch.randn(1, 1, *SIZE, generator=torch.manual_seed(seed)).double() - 30


def curved(seed=0):
    """A network whose gradient depends on the mask."""
    torch.manual_seed(seed)
    layers = nn.Flatten(), nn.Linear(240, 16), nn.Tanh(), nn.Linear(16, 3)
    network = nn.Sequential(*layers).double()
    with torch.no_grad():
        network[1].weight *= 0.5
        network[1].bias += network[1].weight.sum(1) * 30
    return network


def test_of_a_linear_network_it_is_known_without_a_mask():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(240, 3)).double()
    db = clip()
    attribution = MaskGradient(network, CELLS, samples=3, **ALONE)(db, target=2)
    by_bin = network[1].weight[2].view(1, 1, *SIZE) * (db - fill_levels(db, "background"))
    expected = around(12, 4) @ by_bin @ around(20, 5).T
    torch.testing.assert_close(attribution.values, expected.detach())
    assert attribution.info["noise_share"].tolist() == [0.0]
    against = MaskGradient(network, CELLS, samples=3, **ALONE)(db, target=2, against=0).values
    of_other = MaskGradient(network, CELLS, samples=3, **ALONE)(db, target=0).values
    torch.testing.assert_close(against, attribution.values - of_other)


def test_a_value_is_the_derivative_of_the_mean_logit_by_a_cell():
    network, db = curved(), clip()
    explainer = MaskGradient(network, CELLS, fill="noise", samples=7, batch=3, seed=2, **ALONE)
    values = explainer(db, target=1).values
    fill = fill_levels(db, "noise", 2)
    masks = torch.cat(list(explainer._masks(db)))

    def mean_logit(added):
        return network(torch.lerp(fill, db, masks + added))[:, 1].mean()

    for row, column in ((0, 0), (5, 9), (11, 12)):
        cell = (around(12, 4)[row][:, None] * around(20, 5)[column])[None, None]
        step = 1e-4
        with torch.no_grad():
            slope = (mean_logit(step * cell) - mean_logit(-step * cell)) / (2 * step)
        assert float(values[0, 0, row, column]) == pytest.approx(float(slope), rel=1e-5, abs=1e-8)


def test_the_means_of_its_frame_and_of_its_components_are_added_to_a_value():
    network, db = curved(), clip()
    alone = MaskGradient(network, CELLS, samples=5, **ALONE)(db, target=1).values
    for frame, count, weight in ((0.5, 8, 0), (2.0, 3, 4.0), (0, 1, 0.5)):
        explainer = MaskGradient(
            network, CELLS, samples=5, frame=frame, components=count, component_weight=weight
        )
        by_frame = alone + frame * alone.mean(2, keepdim=True)
        by_component = mean_by_component(by_frame, component_shares(db[0, 0], count))
        expected = by_frame + weight * by_component
        torch.testing.assert_close(explainer(db, target=1).values, expected)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_silence_is_no_evidence_and_what_is_heard_keeps_its_sign(sign):
    """Each bin that is heard raises the logit, or each lowers it; the last half is silent."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(240, 2)).double()
    nn.init.constant_(network[1].weight, sign)
    db = clip() + torch.linspace(0, 20, 20)
    db[..., 10:] = FLOOR
    values = MaskGradient(network, CELLS, samples=4)(db, target=1).values
    # A cell reaches five frames far.
    assert float(values[..., 15:].abs().max()) == 0
    assert float((sign * values[..., :10]).min()) > 0


@pytest.mark.parametrize("name", ["frame", "component_weight"])
@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "a", True, None])
def test_a_weight_that_is_none_is_refused(name, weight):
    with pytest.raises(ai.ArgumentError, match=f"{name}={weight!r} must be a finite"):
        MaskGradient(curved(), CELLS, **{name: weight})


@pytest.mark.parametrize("components", [0, -1, 2.0, True, None])
def test_a_number_of_components_that_is_none_is_refused(components):
    with pytest.raises(ai.ArgumentError, match=f"components={components!r}: must be a whole"):
        MaskGradient(curved(), CELLS, components=components)


def test_cells_around_the_middle_are_triangles():
    weights = around(20, 5)
    assert weights.sum(1).tolist() == pytest.approx([5.0] * 20)
    middle = [0.2, 0.4, 0.6, 0.8, 1.0, 0.8, 0.6, 0.4, 0.2]
    assert weights[10, 6:15].tolist() == pytest.approx(middle)
    assert float(weights[10, :6].abs().sum() + weights[10, 15:].abs().sum()) == 0


# Components have errors in common, so the error of their sum takes more draws to be known.
@pytest.mark.parametrize(("weight", "draws"), [(0, 60), (5.0, 500)])
def test_the_standard_error_is_the_error(weight, draws, monkeypatch):
    network, db = curved(), clip()
    shares = component_shares(db[0, 0], 8)
    monkeypatch.setattr(mask_gradient, "component_shares", lambda levels, count: shares)

    def explain(**settings):
        explainer = MaskGradient(network, CELLS, component_weight=weight, **settings)
        return explainer(db, target=1)

    expected = explain(samples=20000, batch=500).values
    attributions = [explain(samples=40, seed=seed, batch=40) for seed in range(1, draws + 1)]
    values = torch.cat([attribution.values for attribution in attributions])
    error = float((values - expected).square().mean().sqrt())
    squares = [attribution.info["standard_error"].square() for attribution in attributions]
    assert float(torch.stack(squares).mean().sqrt()) == pytest.approx(error, rel=0.1)


def test_the_difference_from_the_fill_weights_the_windows():
    network, db = curved(), clip()
    for kind, samples in ((MaskGradient, 2), (LogitRISE, 10)):
        info = kind(network, CELLS, samples=samples)(db, target=1).info
        with torch.no_grad():
            logits = network(torch.cat([db, fill_levels(db, "background")]))[:, 1]
        assert float(info["from_fill"]) == pytest.approx(float(logits[0] - logits[1]), rel=1e-5)


def test_windows_of_a_long_clip_are_weighted_by_the_difference_from_the_fill():
    """Not by the difference from silence, of which such a method never hears anything."""
    from audiointerp.scoring.pooling import explained_differences

    classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"], 1.0)
    explainer = LogitRISE(classifier.network, samples=10)
    attributions = [explainer(torch.randn(1, 1, 64, 101) - 40, target=0) for _ in range(2)]
    differences = explained_differences(classifier, explainer, [], attributions)
    assert differences.tolist() == [float(each.info["from_fill"]) for each in attributions]
