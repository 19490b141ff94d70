"""Scores by hand and by their laws."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiointerp import metrics
from audiointerp.metrics import METRICS, evaluate


def probs(*rows):
    return torch.tensor(rows)


def test_by_hand():
    p = probs([0.7, 0.2, 0.1], [0.2, 0.3, 0.5])
    p_in = probs([0.8, 0.1, 0.1], [0.6, 0.2, 0.2])
    p_out = probs([0.1, 0.8, 0.1], [0.1, 0.1, 0.8])
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[1.0, 0.5], [0.5, 0.0]]]])
    scores = evaluate(p, p_in, p_out, torch.tensor([0, 2]), mask)
    expected = {
        "FF": [0.6, -0.3], "AI": [100, 0], "AD": [0, 60], "AG": [100 / 3, 0], "FidIn": [1, 0],
        "SPS": [0.75, 0.375], "COMP": [0, 1.5 * math.log(2)], "nCOMP": [0, 0.75], "AREA": [0.25, 0.5],
    }  # fmt: skip
    assert scores.keys() == expected.keys() == METRICS.keys()
    for name, values in expected.items():
        assert scores[name].tolist() == pytest.approx(values, abs=1e-5), name
        assert scores[name].dtype == torch.float64


def test_all_ones_changes_nothing():
    p = torch.softmax(torch.randn(5, 4), 1)
    silence = torch.softmax(torch.randn(5, 4), 1)
    target = p.argmax(1)
    scores = evaluate(p, p, silence, target, torch.ones(5, 1, 6, 7))
    for name in ("AI", "AD", "AG", "SPS"):
        assert (scores[name] == 0).all()
    assert (scores["FidIn"] == 1).all()
    assert scores["FF"].equal((p - silence).double().gather(1, target[:, None])[:, 0]) or torch.allclose(
        scores["FF"], (p.double() - silence.double()).gather(1, target[:, None])[:, 0]
    )
    assert torch.allclose(scores["COMP"], torch.full((5,), math.log(42), dtype=torch.float64))


def test_empty_mask_is_undefined_and_constant_is_not():
    zero, half = torch.zeros(1, 1, 3, 4), torch.full((1, 1, 3, 4), 0.5)
    assert metrics.sparseness(zero).isnan().all()
    assert metrics.complexity(zero).isnan().all()
    assert metrics.sparseness(half).item() == 0
    assert metrics.complexity(half).item() == pytest.approx(math.log(12))
    assert metrics.area(zero).item() == 0
    one = torch.ones(1, 1, 1, 1)  # ln(F T) is 0
    assert metrics.relative_complexity(one).item() == 1
    assert metrics.relative_complexity(one * 0).isnan().all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_for_a_binary_mask_three_scores_are_one_number(bins, frames, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(1, 1, bins, frames, generator=generator) < torch.rand(1, generator=generator)).float()
    mask[0, 0, 0, 0] = 1
    area = metrics.area(mask).item()
    assert metrics.sparseness(mask).item() == pytest.approx(1 - area, abs=1e-9)
    assert metrics.complexity(mask).item() == pytest.approx(math.log(area * bins * frames), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-200, 200), min_size=9, max_size=9))
def test_saturated_probabilities_give_no_nan(logits):
    rows = torch.softmax(torch.tensor(logits).reshape(3, 3), 1)
    for target in range(3):
        scores = evaluate(rows[:1], rows[1:2], rows[2:], torch.tensor([target]), torch.rand(1, 1, 2, 2))
        assert all(value.isfinite().all() for value in scores.values())
        assert 0 <= scores["AD"] <= 100
        assert 0 <= scores["AG"] <= 100 + 1e-3
        assert -1 <= scores["FF"] <= 1


def test_relabelling_changes_nothing():
    rows = torch.softmax(torch.randn(3, 6, 5), 2)
    target, mask = torch.randint(5, (6,)), torch.rand(6, 1, 3, 3)
    order = torch.tensor([3, 0, 4, 1, 2])
    place = order.argsort()
    before = evaluate(*rows, target, mask)
    after = evaluate(*rows[..., order], place[target], mask)
    assert all(before[name].equal(after[name]) for name in METRICS)


def test_rounding_is_no_increase():
    p = torch.tensor([0.5, 0.5, 1 - 1e-7])
    p_in = torch.tensor([0.5 + 5e-7, 0.5 + 5e-6, 1.0])
    assert metrics.average_increase(p, p_in).tolist() == [0, 100, 0]
    assert metrics.average_gain(p, p_in)[2] == 0
    assert metrics.average_drop(torch.zeros(1), torch.zeros(1)).item() == 0


def test_all_that_can_be_lost_or_gained_is_100_percent():
    """100 * 0.69 / 0.69 is 100.00000000000001 in float64."""
    p = torch.tensor([0.69, 0.007, 1 - 0.69, 1 - 0.016], dtype=torch.float64)
    assert metrics.average_drop(p, torch.zeros(4)).max().item() == 100
    assert metrics.average_gain(p, torch.ones(4)).max().item() == 100


def test_directions():
    assert [name for name, metric in METRICS.items() if metric.higher_is_better is False] == ["AD", "COMP", "nCOMP"]
    assert METRICS["AREA"].higher_is_better is None
