"""Scores by hand and by their laws."""

import math

import numpy as np
import pytest
import torch
from conftest import torture
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audiointerp import metrics
from audiointerp.metrics import METRICS, RELATIVE, Scored, evaluate

LAWS_OF = "scores"


def unit_floats(width):
    """Numbers in [0, 1] down to the smallest subnormal one."""
    return st.floats(0, 1, width=width) | st.sampled_from(
        [0.0, 1.0, 0.5, 2.0**-149 if width == 32 else 2.0**-1074]
    )


def one_bin(shape, place):
    mask = np.zeros(shape, "float32")
    mask.flat[place % mask.size] = 1
    return mask


shapes = st.tuples(st.just(1), st.just(1), st.integers(1, 6), st.integers(1, 7))
masks = st.one_of(
    arrays("float32", shapes, elements=unit_floats(32)),
    arrays("float64", shapes, elements=unit_floats(64)),
    arrays("float32", shapes, elements=st.sampled_from([0.0, 1.0])),
    st.builds(np.full, shapes, unit_floats(32), st.just("float32")),
    st.builds(one_bin, shapes, st.integers(0, 41)),
).map(torch.from_numpy)


@st.composite
def probabilities(draw, classes=None):
    """Three rows of one distribution each, ``(3, C)``: saturated, certain, even, or any."""
    classes = classes or draw(st.integers(2, 6))
    logits = st.lists(
        st.floats(-300, 300) | st.sampled_from([0.0, 88.0, -88.0]),
        min_size=classes,
        max_size=classes,
    )
    certain = st.integers(0, classes - 1).map(
        lambda best: torch.eye(classes, dtype=torch.float64)[best]
    )
    row = certain | logits.map(lambda values: torch.tensor(values, dtype=torch.float64).softmax(0))
    rows = torch.stack([draw(row) for _ in range(3)])
    return draw(st.sampled_from([rows, rows.float()]))


def probs(*rows):
    return torch.tensor(rows)


