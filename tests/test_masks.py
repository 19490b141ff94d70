import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audiointerp.errors import ArgumentError
from audiointerp.interpretation import MASKS

PUBLISHED = ["bin", "minmax", "sigmoid", "topK_5", "topK_30", "topK_50", "minmax_pos", "sigmoid_pos", "pos_thresh_25",
             "pos_thresh_50", "pos_thresh_75", "topK_5_pos", "topK_30_pos", "topK_50_pos"]  # fmt: skip
finite = st.floats(-(2.0**127), 2.0**127, width=32, allow_subnormal=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0])
maps = arrays(
    "float32", st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 6), st.integers(1, 7)), elements=finite
)


def test_by_hand():
    values = torch.tensor([[[[-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 0.25, 0.5, 1.5, 1.75]]]])
    expected = {
        "bin": [0, 0, 0, 1, 1, 0, 1, 1, 1, 1],
        "minmax": [0, 0.25, 0.5, 0.75, 1, 0.5, 0.5625, 0.625, 0.875, 0.9375],
        "minmax_pos": [0, 0, 0, 0.5, 1, 0, 0.125, 0.25, 0.75, 0.875],
        "topK_5": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0],  # floor(0.05 * 10 + 1/2) = 1
        "topK_30": [0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
        "topK_50": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "topK_50_pos": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "pos_thresh_25": [0, 0, 0, 1, 1, 0, 0, 1, 1, 1],
        "pos_thresh_50": [0, 0, 0, 1, 1, 0, 0, 0, 1, 1],
        "pos_thresh_75": [0, 0, 0, 0, 1, 0, 0, 0, 1, 1],
    }
    for name, mask in expected.items():
        assert MASKS[name](values).flatten().tolist() == mask, name
    assert torch.allclose(MASKS["sigmoid"](values), 1 / (1 + torch.exp(-values)))
    assert torch.allclose(MASKS["sigmoid_pos"](values), 1 / (1 + torch.exp(-values.clamp_min(0))))


def test_names_are_the_published_ones():
    assert list(MASKS) == PUBLISHED


@settings(max_examples=200, deadline=None)
@given(maps)
def test_every_mask_lies_in_the_unit_interval(array):
    values = torch.from_numpy(array)
    for name, make in MASKS.items():
        mask = make(values)
        assert mask.shape == values.shape
        assert mask.dtype == values.dtype
        assert ((mask >= 0) & (mask <= 1)).all(), name


@settings(max_examples=200, deadline=None)
@given(maps)
def test_top_k_keeps_exactly_k_and_only_the_largest(array):
    values = torch.from_numpy(array)
    entries = values[0].numel()
    for percent in (5, 30, 50):
        count = math.floor(percent / 100 * entries + 0.5)
        mask, positive = MASKS[f"topK_{percent}"](values), MASKS[f"topK_{percent}_pos"](values)
        assert mask.flatten(1).sum(1).tolist() == [count] * len(values)
        for clip, kept in zip(values, mask, strict=True):
            if 0 < count < entries:
                assert clip[kept == 1].min() >= clip[kept == 0].max()
        assert positive.equal(mask * (values > 0))


@settings(max_examples=100, deadline=None)
@given(maps)
def test_the_positive_family_never_keeps_what_is_not_positive(array):
    values = torch.from_numpy(array)
    for name in PUBLISHED:
        if (name.endswith("_pos") and name != "sigmoid_pos") or name.startswith("pos_thresh"):
            assert (MASKS[name](values)[values <= 0] == 0).all(), name


def test_constant_and_negative_maps():
    for constant in (0.0, -3.0, 2.0):
        values = torch.full((1, 1, 4, 5), constant)
        assert (MASKS["minmax"](values) == 0).all()
        assert (MASKS["minmax_pos"](values) == (1.0 if constant > 0 else 0.0)).all()
        assert MASKS["topK_30"](values).sum() == 6
        assert MASKS["topK_30_pos"](values).sum() == (6 if constant > 0 else 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_smallest_and_the_largest_values_are_spanned(dtype):
    """The least positive number has no half, and twice the largest is infinite."""
    limits = torch.finfo(dtype)
    for step in (limits.smallest_normal * limits.eps, limits.max):
        values = torch.tensor([[[[0.0, step]]]], dtype=dtype)
        assert MASKS["minmax"](values).flatten().tolist() == [0, 1]
        assert MASKS["minmax_pos"](values).flatten().tolist() == [0, 1]
        assert MASKS["pos_thresh_75"](values).flatten().tolist() == [0, 1]
    both = torch.tensor([[[[-limits.max, 0.0, limits.max]]]], dtype=dtype)
    assert MASKS["minmax"](both).flatten().tolist() == [0, 0.5, 1]
    beside = torch.tensor([[[[-limits.max, 0.0, limits.smallest_normal * limits.eps]]]], dtype=dtype)
    assert MASKS["minmax_pos"](beside).flatten().tolist() == [0, 0, 1]  # what is negative does not set its unit


def test_ties_fall_the_same_way_and_not_in_order():
    zeros = torch.zeros(1, 1, 10, 100)
    mask = MASKS["topK_30"](zeros)
    assert mask.equal(MASKS["topK_30"](zeros))
    assert 0.2 < mask[..., :50].mean() < 0.4  # spread over the map, not its first entries


def test_a_map_with_holes_is_refused():
    for bad in (torch.nan, torch.inf, -torch.inf):
        values = torch.zeros(1, 1, 2, 2)
        values[0, 0, 1, 1] = bad
        for make in MASKS.values():
            with pytest.raises(ArgumentError, match="NaN or infinite"):
                make(values)
    with pytest.raises(ArgumentError, match=r"attribution\.values"):
        MASKS["bin"]([1.0])
    with pytest.raises(ArgumentError, match="shape"):
        MASKS["bin"](torch.zeros(3, 3))