def test_by_hand():
    p = probs([0.7, 0.2, 0.1], [0.2, 0.3, 0.5])
    p_in = probs([0.8, 0.1, 0.1], [0.6, 0.2, 0.2])
    p_out = probs([0.1, 0.8, 0.1], [0.1, 0.1, 0.8])
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[1.0, 0.5], [0.5, 0.0]]]])
    scores = evaluate(p, p_in, p_out, torch.tensor([0, 2]), mask)
    expected = {
        "FF": [0.6, -0.3],
        "AI": [100, 0],
        "AD": [0, 60],
        "AG": [100 / 3, 0],
        "FidIn": [1, 0],
        "SPS": [0.75, 0.375],
        "COMP": [0, 1.5 * math.log(2)],
        "nCOMP": [0, 0.75],
        "AREA": [0.25, 0.5],
    }
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
    assert scores["FF"].equal(
        (p - silence).double().gather(1, target[:, None])[:, 0]
    ) or torch.allclose(
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


@settings(max_examples=torture(200, 2000))
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_for_a_binary_mask_three_scores_are_one_number(bins, frames, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = (
        torch.rand(1, 1, bins, frames, generator=generator) < torch.rand(1, generator=generator)
    ).float()
    mask[0, 0, 0, 0] = 1
    area = metrics.area(mask).item()
    assert metrics.sparseness(mask).item() == pytest.approx(1 - area, abs=1e-9)
    assert metrics.complexity(mask).item() == pytest.approx(
        math.log(area * bins * frames), abs=1e-9
    )


@settings(max_examples=torture(200, 2000))
@given(st.lists(st.floats(-200, 200), min_size=9, max_size=9))
def test_saturated_probabilities_give_no_nan(logits):
    rows = torch.softmax(torch.tensor(logits).reshape(3, 3), 1)
    for target in range(3):
        scores = evaluate(
            rows[:1], rows[1:2], rows[2:], torch.tensor([target]), torch.rand(1, 1, 2, 2)
        )
        assert all(value.isfinite().all() for value in scores.values())
        assert 0 <= scores["AD"] <= 100
        assert 0 <= scores["AG"] <= 100
        assert -1 <= scores["FF"] <= 1


@given(probabilities(), st.integers(0, 5))
def test_scores_of_probabilities_keep_their_ranges(rows, target):
    scores = evaluate(
        *rows[:, None], torch.tensor([target % rows.shape[1]]), torch.ones(1, 1, 1, 2)
    )
    drop, gain = scores["AD"].item(), scores["AG"].item()
    assert -1 <= scores["FF"].item() <= 1
    assert scores["AI"].item() in (0, 100)
    assert scores["FidIn"].item() in (0, 1)
    assert 0 <= drop <= 100
    assert 0 <= gain <= 100
    assert drop == 0 or gain == scores["AI"].item() == 0


@given(masks)
def test_scores_of_a_mask_keep_their_ranges(mask):
    entries = mask[0].numel()
    scores = {
        name: METRICS[name].compute(Scored(*[torch.empty(0)] * 4, mask)).item()
        for name in METRICS.keys() - RELATIVE
    }
    assert 0 <= scores["AREA"] <= 1
    if not mask.any():
        assert math.isnan(scores["SPS"])
        assert math.isnan(scores["COMP"])
        assert math.isnan(scores["nCOMP"])
    else:
        assert 0 <= scores["SPS"] < 1
        assert 0 <= scores["COMP"] <= math.log(entries) + 1e-12
        assert 0 <= scores["nCOMP"] <= 1 + 1e-12
    if mask.min() == mask.max() > 0:
        assert scores["SPS"] == 0
        assert scores["nCOMP"] == pytest.approx(1, abs=1e-12)


@given(probabilities(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_the_labels_is_of_no_account(rows, target, random):
    classes = rows.shape[1]
    order = torch.tensor(random.sample(range(classes), classes))
    target %= classes
    before = evaluate(*rows[:, None], torch.tensor([target]), torch.ones(1, 1, 1, 2))
    after = evaluate(*rows[:, None, order], order.argsort()[[target]], torch.ones(1, 1, 1, 2))
    assert all(before[name].equal(after[name]) for name in ("FF", "AI", "AD", "AG"))
    assume(
        ((rows == rows.amax(1, keepdim=True)).sum(1) == 1).all()
    )  # of equal probabilities the first is the class
    assert before["FidIn"].equal(after["FidIn"])


@given(masks, st.integers(0, 40), st.randoms(use_true_random=False))
def test_scale_and_place_are_of_no_account_to_the_scores_of_a_mask(mask, exponent, random):
    mask = mask.float().double()  # so that the scale is exact
    order = random.sample(range(mask.numel()), mask.numel())
    moved = mask.flatten()[order].view_as(mask)
    for score in (metrics.sparseness, metrics.complexity):
        whole = score(mask)
        assert torch.equal(score(mask * 2.0**-exponent).nan_to_num(-1), whole.nan_to_num(-1))
        assert torch.allclose(score(moved), whole, atol=1e-12, rtol=0, equal_nan=True)
    assert torch.allclose(
        metrics.area(mask * 2.0**-exponent), metrics.area(mask) * 2.0**-exponent, rtol=1e-12
    )


@given(masks, st.integers(2, 5))
def test_a_mask_said_again_is_as_sparse_and_more_complex_by_a_known_amount(mask, times):
    again = mask.repeat(1, 1, 1, times)
    expected = metrics.complexity(mask) + math.log(times)
    assert torch.allclose(
        metrics.sparseness(again), metrics.sparseness(mask), atol=1e-12, rtol=0, equal_nan=True
    )
    assert torch.allclose(metrics.complexity(again), expected, atol=1e-12, rtol=0, equal_nan=True)
    assert torch.allclose(metrics.area(again), metrics.area(mask), atol=1e-12, rtol=0)


@given(st.lists(probabilities(3).map(torch.Tensor.double), min_size=1, max_size=4))
def test_each_clip_is_scored_by_itself(clips):
    rows, target = torch.stack(clips, 1), torch.arange(len(clips)) % 3
    mask = torch.arange(len(clips) * 6.0).reshape(-1, 1, 2, 3) / 23
    together = evaluate(*rows, target, mask)
    for place in range(len(clips)):
        one = slice(place, place + 1)
        alone = evaluate(*rows[:, one], target[one], mask[one])
        for name, values in alone.items():
            assert torch.allclose(
                values, together[name][one], atol=1e-12, rtol=0, equal_nan=True
            ), name


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
    assert [name for name, metric in METRICS.items() if metric.higher_is_better is False] == [
        "AD",
        "COMP",
        "nCOMP",
    ]
    assert METRICS["AREA"].higher_is_better is None
